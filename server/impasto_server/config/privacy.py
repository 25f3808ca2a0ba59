"""What results say of how they were made."""

from __future__ import annotations

from pydantic import BaseModel, Field

from impasto.metadata import MARK


class PrivacyOptions(BaseModel, frozen=True):
    """What results say of how they were made."""

    mark_results: bool = Field(
        True,
        description="whether painted pictures say, in their XMP, that an algorithm made them; what they carry of the "
        "photo's own metadata is the request's to say",
    )

    @property
    def mark(self) -> bytes:
        """The XMP packet of what is painted; empty for none."""
        return MARK if self.mark_results else b""

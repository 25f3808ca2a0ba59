"""Which kinds of photos can be read here."""

from __future__ import annotations

from collections.abc import Iterator

from impasto import extras
from impasto.findings import Finding, ok
from impasto.images import readable_formats

_HEIC = "image/heic"


def formats() -> Iterator[Finding]:
    """Tell which, and how to have what phones send."""
    found = readable_formats()
    names = ", ".join(kind.removeprefix("image/").upper() for kind in found)
    missing = None if _HEIC in found else f"{extras.install('heif')}  # for HEIC, as phones take photos"
    yield ok("formats", f"photos can be {names}", missing)

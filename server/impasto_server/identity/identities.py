"""What is known of a caller."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from impasto.jobs import ANONYMOUS
from impasto_server.identity.roles import Role


@dataclass(frozen=True)
class CallerLimits:
    """How much one caller may ask for; None where it has no limit of its own.

    Attributes:
        requests_per_second: calls that may begin in a second, on average.
        max_concurrent: calls under way at once.
        max_jobs: jobs that have not ended.
    """

    requests_per_second: float | None = None
    max_concurrent: int | None = None
    max_jobs: int | None = None


@dataclass(frozen=True)
class Identity:
    """Who calls.

    Attributes:
        name: what the log shows, and what the caller's jobs belong to.
        roles: what it may do.
        known: whether the name tells it from other callers.
        expires: when it is a caller no longer; None for never.
        limits: its own.
    """

    name: str
    roles: Collection[Role]
    known: bool = True
    expires: datetime | None = None
    limits: CallerLimits = CallerLimits()

    @property
    def expired(self) -> bool:
        return self.expires is not None and datetime.now(UTC) >= self.expires


NOBODY = Identity(ANONYMOUS, roles=(), known=False)
"""Who calls where nobody has asked."""

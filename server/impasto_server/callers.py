"""Who calls. The one place that knows: what identifies callers is to be read here."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import Any

from impasto.jobs import ANONYMOUS


@dataclass(frozen=True)
class Caller:
    """One call's side of the story.

    Attributes:
        client: who is to get a fair share of the server; a connection, while nothing tells callers apart.
        due: when the caller gives up, as `perf_counter` tells it; None for never.
    """

    client: str
    due: float | None = None


def caller_of(context: Any) -> Caller:
    """Return who makes a call, and until when."""
    left = context.time_remaining()
    return Caller(context.peer(), None if left is None else perf_counter() + left)


def owner_of(context: Any) -> str:  # noqa: ARG001
    """Return who owns what a call makes, and whose jobs it may see."""
    return ANONYMOUS

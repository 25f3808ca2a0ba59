"""Who calls. The one place that knows: what identifies callers is to be read here."""

from __future__ import annotations

from typing import Any

from impasto.jobs import ANONYMOUS


def owner_of(context: Any) -> str:  # noqa: ARG001
    """Return who owns what a call makes, and whose jobs it may see."""
    return ANONYMOUS

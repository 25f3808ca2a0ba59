"""What is told of a picture that was made: to people, and to programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from impasto_client.results import Stylized


def picture_words(out: Path | None, painted: Stylized, taken: str) -> str:
    """Return a line.

    Args:
        out: the picture's file.
        painted: the picture.
        taken: how long it took, in words.
    """
    return f"{out}: {painted.width}x{painted.height} px, {len(painted.image):,} bytes, {taken}"


def picture_facts(painted: Stylized, seconds: float) -> dict[str, Any]:
    """Return what a program is told."""
    return {
        "format": painted.format,
        "width": painted.width,
        "height": painted.height,
        "working_size": list(painted.working_size),
        "bytes": len(painted.image),
        "seconds": round(seconds, 3),
        "notes": list(painted.notes),
    }

"""Which part of a HEIF picture is shown, and which way up. After ISO/IEC 23008-12, section 6.5.

A reader cuts, then turns, then mirrors (ISO/IEC 23000-22, section 7.3.6.7).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction

from impasto.containers.still import Property

Box = tuple[int, int, int, int]
"""Left, top, right and bottom, px."""

# By EXIF's numbers, what a picture is turned by against the clock, in quarters, and then mirrored: not at all, top to
# bottom, or left to right.
_ORIENTATIONS = ((1, 4, 2), (8, 5, 7), (3, 2, 4), (6, 7, 5))


def orientation(properties: Sequence[Property]) -> int:
    """Return which way up a picture is, by EXIF's numbers."""
    turned, mirrored = 0, 0
    for kind, contents in properties:
        told = contents[0] & 3 if contents else 0
        if kind == b"irot":
            turned = (turned - told if mirrored else turned + told) % 4
        elif kind == b"imir" and not mirrored:
            mirrored = 1 + (told & 1)
    return _ORIENTATIONS[turned][mirrored]


def crop(properties: Sequence[Property], width: int, height: int) -> Box | None:
    """Return what is shown of a picture as stored; None for all of it, or where it cannot be what is said."""
    told = next((contents for kind, contents in properties if kind == b"clap"), b"")
    if len(told) < 32:
        return None
    parts = struct.unpack(">4I iI iI", told[:32])
    if not all(parts[1::2]):
        return None
    wide, high, right_of, below = (Fraction(*parts[at : at + 2]) for at in range(0, 8, 2))
    left = round(right_of + (width - wide) / 2)
    top = round(below + (height - high) / 2)
    shown = left, top, left + int(wide), top + int(high)
    inside = 0 <= left < shown[2] <= width and 0 <= top < shown[3] <= height
    return shown if inside and shown != (0, 0, width, height) else None

"""What the server has made of a photo."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from impasto.images import Format, Size


@dataclass(frozen=True)
class Painting:
    """A photo painted.

    Attributes:
        file: a picture file, or its pixels where these were asked for.
        format: of the file.
        size: its size.
        photo_size: the photo's own.
        working_size: what it was painted at.
        bundle: the name of the one whose transformer painted it.
        pixels: how many were painted now; 0 where the photo was wanted as it is, or the result was at hand.
        batch: how many photos were painted at once, this one included; 0 where none was.
        seconds: stage -> s: `decode`, `queue`, `engine`, `encode`, `total`; those that it went through.
    """

    file: bytes = field(repr=False)
    format: Format
    size: Size
    photo_size: Size
    working_size: Size
    bundle: str
    pixels: int
    batch: int
    seconds: Mapping[str, float]

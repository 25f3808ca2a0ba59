"""What one request asks for, in the server's own words: the API's messages stay at the door."""

from __future__ import annotations

from dataclasses import dataclass, field

from impasto.images import DEFAULT_QUALITY, Format


@dataclass(frozen=True)
class Part:
    """One style of a blend, and its share of it, which the library checks."""

    style_id: str
    weight: float


Blend = tuple[Part, ...]


@dataclass(frozen=True)
class OutputSize:
    """px; a side that is None follows from the other, and both from the photo."""

    width: int | None = None
    height: int | None = None


@dataclass(frozen=True)
class Order:
    """One photo to paint.

    Attributes:
        photo: a picture file.
        style: a style id, or a blend.
        strength: 0 (the photo) to 1 (all paint); the library checks it.
        working_size: px, the long side to paint at; None leaves it to the server.
        output_size: of the result.
        format: of the result.
        quality: 1 to 100, of a JPEG or WebP.
    """

    photo: bytes = field(repr=False)
    style: str | Blend
    strength: float = 1.0
    working_size: int | None = None
    output_size: OutputSize = OutputSize()
    format: Format = Format.JPEG
    quality: int = DEFAULT_QUALITY

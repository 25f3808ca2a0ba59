"""What one request asks for, in the server's own words: the API's messages stay at the door."""

from __future__ import annotations

from dataclasses import dataclass, field

from impasto.images import DEFAULT_QUALITY, Format
from impasto.masks import Mask
from impasto.metadata import DEFAULT_POLICY, MetadataPolicy
from impasto.optimization import Optimization
from impasto_server.raw import Depth, RawPhoto


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


@dataclass(frozen=True, kw_only=True)
class Order:
    """One photo to paint.

    Attributes:
        photo: a picture file, or its pixels.
        strength: 0 (the photo) to 1 (all paint).
        working_size: px, the long side to paint at; None leaves it to the server.
        output_size: of the result.
        format: of the result.
        quality: 1 to 100, of a JPEG or WebP.
        metadata: what of the photo's own the result carries.
        mask: of what is painted; None for all of it.
    """

    photo: bytes | RawPhoto = field(repr=False)
    strength: float = 1.0
    working_size: int | None = None
    output_size: OutputSize = OutputSize()
    format: Format = Format.JPEG
    quality: int = DEFAULT_QUALITY
    metadata: MetadataPolicy = DEFAULT_POLICY
    mask: Mask | None = None


@dataclass(frozen=True, kw_only=True)
class TrainedOrder(Order):
    """One to paint in styles that have been trained.

    Attributes:
        style: a style id, or a blend.
        raw: how the pixels of the result are written where they are wanted, rather than a file.
        max_result_pixels: that the result may have, where that is fewer than every result may.
    """

    style: str | Blend
    raw: Depth | None = None
    max_result_pixels: int | None = None


@dataclass(frozen=True, kw_only=True)
class JobOrder(Order):
    """One to paint by a job, in the style of any paintings.

    Attributes:
        photo: a picture file.
        paintings: picture files.
        weights: one per painting, not all 0.
        optimization: how.
        request_id: the caller's name for it, or None.
        priority: the higher, the sooner.
    """

    photo: bytes = field(repr=False)
    paintings: tuple[bytes, ...] = field(repr=False)
    weights: tuple[float, ...]
    optimization: Optimization
    request_id: str | None = None
    priority: int = 0

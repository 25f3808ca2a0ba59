"""What one request asks for, in the server's own words: the API's messages stay at the door."""

from __future__ import annotations

from dataclasses import dataclass, field

from impasto.images import DEFAULT_QUALITY, Format
from impasto.metadata import DEFAULT_POLICY, MetadataPolicy
from impasto.optimization import Optimization


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
        photo: a picture file.
        strength: 0 (the photo) to 1 (all paint).
        working_size: px, the long side to paint at; None leaves it to the server.
        output_size: of the result.
        format: of the result.
        quality: 1 to 100, of a JPEG or WebP.
        metadata: what of the photo's own the result carries.
    """

    photo: bytes = field(repr=False)
    strength: float = 1.0
    working_size: int | None = None
    output_size: OutputSize = OutputSize()
    format: Format = Format.JPEG
    quality: int = DEFAULT_QUALITY
    metadata: MetadataPolicy = DEFAULT_POLICY


@dataclass(frozen=True, kw_only=True)
class TrainedOrder(Order):
    """One to paint in styles that have been trained.

    Attributes:
        style: a style id, or a blend.
    """

    style: str | Blend


@dataclass(frozen=True, kw_only=True)
class JobOrder(Order):
    """One to paint by a job, in the style of any paintings.

    Attributes:
        paintings: picture files.
        weights: one per painting, not all 0.
        optimization: how.
        request_id: the caller's name for it, or None.
        priority: the higher, the sooner.
    """

    paintings: tuple[bytes, ...] = field(repr=False)
    weights: tuple[float, ...]
    optimization: Optimization
    request_id: str | None = None
    priority: int = 0

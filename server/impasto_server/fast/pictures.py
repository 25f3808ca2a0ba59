"""From a photo's file to what an engine takes, and from what it paints to a picture file: work for codec threads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from impasto.images import Limits, PictureFile, Pixels, Planes, Size, encode, encode_planes
from impasto.metadata import Metadata, carried
from impasto_server.bundles.library import Brush
from impasto_server.order import Order
from impasto_server.sizes import output_size, working_size


@dataclass(frozen=True)
class Photo:
    """A photo read.

    Attributes:
        pixels: [H, W, 3]; with margins, where an engine is to paint it.
        size: its own.
        working_size: its size, without margins.
        result: the size of the result.
        metadata: of the result.
    """

    pixels: Pixels = field(repr=False)
    size: Size
    working_size: Size
    result: Size
    metadata: Metadata = field(repr=False)


def read(
    order: Order, brush: Brush, limits: Limits, default_working_size: int, mark: bytes, suitable: Callable[[Size], Size]
) -> Photo:
    """Read a photo, and scale it to its working size.

    One that will not be painted keeps its own size: scaling there and back would blur it.

    Args:
        order: what is asked for.
        brush: what it will be painted with.
        limits: of the photo.
        default_working_size: px, the long side that larger photos are painted at.
        mark: the XMP packet of what is painted.
        suitable: from the size that would be painted at to what suits the engine.

    Raises:
        InvalidInput: it cannot be read, or a size does not suit it.
    """
    file = PictureFile(order.photo, limits=limits)
    result = output_size(file.size, order.output_size, order.format, limits.max_pixels)
    exif = carried(file.exif, order.metadata, *result)
    if not brush.paints:
        return Photo(file.decode(), file.size, file.size, result, Metadata(exif))
    painted_at = suitable(working_size(file.size, order.working_size, default_working_size))
    pixels = _with_margins(file.decode(painted_at), brush.size_multiple)
    return Photo(pixels, file.size, painted_at, result, Metadata(exif, mark))


def write_painted(planes: Planes, photo: Photo, order: Order) -> bytes:
    """Return what was painted of a photo, [1, 3, H, W] with margins, as a file."""
    width, height = photo.working_size
    painted = planes[:, :, :height, :width]
    return encode_planes(painted, **_as_asked_for(photo, order))


def write_unpainted(photo: Photo, order: Order) -> bytes:
    """Return a photo that is wanted as it is, as a file."""
    return encode(photo.pixels, **_as_asked_for(photo, order))


def _as_asked_for(photo: Photo, order: Order) -> dict[str, Any]:
    return {"size": photo.result, "format": order.format, "quality": order.quality, "metadata": photo.metadata}


def _with_margins(pixels: Pixels, multiple: int) -> Pixels:
    """Return the picture with sides of this multiple: at most multiple - 1 px are added, mirrored, below and right."""
    height, width = pixels.shape[:2]
    if not (height % multiple or width % multiple):
        return pixels
    return np.pad(pixels, ((0, -height % multiple), (0, -width % multiple), (0, 0)), mode="reflect")

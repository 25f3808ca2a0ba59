"""From a photo's file to what an engine takes, and from what it paints to a picture file: work for codec threads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from PIL import Image

from impasto.images import (
    Limits,
    PictureFile,
    Pixels,
    Planes,
    Retouch,
    Size,
    encode,
    encode_planes,
    resize,
    to_pixels,
    untouched,
)
from impasto.masks import Mask, Stencil
from impasto.metadata import Metadata, carried
from impasto_server.bundles.library import Brush
from impasto_server.order import TrainedOrder
from impasto_server.raw import RawPhoto, written
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
        paints: whether an engine is to paint it.
        retouch: what is done to the result.
    """

    pixels: Pixels = field(repr=False)
    size: Size
    working_size: Size
    result: Size
    metadata: Metadata = field(repr=False)
    paints: bool = True
    retouch: Retouch = field(default=untouched, repr=False)


def read(
    order: TrainedOrder,
    brush: Brush,
    limits: Limits,
    default_working_size: int,
    mark: bytes,
    suitable: Callable[[Size], Size],
) -> Photo:
    """Read a photo, and scale it to its working size.

    One that will not be painted keeps its own size: scaling there and back would blur it. A mask is looked at, and read
    again once there is a result to retouch, as is a larger photo: what waits for an engine holds neither.

    Args:
        order: what is asked for.
        brush: what it will be painted with.
        limits: of the photo.
        default_working_size: px, the long side that larger photos are painted at.
        mark: the XMP packet of what is painted.
        suitable: from the size that would be painted at to what suits the engine.

    Raises:
        InvalidInput: it or its mask cannot be read, or a size does not suit it.
    """
    file = _opened(order.photo, limits)
    most = min(limits.max_pixels, order.max_result_pixels or limits.max_pixels)
    result = output_size(file.size, order.output_size, order.format, most)
    exif = carried(file.exif, order.metadata, *result)
    painted_at = file.size
    if brush.paints:
        painted_at = suitable(working_size(file.size, order.working_size, default_working_size))
    stencil = Stencil(order.mask, file.size) if order.mask else None
    if not brush.paints or (stencil and not stencil.paints):
        return Photo(file.decode(), file.size, file.size, result, Metadata(exif), paints=False)
    pixels = _with_margins(file.decode(painted_at), brush.size_multiple)
    retouch = untouched
    if order.mask and stencil and stencil.keeps:
        original = partial(_cut, pixels) if result == painted_at else partial(_read_again, order.photo, limits)
        retouch = partial(_restore, order.mask, file.size, original)
    return Photo(pixels, file.size, painted_at, result, Metadata(exif, mark), retouch=retouch)


def write_painted(planes: Planes, photo: Photo, order: TrainedOrder) -> bytes:
    """Return what was painted of a photo, [1, 3, H, W] with margins, as a file, or as pixels if so wanted."""
    width, height = photo.working_size
    painted = planes[:, :, :height, :width]
    if order.raw:
        return written(_retouched(resize(to_pixels(painted), *photo.result), photo.retouch), order.raw)
    return encode_planes(painted, **_as_asked_for(photo, order), retouch=photo.retouch)


def write_unpainted(photo: Photo, order: TrainedOrder) -> bytes:
    """Return a photo that is wanted as it is, likewise."""
    if order.raw:
        return written(resize(photo.pixels, *photo.result), order.raw)
    return encode(photo.pixels, **_as_asked_for(photo, order))


def _as_asked_for(photo: Photo, order: TrainedOrder) -> dict[str, Any]:
    return {"size": photo.result, "format": order.format, "quality": order.quality, "metadata": photo.metadata}


def _opened(photo: bytes | RawPhoto, limits: Limits) -> PictureFile | RawPhoto:
    if isinstance(photo, RawPhoto):
        photo.check(limits)
        return photo
    return PictureFile(photo, limits=limits)


def _cut(pixels: Pixels, size: Size) -> Pixels:
    """Return a picture without its margins."""
    width, height = size
    return pixels[:height, :width]


def _read_again(photo: bytes | RawPhoto, limits: Limits, size: Size) -> Pixels:
    return _opened(photo, limits).decode(size)


def _restore(mask: Mask, size: Size, original: Callable[[Size], Pixels], painted: Image.Image) -> None:
    """Put back into a painted picture what a mask keeps of the photo, which has this size."""
    Stencil(mask, size).restore(original(painted.size), painted)


def _retouched(pixels: Pixels, retouch: Retouch) -> Pixels:
    if retouch is untouched:
        return pixels
    image = Image.fromarray(pixels)
    retouch(image)
    return np.asarray(image)


def _with_margins(pixels: Pixels, multiple: int) -> Pixels:
    """Return the picture with sides of this multiple: at most multiple - 1 px are added, mirrored, below and right."""
    height, width = pixels.shape[:2]
    if not (height % multiple or width % multiple):
        return pixels
    return np.pad(pixels, ((0, -height % multiple), (0, -width % multiple), (0, 0)), mode="reflect")

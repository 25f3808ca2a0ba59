"""Which part of a photo is painted: masks read, their edges softened, and the photo put back where it is kept.

A mask comes from a stranger, like the photo: its size is compared with the photo's from its header, before any pixel is
decoded. Its values are shares and no colours, so a colour profile means nothing for it.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from PIL.PngImagePlugin import PngImageFile

from impasto.containers import png
from impasto.containers.header import Header, damaged
from impasto.errors import InvalidInput, UnreadableImage
from impasto.headers import SIDEWAYS, turn
from impasto.images import Pixels, Size
from impasto.srgb import split_alpha

Coverage = NDArray[np.uint8]
"""[H, W]: 255 is painted, 0 is kept, and what lies between is a mixture."""

DEFAULT_FEATHER = 0.005  # of the long side
MAX_FEATHER = 0.1

_FIELD = "mask"
_KEPT, _PAINTED = 0, 255
_DEVIATIONS = 3  # three boxes, which Pillow's Gaussian is made of, reach as many standard deviations
_SLACK = _DEVIATIONS  # px, as each box reaches whole pixels
_TILE = 512  # px, that are softened at once: most of a mask is flat, and needs no softening
_STRIP = 131_072  # values that are mixed at once: as many as a core's cache holds

_Slices = tuple[slice, slice]


@dataclass(frozen=True)
class Masking:
    """How a mask is taken.

    Attributes:
        feather: how far its edge is softened to either side, as a share of the long side, 0 to MAX_FEATHER.
        inverted: whether white is what is kept.
    """

    feather: float = DEFAULT_FEATHER
    inverted: bool = False


@dataclass(frozen=True)
class Mask:
    """A mask as it is sent.

    Attributes:
        file: a PNG.
        masking: how it is taken.
    """

    file: bytes = field(repr=False)
    masking: Masking = Masking()


def check_feather(feather: float) -> None:
    """Raise InvalidInput unless an edge can be softened by this."""
    if not 0 <= feather <= MAX_FEATHER:
        raise InvalidInput(
            f"{_FIELD}.feather", f"{feather:g} is out of range; give 0 to {MAX_FEATHER}, a share of the long side"
        )


class Stencil:
    """A mask that has been read, over a photo.

    Args:
        mask: as it was sent.
        photo: the size of the photo, upright.

    Attributes:
        paints: whether any of the photo is to be painted.
        keeps: whether any of it is to be kept.

    Raises:
        UnreadableImage: it is no PNG, or a damaged one.
        InvalidInput: it has another size than the photo, is not grey, or is transparent.
    """

    def __init__(self, mask: Mask, photo: Size) -> None:
        self._coverage = _read(mask.file, photo)
        if mask.masking.inverted:
            np.subtract(_PAINTED, self._coverage, out=self._coverage)
        self._feather = mask.masking.feather
        self.paints = bool(self._coverage.any())
        self.keeps = bool(self._coverage.min() < _PAINTED)

    def coverage(self, size: Size) -> Coverage:
        """Return what it covers of the photo scaled to this size, with its soft edge."""
        height, width = self._coverage.shape
        reach = self._feather * max(width, height)
        scaled = _scaled(self._coverage, size)
        return _softened(scaled, (reach * size[0] / width, reach * size[1] / height))

    def restore(self, photo: Pixels, painted: Image.Image) -> None:
        """Put back into a painted picture, in RGB, what is kept of the photo, [H, W, 3] of the same size."""
        width, height = painted.size
        coverage = self.coverage(painted.size)
        step = max(1, _STRIP // (3 * width))
        for top in range(0, height, step):
            rows = slice(top, top + step)
            if coverage[rows].min() < _PAINTED:
                strip = np.asarray(painted.crop((0, top, width, min(top + step, height))))
                painted.paste(Image.fromarray(composed(strip, photo[rows], coverage[rows])), (0, top))


def composed(painted: Pixels, photo: Pixels, coverage: Coverage) -> Pixels:
    """Return photo + coverage / 255 * (painted - photo), rounded to nearest: all [H, W, 3] but the coverage, [H, W].

    It is a mean of values as they are in the file, as of layers in an editor.
    """
    height, width = coverage.shape
    share = np.repeat(coverage, 3, axis=1).astype(np.uint16)
    mixture = share * painted.reshape(height, 3 * width)
    np.subtract(_PAINTED, share, out=share)
    share *= photo.reshape(height, 3 * width)
    mixture += share
    # Divided by 255, and rounded: exact for every sum that there is, in 16 bits.
    mixture += 128
    mixture += mixture >> 8
    mixture >>= 8
    return mixture.astype(np.uint8).reshape(height, width, 3)


def _read(file: bytes, photo: Size) -> Coverage:
    if not file.startswith(png.SIGNATURE):
        what = f"starts with {file[:12]!r}, which is no PNG" if file else "is empty"
        raise UnreadableImage(_FIELD, f"{what}; send a grey PNG of the photo's size")
    header = png.read(file, _FIELD)
    upright = turn(header)
    stored = header.width, header.height
    _check_size(stored[::-1] if upright in SIDEWAYS else stored, photo)
    image = _decoded(header)
    coverage = np.empty((image.height, image.width), np.uint8)
    for top in range(0, image.height, _TILE):
        coverage[top : top + _TILE] = _grey(image.crop((0, top, image.width, min(top + _TILE, image.height))))
    return coverage if upright is None else np.array(Image.fromarray(coverage).transpose(upright))


def _check_size(mask: Size, photo: Size) -> None:
    if mask == photo:
        return
    if mask == photo[::-1]:
        cure = "turn it: it lies over the photo as that is looked at, upright"
    else:
        cure = "send one of exactly the photo's size"
    raise InvalidInput(_FIELD, f"has {mask[0]}x{mask[1]} px, and the photo {photo[0]}x{photo[1]} px; {cure}")


def _decoded(header: Header) -> PngImageFile:
    try:
        image = PngImageFile(io.BytesIO(header.file))
        image.load()
    except MemoryError:
        raise
    except Exception as error:  # Pillow raises many kinds for a damaged file
        raise damaged(_FIELD, f"{error or type(error).__name__}") from error
    return image


def _grey(image: Image.Image) -> NDArray[np.uint8]:
    """Return a part of a mask as grey; one in colours that are all grey is one too."""
    colours, alpha = split_alpha(image)
    if alpha is not None and alpha.getextrema() != (255, 255):
        raise InvalidInput(
            _FIELD, "is transparent in places, which is neither painted nor kept; save it in grey, without transparency"
        )
    values = np.asarray(colours)
    if values.ndim == 2:
        return values
    red = values[:, :, 0]
    if not (np.array_equal(red, values[:, :, 1]) and np.array_equal(red, values[:, :, 2])):
        raise InvalidInput(_FIELD, "has colours; save it in grey: white is painted, black is kept")
    return red


def _scaled(coverage: Coverage, size: Size) -> Coverage:
    if coverage.shape == size[::-1]:
        return coverage
    return np.asarray(Image.fromarray(coverage).resize(size, Image.Resampling.BILINEAR))  # which never overshoots


def _softened(coverage: Coverage, reach: tuple[float, float]) -> Coverage:
    """Return the coverage with an edge that is soft as far as this to each side, px across and down."""
    if not any(reach):
        return coverage
    across, down = (math.ceil(length) + _SLACK for length in reach)
    blur = ImageFilter.GaussianBlur((reach[0] / _DEVIATIONS, reach[1] / _DEVIATIONS))
    softened = np.empty_like(coverage)
    for tile, around, within in _tiles(coverage.shape, across, down):
        part = coverage[around]
        if part.min() == part.max():
            softened[tile] = coverage[tile]
        else:
            softened[tile] = np.asarray(Image.fromarray(part).filter(blur))[within]
    return softened


def _tiles(shape: tuple[int, ...], across: int, down: int) -> Iterator[tuple[_Slices, _Slices, _Slices]]:
    """Yield what covers a picture: each tile, the tile with what lies around it, and where in that it is."""
    for rows, rows_around, rows_within in _spans(shape[0], down):
        for columns, columns_around, columns_within in _spans(shape[1], across):
            yield (rows, columns), (rows_around, columns_around), (rows_within, columns_within)


def _spans(length: int, margin: int) -> Iterator[tuple[slice, slice, slice]]:
    step = max(_TILE, 4 * margin)  # or most of the work would be the margins'
    for begin in range(0, length, step):
        end = min(begin + step, length)
        first = max(0, begin - margin)
        yield slice(begin, end), slice(first, min(length, end + margin)), slice(begin - first, end - first)

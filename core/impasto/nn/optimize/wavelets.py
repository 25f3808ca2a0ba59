"""Haar's wavelets of a picture, and of its three colours: an orthonormal basis of stripes of every width and place.

Mallat 1989 ("A Theory for Multiresolution Signal Decomposition", section IV.B), on sides that 2^LEVELS divides: what
is added on the right and at the bottom is 0, and cut off again.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

LEVELS = 5  # stripes of 1, 2, 4, 8 and 16 px, and what is left: means over squares of 32 px

_COLORS = torch.nn.functional.normalize(  # lightness, red against blue, green against both: orthonormal rows
    torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.0, -1.0], [1.0, -2.0, 1.0]]), dim=1
)


def analyse(image: Tensor) -> Tensor:
    """Return the coefficients [3, H', W'] of a picture [1, 3, H, W], each side filled up to a multiple of 2^LEVELS.

    The coefficients of a level's three kinds of stripes lie where its picture was, and the next level's in the corner
    of that (see `bands`).
    """
    height, width = image.shape[2:]
    side = 2**LEVELS
    values = torch.einsum("ij,jhw->ihw", _COLORS.to(image), image[0])
    values = F.pad(values, (0, -width % side, 0, -height % side)).contiguous()
    for level in range(LEVELS):
        corner = values[:, : values.shape[1] >> level, : values.shape[2] >> level]
        corner.copy_(_halved(_halved(corner, 1), 2))
    return values


def synthesise(values: Tensor, height: int, width: int) -> Tensor:
    """Return the picture [1, 3, height, width] of these coefficients; the transpose of `analyse`, and its inverse."""
    values = values.clone()
    for level in reversed(range(LEVELS)):
        corner = values[:, : values.shape[1] >> level, : values.shape[2] >> level]
        corner.copy_(_doubled(_doubled(corner, 2), 1))
    image = torch.einsum("ij,ihw->jhw", _COLORS.to(values), values[:, :height, :width])
    return image[None].contiguous(memory_format=torch.channels_last)


def bands(values: Tensor) -> Iterator[tuple[int, Tensor]]:
    """Yield a level's number, 1 for the finest, and its coefficients of one kind of stripes [3, h, w], a view of all.

    The means that are left count as one more kind of the coarsest level.
    """
    for level in range(1, LEVELS + 1):
        height, width = values.shape[1] >> level, values.shape[2] >> level
        yield level, values[:, :height, width : 2 * width]
        yield level, values[:, height : 2 * height, :width]
        yield level, values[:, height : 2 * height, width : 2 * width]
    yield LEVELS, values[:, :height, :width]


def _halved(values: Tensor, axis: int) -> Tensor:
    """Return neighbours' sums, and then their differences, along an axis."""
    even, odd = values.unfold(axis, 2, 2).unbind(-1)
    return torch.cat([even + odd, even - odd], axis) * math.sqrt(0.5)


def _doubled(values: Tensor, axis: int) -> Tensor:
    sums, differences = values.chunk(2, axis)
    return torch.stack([sums + differences, sums - differences], axis + 1).flatten(axis, axis + 1) * math.sqrt(0.5)

"""Haar's wavelets of a picture, and of its three colours: an orthonormal basis of stripes of every width and place.

Mallat 1989 ("A Theory for Multiresolution Signal Decomposition", section IV.B), on sides that 2^LEVELS divides: what
is added on the right and at the bottom is 0, and cut off again.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

LEVELS = 5  # stripes of 1, 2, 4, 8 and 16 px, and what is left: means over squares of 32 px


def analyse(images: Tensor) -> Tensor:
    """Return the coefficients [N, 3, H', W'] of pictures [N, 3, H, W], each side filled up to a multiple of 2^LEVELS.

    The coefficients of a level's three kinds of stripes lie where its picture was, and the next level's in the corner
    of that (see `bands`).
    """
    height, width = images.shape[2:]
    side = 2**LEVELS
    values = torch.einsum("ij,njhw->nihw", _colors(images.device), images)
    values = F.pad(values, (0, -width % side, 0, -height % side)).contiguous()
    for level in range(LEVELS):
        corner = _corner(values, level)
        _transform(_squares(corner), _quarters(corner))
    return values


def synthesise(values: Tensor, height: int, width: int) -> Tensor:
    """Return the pictures [N, 3, height, width] of these coefficients; the transpose of `analyse`, and its inverse."""
    values = values.clone()
    for level in reversed(range(LEVELS)):
        corner = _corner(values, level)
        _transform(_quarters(corner), _squares(corner))
    images = torch.einsum("ij,nihw->njhw", _colors(values.device), values[..., :height, :width])
    return images.contiguous(memory_format=torch.channels_last)


def bands(values: Tensor) -> Iterator[tuple[int, Tensor]]:
    """Yield a level's number, 1 for the finest, and its coefficients of one kind of stripes, a view of all.

    The means that are left count as one more kind of the coarsest level.

    Args:
        values: [N, 3, H', W'], as `analyse` returns them; [N, 3, h, w] is what is yielded.
    """
    for level in range(1, LEVELS + 1):
        for row, column in ((0, 1), (1, 0), (1, 1)):
            yield level, _quarters(_corner(values, level - 1))[row, column]
    yield LEVELS, _corner(values, LEVELS)


def _corner(values: Tensor, level: int) -> Tensor:
    return values[..., : values.shape[-2] >> level, : values.shape[-1] >> level]


def _squares(corner: Tensor) -> Tensor:
    """Return each place of the squares of 2 x 2 px that a picture [N, 3, h, w] is made of: [2, 2, N, 3, h/2, w/2]."""
    count, colors, height, width = corner.shape
    return corner.view(count, colors, height // 2, 2, width // 2, 2).permute(3, 5, 0, 1, 2, 4)


def _quarters(corner: Tensor) -> Tensor:
    """Return each quarter of a picture [N, 3, h, w]: [2, 2, N, 3, h/2, w/2]."""
    count, colors, height, width = corner.shape
    return corner.view(count, colors, 2, height // 2, 2, width // 2).permute(2, 4, 0, 1, 3, 5)


def _transform(source: Tensor, target: Tensor) -> None:
    """Write four transformed values where `target` has a square's; one product, however many pictures there are."""
    fours = source.reshape(4, -1)
    target.copy_((_square(fours.device) @ fours).view(source.shape))


# Once a device: to copy them there makes the host wait for it, and there are twenty transforms a step.
@cache
def _colors(device: torch.device) -> Tensor:
    """Return lightness, red against blue, and green against both, as orthonormal rows [3, 3]."""
    rows = torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.0, -1.0], [1.0, -2.0, 1.0]])
    return F.normalize(rows, dim=1).to(device)


@cache
def _square(device: torch.device) -> Tensor:
    """Return what makes twice the mean and three kinds of stripes of a square's four pixels [4, 4]; its own inverse."""
    signs = [[1.0, 1.0, 1.0, 1.0], [1.0, -1.0, 1.0, -1.0], [1.0, 1.0, -1.0, -1.0], [1.0, -1.0, -1.0, 1.0]]
    return 0.5 * torch.tensor(signs, device=device)

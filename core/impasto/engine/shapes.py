"""Which shapes an engine whose sessions have fixed ones opens them for."""

from __future__ import annotations

import math
from typing import NamedTuple

from impasto.images import MIN_SIDE, Size

_STEPS = 8
"""Sides of buckets for every doubling: 256, 280, 304, 328, 360 px and so on; none is further off than a twentieth."""


class Shape(NamedTuple):
    """Of one batch: so many pictures of height x width px."""

    batch: int
    height: int
    width: int

    @property
    def pixels(self) -> int:
        return self.batch * self.height * self.width


def parts(batch: int) -> list[int]:
    """Return powers of two that add up to a batch, largest first: any batch will do with a few sessions.

    None larger is padded, since the pictures that fill it would cost as much as the others.
    """
    return [1 << bit for bit in reversed(range(batch.bit_length())) if batch >> bit & 1]


def bucket_size(size: Size, multiple: int) -> Size:
    """Return the bucket nearest to a size, (width, height) in px: what to scale a picture to where shapes are fixed.

    Scaling changes the proportions a little, and back again afterwards; padding would change what instance norm sees.

    Args:
        size: to paint at.
        multiple: that the bundle asks of every side.
    """
    width, height = size
    return _bucket_side(width, multiple), _bucket_side(height, multiple)


def _bucket_side(side: int, multiple: int) -> int:
    nearest = 2 ** (round(math.log2(side) * _STEPS) / _STEPS)
    least = -(-MIN_SIDE // multiple)
    return multiple * max(least, round(nearest / multiple))

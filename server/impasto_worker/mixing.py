"""Of the photo and what was painted of it, the picture that was asked for: by strength, and by mask."""

from __future__ import annotations

import numpy as np

from impasto import images
from impasto.images import Pixels, Retouch
from impasto.masks import Stencil

_ROWS = 256  # that are mixed at once: in fp32 a large picture would take gigabytes


def mixed(photo: Pixels, painted: Pixels, strength: float) -> Pixels:
    """Return photo + strength * (painted - photo), rounded to nearest: all [H, W, 3]."""
    if strength == 1:
        return painted
    result = np.empty_like(photo)
    share = np.float32(strength)
    for top in range(0, len(photo), _ROWS):
        rows = slice(top, top + _ROWS)
        result[rows] = np.rint(photo[rows] * (1 - share) + painted[rows] * share)
    return result


def restoring(stencil: Stencil | None, photo: Pixels) -> Retouch:
    """Return what puts back into a painted picture, of whatever size, what is kept of the photo, [H, W, 3]."""
    if stencil is None:
        return images.untouched
    return lambda painted: stencil.restore(images.resize(photo, *painted.size), painted)

"""Coarse to fine: at which sizes a picture is painted, and for how many steps at each.

Strokes are laid out at a size where the perception sees all of the picture, and get their texture where it sees detail
(Gatys et al. 2017, "Controlling Perceptual Factors", section 6).
"""

from __future__ import annotations

from dataclasses import dataclass

from impasto.images import MIN_SIDE, Size, fit

_SHORTEST = 96  # px, of the shorter side at the coarsest scale: fewer show the deepest layer too little
_FINEST_SHARE = 0.4  # of the steps at least, where there are several scales
_MOST_COARSE = 60  # steps at one of the coarser scales: by then the strokes are laid out


@dataclass(frozen=True)
class Scale:
    """One size, and the steps at it."""

    size: Size
    steps: int


def scales(photo: Size, long_side: int, steps: int) -> tuple[Scale, ...]:
    """Return the scales, coarsest first, each twice as long and wide as the one before.

    Args:
        photo: its size, which gives the proportions.
        long_side: px, of the finest scale.
        steps: over all scales; with fewer steps than scales, the coarsest get none and are left out.
    """
    sizes = [_size(photo, long_side)]
    while min(sizes[0]) >= 2 * _SHORTEST:
        long_side //= 2
        sizes.insert(0, _size(photo, long_side))
    shares = _shares(len(sizes), steps)
    return tuple(Scale(size, share) for size, share in zip(sizes, shares, strict=True) if share)


def _shares(count: int, steps: int) -> list[int]:
    if count == 1:
        return [steps]
    coarser = min(_MOST_COARSE, (steps - max(1, round(steps * _FINEST_SHARE))) // (count - 1))
    return [coarser] * (count - 1) + [steps - coarser * (count - 1)]


def _size(photo: Size, long_side: int) -> Size:
    width, height = fit(*photo, long_side)
    return max(MIN_SIDE, width), max(MIN_SIDE, height)

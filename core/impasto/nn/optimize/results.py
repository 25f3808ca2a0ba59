"""What an optimisation tells on the way, and what it makes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from impasto.images import Pixels, Size


@dataclass(frozen=True)
class Progress:
    """How far an optimisation is.

    Attributes:
        step, total_steps: over all scales.
        size: width and height, px, that is being painted.
        content, style, total: the relative losses, and the weighted sum with smoothness.
        seconds_left: at the speed so far.
        notes: what was done otherwise than asked for, in words.
        picture: makes the picture as it is now, [h, w, 3] at the size that is being painted.
        checkpoint: makes what `optimize` takes as `state`, to go on from here in another process.
    """

    step: int
    total_steps: int
    size: Size
    content: float
    style: float
    total: float
    seconds_left: float
    notes: tuple[str, ...]
    picture: Callable[[], Pixels] = field(repr=False)
    checkpoint: Callable[[], bytes] = field(repr=False)


@dataclass(frozen=True)
class Optimized:
    """A photo, painted.

    Attributes:
        pixels: [H, W, 3], as large as the photo.
        working_size: width and height, px, that it was optimised at.
        steps: that were taken.
        notes: what was done otherwise than asked for, in words.
    """

    pixels: Pixels = field(repr=False)
    working_size: Size
    steps: int
    notes: tuple[str, ...]

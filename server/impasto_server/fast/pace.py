"""How long an engine takes, learnt from how long it took; and how large a batch it gains by."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

_NEWS = 0.2  # the weight of the latest run in the mean
_UNKNOWN = 0.05  # s a picture, before anything has been painted
_LARGEST_BATCH = 32
_LEAST_GAIN = 0.15  # of the time per picture, for twice the batch: less is not worth the wait for the others
_TRIES = 5  # of which the fastest counts: others may keep the machine busy meanwhile


class Pace:
    """The seconds a picture that a transformer has lately taken, by the picture's size. Any thread may ask and tell.

    Sizes are told apart by powers of two of their pixels; one not met yet is guessed from the nearest, in proportion.
    """

    def __init__(self) -> None:
        self._seconds: dict[str, dict[int, float]] = {}  # by the transformer, and then by the class of the size

    def note(self, transformer: str, pixels: int, seconds: float) -> None:
        """Learn from a run.

        Args:
            transformer: its digest.
            pixels: of one picture.
            seconds: the run took, for each of its pictures.
        """
        size = _class(pixels)
        at_class = seconds * 2**size / pixels
        known = self._seconds.setdefault(transformer, {})
        before = known.get(size, at_class)
        known[size] = before + _NEWS * (at_class - before)

    def forget(self, transformer: str) -> None:
        """Forget what a transformer takes, whose engine is closed."""
        self._seconds.pop(transformer, None)

    def seconds(self, transformer: str, pixels: int) -> float:
        """Return how long a picture will probably take."""
        wanted = _class(pixels)
        known = dict(self._seconds.get(transformer, {}))  # in one step, for others may be telling
        if not known:
            return _UNKNOWN
        nearest = min(known, key=lambda size: abs(size - wanted))
        return known[nearest] * pixels / float(2**nearest)


def _class(pixels: int) -> int:
    return round(math.log2(pixels))


@dataclass(frozen=True)
class BatchSizes:
    """The largest batches that a transformer gains by on its device.

    Attributes:
        measured: pixels of a picture -> how many of such at once.
        most_pixels: that a batch may have, so that its memory is bounded.
    """

    measured: Mapping[int, int] = field(default_factory=dict)
    most_pixels: int = 2**21

    def most(self, pixels: int) -> int:
        """Return how many pictures of this many pixels to paint at once.

        The larger a picture, the less is gained: so the next larger size that was measured counts, and beyond them
        all, as many pixels as filled the device there.
        """
        larger = [size for size in self.measured if size >= pixels]
        if larger:
            found = self.measured[min(larger)]
        elif self.measured and self.measured[max(self.measured)] > 1:
            found = self.measured[max(self.measured)] * max(self.measured) // pixels
        else:
            found = 1
        return max(1, min(found, self.most_pixels // pixels))


def largest_batch_that_gains(seconds: Callable[[int], float], most: int = _LARGEST_BATCH) -> int:
    """Return how many pictures to paint at once, by trying 1, 2, 4 and so on while a picture takes less time.

    Args:
        seconds: paints so many pictures at once, and returns how long it took.
        most: to try.
    """
    best = 1
    while 2 * best <= most:
        # In turns, so that what else the machine does hits both alike.
        pairs = [(seconds(best), seconds(2 * best)) for _ in range(_TRIES)]
        alone, together = map(min, zip(*pairs, strict=True))
        if together / 2 > alone * (1 - _LEAST_GAIN):
            break
        best *= 2
    return best

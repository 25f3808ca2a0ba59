"""How long to wait before something is tried again."""

from __future__ import annotations

import random

_FIRST = 0.25  # s
_LONGEST = 15.0  # s


class Backoff:
    """Pauses that double, with a random part so that processes do not come back all at once."""

    def __init__(self) -> None:
        self._pause = _FIRST

    def next(self) -> float:
        """Return how long to wait now, s."""
        pause, self._pause = self._pause, min(2 * self._pause, _LONGEST)
        return round(pause * random.uniform(0.75, 1.25), 3)  # noqa: S311

    def reset(self) -> None:
        """Begin again with the shortest: it has worked."""
        self._pause = _FIRST

"""What a worker counts of itself, as those see it who have something to count."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from impasto_worker.painting import Order, Paint, Painted, Picture


class Measure(Protocol):
    """Counts."""

    def paints_on(self, device: str, perception: str) -> None:
        """Note where pictures are optimised, and by which perception unless a job asks for another."""

    def store(self, reachable: bool) -> None:
        """Note whether the store answered."""

    def begun(self) -> None:
        """Note that there is a job in hand."""

    def ended(self, outcome: str, seconds: float) -> None:
        """Note that there is none any more.

        Args:
            outcome: one of `attempt.Outcome`'s values.
            seconds: for which there was.
        """

    def step(self) -> None:
        """Count a step of the optimisation."""


class Unmeasured:
    """Counts nothing: where nobody can ask."""

    def paints_on(self, device: str, perception: str) -> None:
        """Do nothing."""

    def store(self, reachable: bool) -> None:
        """Do nothing."""

    def begun(self) -> None:
        """Do nothing."""

    def ended(self, outcome: str, seconds: float) -> None:
        """Do nothing."""

    def step(self) -> None:
        """Do nothing."""


class Counted:
    """A painter whose steps are counted.

    Args:
        paint: the painter.
        measure: counts them.
    """

    def __init__(self, paint: Paint, measure: Measure) -> None:
        self._paint = paint
        self._measure = measure

    def __call__(
        self, order: Order, *, on_progress: Callable[[Painted], None], interrupted: Callable[[], bool]
    ) -> Picture:
        def told(painted: Painted) -> None:
            self._measure.step()
            on_progress(painted)

        return self._paint(order, on_progress=told, interrupted=interrupted)

"""Watching a training for divergence: what it did is undone, and tried again at half the rate."""

from __future__ import annotations

import math
import statistics
from collections import deque
from typing import Any

from impasto.errors import TrainingError

_EXPLODED = 4.0  # times the median of the totals
_PATIENCE = 20  # steps in a row that are so high
_MEDIAN_OF = 101  # totals
_MOST_ROLLBACKS = 5
_STEEPEST = 1e6  # norm of a gradient; those of steps that train are below 100


def leads_on(gradient_norm: float) -> bool:
    """Return whether a step may be taken along a gradient, by its norm.

    A picture of one colour has next to no variance in any layer. Each of the instance norms then makes the gradient
    some thirty times as steep (one over the root of its epsilon), until it is beyond all numbers. The loss of such a
    step is in order, and so is the network: only the step is not to be taken.
    """
    return gradient_norm <= _STEEPEST


class Guard:
    """Judges each step by its total and its gradient.

    Attributes:
        rollbacks: how often the training went back to an earlier state; each time halved the rate.
        suspicious: how many steps in a row had a total that is too high.
        passed_over: how many steps had a gradient that leads nowhere.
    """

    def __init__(self) -> None:
        self.rollbacks = 0
        self.suspicious = 0
        self.passed_over = 0
        self._steep = 0  # of these, in a row
        self._totals: deque[float] = deque(maxlen=_MEDIAN_OF)

    @property
    def rate_factor(self) -> float:
        """What the recipe's learning rate is multiplied by."""
        return 0.5**self.rollbacks

    def judge(self, total: float, gradient_norm: float) -> str | None:
        """Return what is wrong with this step if the training has diverged, else None."""
        if not math.isfinite(total):
            return f"the loss is {total}"
        steep = not leads_on(gradient_norm)
        self.passed_over += steep
        self._steep = self._steep + 1 if steep else 0
        if self._steep >= _PATIENCE:
            return f"for {_PATIENCE} steps the gradient led nowhere, its norm last {gradient_norm:.4g}"
        usual = statistics.median(self._totals) if len(self._totals) >= _PATIENCE else math.inf
        high = total > _EXPLODED * usual
        self.suspicious = self.suspicious + 1 if high else 0
        if self.suspicious >= _PATIENCE:
            times = f"{_EXPLODED:g} times its median {usual:.4g}"
            return f"for {_PATIENCE} steps the loss was above {times}, last {total:.4g}"
        if not high:
            self._totals.append(total)
        return None

    def roll_back(self, wrong: str) -> None:
        """Count a return to an earlier state.

        Args:
            wrong: what `judge` said.

        Raises:
            TrainingError: it has happened too often.
        """
        if self.rollbacks == _MOST_ROLLBACKS:
            raise TrainingError(
                f"diverged again after {_MOST_ROLLBACKS} returns at ever half the rate: {wrong}; "
                "go on from the last checkpoint with --resume and a lower --learning-rate or --style-weight"
            )
        self.rollbacks += 1
        self.suspicious = self._steep = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the state for a checkpoint, JSON-ready."""
        return {
            "rollbacks": self.rollbacks,
            "suspicious": self.suspicious,
            "passed_over": self.passed_over,
            "steep": self._steep,
            "totals": list(self._totals),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over the state from a checkpoint."""
        self.rollbacks = int(state["rollbacks"])
        self.suspicious = int(state["suspicious"])
        self.passed_over = int(state.get("passed_over", 0))  # checkpoints from before steps were passed over have none
        self._steep = int(state.get("steep", 0))
        self._totals.extend(state["totals"])

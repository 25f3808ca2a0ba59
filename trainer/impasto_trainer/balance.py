"""A style weight for each style, found while training.

What users see as the strength of a style is how much of the photo it costs, and at one weight that differs between
paintings several times. So the content is a budget: the style term is minimised subject to a content fraction, and the
weight is the multiplier of that constraint, raised while there is budget left and lowered when it is overdrawn (dual
ascent; Boyd & Vandenberghe 2004, "Convex Optimization", section 5.4.4).
"""

from __future__ import annotations

import torch
from torch import Tensor

from impasto_trainer.ranks import Ranks

_RATE = 0.03  # by how much of its logarithm a weight moves for a photo that misses the budget by all of it
_RANGE = (0.25, 20.0)  # times the weight that the recipe begins with


class Balance:
    """The styles' weights.

    Attributes:
        weights: [S].
    """

    def __init__(self, start: float, budgets: Tensor | None, styles: int, device: torch.device) -> None:
        """Begin.

        Args:
            start: every style's weight at first.
            budgets: [S], the content term that each style may cost; None: the weights stay as they are.
            styles: S.
            device: where to compute.
        """
        self.weights = torch.full((styles,), start, device=device)
        self.budgets = budgets
        self._range = tuple(start * factor for factor in _RANGE)

    def update(self, shares: Tensor, strength: Tensor, content: Tensor, ranks: Ranks) -> None:
        """Move the weights by what a step cost.

        Args:
            shares: [N, S], the styles' shares in each photo's code.
            strength: [N]; what is below 1 has a budget of its own and does not count.
            content: [N], the content term of each.
            ranks: the processes that share the step.
        """
        if self.budgets is None:
            return
        counted = shares * (strength == 1).float()[:, None]
        left = (self.budgets - content[:, None]) / self.budgets
        change = (counted * left.clamp(-1, 1)).sum(0) * ranks.count
        ranks.average([change])
        self.weights = (self.weights * torch.exp(_RATE * change)).clamp(*self._range)

    def restore(self, weights: list[float]) -> None:
        """Take over the weights from a checkpoint."""
        self.weights = torch.tensor(weights, device=self.weights.device)

"""Adam on the pixels of one picture (Kingma & Ba 2015): where L-BFGS fails, and for who asks for it."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from impasto.nn.optimize.lbfgs import NoDescent
from impasto.nn.optimize.objective import Evaluation

RATE = 0.01  # of the range 0..1, a step


class Adam:
    """The state of a descent.

    Attributes:
        picture: [1, 3, H, W], where it has come to.
        here: the objective a step before.
        trials: of a step; there is no line search.
    """

    name = "adam"
    trials = 1

    _before: Tensor
    _pixels: Tensor
    _optimizer: torch.optim.Adam

    def __init__(self, picture: Tensor) -> None:
        self.here: Evaluation | None = None
        self._begin(picture)

    @property
    def picture(self) -> Tensor:
        return self._pixels.detach()

    def step(self, objective: Callable[[Tensor], Evaluation]) -> Evaluation:
        """Go on by one step, and return the objective where it began.

        Raises:
            NoDescent: the objective is not finite; the picture is the last where it was.
        """
        here = objective(self.picture)
        if not math.isfinite(here.total):
            self._begin(self._before)
            raise NoDescent
        self._before, self.here = self.picture.clone(memory_format=torch.preserve_format), here
        self._pixels.grad = here.gradient
        self._optimizer.step()
        return here

    def resize(self, picture: Tensor) -> None:
        """Go on at another size, from this picture [1, 3, H, W]."""
        self.here = None
        self._begin(picture)

    def state(self) -> dict[str, Tensor]:
        """Return what `restore` reads."""
        kept = self._optimizer.state.get(self._pixels, {})
        return {"before": self._before} | {name: torch.as_tensor(value) for name, value in kept.items()}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take over what `state` returned."""
        self._before = state["before"]
        kept = {name: value for name, value in state.items() if name != "before"}
        if kept:
            self._optimizer.state[self._pixels] = kept

    def _begin(self, picture: Tensor) -> None:
        self._before = picture.detach()
        self._pixels = picture.detach().clone(memory_format=torch.preserve_format).requires_grad_()
        self._optimizer = torch.optim.Adam([self._pixels], lr=RATE)

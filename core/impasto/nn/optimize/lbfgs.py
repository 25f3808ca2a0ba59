"""L-BFGS on the pixels of one picture (Nocedal & Wright 2006, algorithms 7.4 and 7.5).

Departures: the two-loop recursion's initial matrix is a multiple of a `Preconditioner`, not of the identity; the line
search only backtracks (Armijo, with a parabola's minimum as the next trial), since a whole step is taken nearly always
and each trial costs a pass through the perception; a pair of no positive curvature is left out. The picture is never
clamped on the way, which would corrupt the curvature.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.nn.optimize.objective import Evaluation
from impasto.nn.optimize.preconditioner import Preconditioner

HISTORY = 10  # pairs
CARRIED = 3  # pairs, the newest, that go along to the next scale
_FIRST_MOVE = 0.02  # of the range 0..1, root mean square of the first step
_ENOUGH = 1e-4  # of the decrease that the slope promises
_TRIALS = 8  # of one line search
_FLAT = 1e-10  # curvature, over the gradients' squared change, below which a pair tells nothing


class NoDescent(Exception):
    """No step along the steepest slope makes the objective smaller, or it is not finite."""


class LBFGS:
    """The state of a descent.

    Attributes:
        picture: [1, 3, H, W], the best so far.
        here: the objective there; None before the first step.
        trials: of the last step's line search.
    """

    name = "lbfgs"

    def __init__(self, picture: Tensor) -> None:
        self.picture = picture
        self.trials = 0
        self.here: Evaluation | None = None
        self._moves: list[Tensor] = []
        self._turns: list[Tensor] = []  # the gradients' changes
        self._precondition = Preconditioner(picture)

    def step(self, objective: Callable[[Tensor], Evaluation]) -> Evaluation:
        """Go on by one step, and return the objective where it ends.

        Raises:
            NoDescent: see there.
        """
        here = self.here = self.here or objective(self.picture)
        if not math.isfinite(here.total):
            raise NoDescent
        if not here.gradient.any():
            return here
        found = self._search(objective, here, self._direction(here.gradient))
        if found is None and self._moves:
            self._forget()
            found = self._search(objective, here, self._direction(here.gradient))
        if found is None:
            raise NoDescent
        picture, there = found
        self._remember(picture - self.picture, there.gradient - here.gradient)
        self.picture, self.here = picture, there
        return there

    def resize(self, picture: Tensor) -> None:
        """Go on at another size, from this picture [1, 3, H, W], with the newest of what has been learnt.

        Enlarged k times, a move keeps its values, and a gradient, being by pixels, has 1 / k of them.
        """
        share = self.picture.numel() / picture.numel()
        size = picture.shape[2:]
        self._moves = [_resized(move, size) for move in self._moves[-CARRIED:]]
        self._turns = [_resized(turn, size) * share for turn in self._turns[-CARRIED:]]
        self.picture, self.here = picture, None
        self._precondition = Preconditioner(picture)

    def state(self) -> dict[str, Tensor]:
        """Return what `restore` reads."""
        moves = {f"move{k}": value for k, value in enumerate(self._moves)}
        turns = {f"turn{k}": value for k, value in enumerate(self._turns)}
        return moves | turns | self._precondition.state()

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take over what `state` returned."""
        count = sum(name.startswith("move") for name in state)
        self._moves = [state[f"move{k}"] for k in range(count)]
        self._turns = [state[f"turn{k}"] for k in range(count)]
        self._precondition.restore(state)

    def _direction(self, gradient: Tensor) -> Tensor:
        direction = gradient.clone()
        pairs = [(move, turn, 1 / (move * turn).sum()) for move, turn in zip(self._moves, self._turns, strict=True)]
        shares = []
        for move, turn, rho in reversed(pairs):
            share = rho * (move * direction).sum()
            direction -= share * turn
            shares.append(share)
        direction = self._precondition(direction)
        if pairs:
            move, turn, rho = pairs[-1]
            direction /= rho * self._precondition.norm(turn)
        else:
            direction *= _FIRST_MOVE * math.sqrt(direction.numel()) / direction.norm()
        for (move, turn, rho), share in zip(pairs, reversed(shares), strict=True):
            direction += move * (share - rho * (turn * direction).sum())
        return direction.neg_()

    def _search(
        self, objective: Callable[[Tensor], Evaluation], here: Evaluation, direction: Tensor
    ) -> tuple[Tensor, Evaluation] | None:
        slope = (here.gradient * direction).sum().item()
        length, self.trials = 1.0, 0
        while slope < 0 and self.trials < _TRIALS:
            self.trials += 1
            picture = self.picture + length * direction
            there = objective(picture)
            rise = there.total - here.total - length * slope
            if math.isfinite(there.total) and rise <= (_ENOUGH - 1) * length * slope:
                return picture, there
            lowest = -0.5 * slope * length**2 / rise if math.isfinite(rise) and rise > 0 else 0.0
            length = min(max(lowest, 0.1 * length), 0.5 * length)
        return None

    def _remember(self, move: Tensor, turn: Tensor) -> None:
        if (move * turn).sum() > _FLAT * turn.square().sum():
            self._moves = [*self._moves, move][-HISTORY:]
            self._turns = [*self._turns, turn][-HISTORY:]
        self._precondition.learn(move, turn)

    def _forget(self) -> None:
        self._moves, self._turns = [], []
        self._precondition = Preconditioner(self.picture)


def _resized(image: Tensor, size: torch.Size) -> Tensor:
    larger = F.interpolate(image, size=list(size), mode="bilinear", align_corners=False)
    return larger.contiguous(memory_format=torch.channels_last)

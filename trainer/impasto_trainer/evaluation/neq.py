"""N_eq: what a painted photo is worth in iterations of the optimisation that it replaces.

Johnson et al. 2016, section 4.1 and figure 5: for how many iterations must L-BFGS optimise the pixels of a picture
(Gatys et al. 2016) until the objective is as low as in the picture that the network painted at once? They start from
noise; a start from the photo is stricter, since much of the objective is content. The objective is the one that the
network was trained for: relative content, style and smoothness with the weights in its bundle. The training's other
terms (its grid, its stability) are left out, since they are about networks alone.

An iteration is one direction of L-BFGS with all that its line search takes (strong Wolfe conditions: Nocedal & Wright
2006, algorithm 3.5), little more than one evaluation as a rule. The picture is not kept in 0..1 on the way: to clamp it
would corrupt the curvature that L-BFGS goes by.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from impasto.backbones import CONTENT_LAYERS
from impasto.errors import BundleError
from impasto.nn.losses import content_loss, style_loss, total_variation
from impasto.nn.perception import Perception

HISTORY = 10  # pairs; 100, as some take, cost ten times the memory and gain nothing here
NOISE_CAP = 150  # iterations, after which N_eq is given as this or more
PHOTO_CAP = 60
_FIRST_STEP = 0.02  # of the range 0..1, a pixel's mean move in the first iteration's first trial


@dataclass(frozen=True)
class Weights:
    """What the terms of an objective weigh."""

    content: float
    style: float
    tv: float

    @classmethod
    def of(cls, training: Mapping[str, Any], style: str) -> Weights:
        """Return what a style was trained with, from the record of its training.

        Raises:
            BundleError: the record lacks them.
        """
        try:
            recipe = training["recipe"]
            weight = training.get("style_weights", {}).get(style, recipe["style_weight"])
            return cls(float(recipe["content_weight"]), float(weight), float(recipe["tv_weight"]))
        except (KeyError, TypeError, ValueError) as error:
            raise BundleError(f"the record of the training lacks a weight of style {style!r}: {error}") from error


class Objective:
    """Weighs any picture against one photo and one painting."""

    def __init__(
        self, perception: Perception, content: Mapping[str, Tensor], grams: Mapping[str, Tensor], weights: Weights
    ) -> None:
        """Take the photo's features and the painting's Gram matrices, both by layer, as targets."""
        self.perception = perception
        self.content = content
        self.grams = grams
        self.weights = weights

    def __call__(self, picture: Tensor) -> Tensor:
        """Return the weighted sum [1] of the terms of a picture [1, 3, H, W]."""
        features = self.perception(picture, (*CONTENT_LAYERS, *self.grams))
        return (
            self.weights.content * content_loss(features, self.content)
            + self.weights.style * style_loss(features, self.grams)
            + self.weights.tv * total_variation(picture)
        )

    @torch.no_grad()
    def value(self, picture: Tensor) -> float:
        return float(self(picture))


@dataclass(frozen=True)
class Reached:
    """When a path came down to a value.

    Attributes:
        iterations: how many it took; None where it did not get there.
        evaluations: of the objective and its gradient, until then or until it was given up.
    """

    iterations: int | None
    evaluations: int


class Descent:
    """L-BFGS on the pixels of one picture, computed as far as somebody asks.

    Attributes:
        values: the objective at the start and after each iteration.
        evaluations: how many of the objective and its gradient each of these took in all.
    """

    def __init__(self, objective: Objective, start: Tensor) -> None:
        """Begin at a picture [1, 3, H, W]."""
        self.objective = objective
        # torch.optim.LBFGS makes its first trial a step whose absolute values add up to 1.
        self.unit = _FIRST_STEP * start.numel()
        self.picture = (start / self.unit).requires_grad_()
        self.optimizer = torch.optim.LBFGS(
            [self.picture],
            max_iter=1,
            max_eval=100,
            history_size=HISTORY,
            tolerance_grad=0,
            tolerance_change=0,
            line_search_fn="strong_wolfe",
        )
        self._count = 0
        self._last: tuple[Tensor, float, Tensor] | None = None  # picture, value, gradient
        self.values = [self._evaluate()]
        self.evaluations = [self._count]

    def reach(self, value: float, cap: int) -> Reached:
        """Return when the objective is at or below a value, looking at no more than `cap` iterations."""
        for iteration in range(cap + 1):
            if iteration == len(self.values) and not self._advance():
                break
            if self.values[iteration] <= value:
                return Reached(iteration, self.evaluations[iteration])
        return Reached(None, self.evaluations[-1])

    def _advance(self) -> bool:
        """Go on by one iteration, unless the last one changed nothing."""
        if len(self.values) > 1 and self.values[-1] == self.values[-2]:
            return False
        self.optimizer.step(self._evaluate)  # type: ignore[no-untyped-call]
        self.values.append(self._evaluate())
        self.evaluations.append(self._count)
        return True

    def _evaluate(self) -> float:
        """Set the gradient and return the value; each call of the optimiser begins where the last one ended."""
        if self._last is None or not torch.equal(self._last[0], self.picture):
            total = self.objective(self.picture * self.unit).sum()
            (gradient,) = torch.autograd.grad(total, self.picture)
            self._last = (self.picture.detach().clone(), total.item(), gradient)
            self._count += 1
        _, value, gradient = self._last
        self.picture.grad = gradient.clone()
        return value


def noise_like(picture: Tensor) -> Tensor:
    """Return white noise of the picture's shape, in 0..1, the same in every run."""
    generator = torch.Generator().manual_seed(0)
    return torch.rand(picture.shape, generator=generator).to(picture)

"""The descents find minima, carry on elsewhere, and say when there is no way on."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from impasto.nn.optimize.adam import Adam
from impasto.nn.optimize.lbfgs import LBFGS, NoDescent
from impasto.nn.optimize.objective import Evaluation

Objective = Callable[[Tensor], Evaluation]


def picture(*size: int, seed: int = 0) -> Tensor:
    values = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(seed))
    return values.contiguous(memory_format=torch.channels_last)


def bowl(target: Tensor) -> Objective:
    """Return an objective that is 0 at `target`, and a hundred times steeper in one colour than in another."""
    steepness = torch.tensor([100.0, 10.0, 1.0])[:, None, None]

    def objective(x: Tensor) -> Evaluation:
        off = x - target
        total = (steepness * off.square()).mean().item()
        return Evaluation(total, total, 0.0, 2 * steepness * off / off.numel())

    return objective


def test_lbfgs_reaches_the_bottom_of_a_bowl_in_a_few_steps() -> None:
    target = picture(17, 23)
    descent = LBFGS(picture(17, 23, seed=1))

    totals = [descent.step(bowl(target)).total for _ in range(30)]

    assert totals == sorted(totals, reverse=True)
    assert totals[-1] < 1e-3 * totals[0]


def test_adam_comes_near_it() -> None:
    target = picture(17, 23)
    descent = Adam(picture(17, 23, seed=1))

    totals = [descent.step(bowl(target)).total for _ in range(150)]

    assert totals[-1] < 0.02 * totals[0]


@pytest.mark.parametrize("kind", [LBFGS, Adam])
def test_what_was_saved_goes_on_as_if_nothing_had_happened(kind: type[LBFGS] | type[Adam]) -> None:
    objective = bowl(picture(8, 8))
    whole = kind(picture(8, 8, seed=1))
    for _ in range(5):
        whole.step(objective)
    second = kind(whole.picture)
    second.restore({name: value.clone() for name, value in whole.state().items()})

    for _ in range(5):
        whole.step(objective)
        second.step(objective)

    assert torch.equal(whole.picture, second.picture)


def test_what_was_learnt_at_a_small_size_helps_at_the_next() -> None:
    small, large = picture(8, 8), torch.full((1, 3, 16, 16), 0.4)
    descent = LBFGS(picture(8, 8, seed=1))
    for _ in range(8):
        descent.step(bowl(small))

    descent.resize(picture(16, 16, seed=2))
    first = bowl(large)(descent.picture).total
    second = descent.step(bowl(large)).total

    fresh = LBFGS(picture(16, 16, seed=2))
    assert second < fresh.step(bowl(large)).total < first


def test_no_way_on_is_said_and_the_best_picture_kept() -> None:
    start = picture(8, 8)
    slope = torch.ones_like(start)

    def uphill(x: Tensor) -> Evaluation:
        higher = 1.0 + (x - start).abs().sum().item()
        return Evaluation(higher, higher, 0.0, slope)

    descent = LBFGS(start)
    with pytest.raises(NoDescent):
        descent.step(uphill)

    assert torch.equal(descent.picture, start)


@pytest.mark.parametrize("kind", [LBFGS, Adam])
def test_an_objective_that_is_not_finite_is_no_descent(kind: type[LBFGS] | type[Adam]) -> None:
    def broken(x: Tensor) -> Evaluation:
        return Evaluation(math.nan, math.nan, 0.0, torch.full_like(x, math.nan))

    with pytest.raises(NoDescent):
        kind(picture(8, 8)).step(broken)


def test_a_trial_that_is_not_finite_is_shortened() -> None:
    target = picture(8, 8)
    inner = bowl(target)
    start = picture(8, 8, seed=1)

    def cliff(x: Tensor) -> Evaluation:
        if (x - start).abs().max() > 0.01:
            return Evaluation(math.inf, math.inf, 0.0, torch.zeros_like(x))
        return inner(x)

    descent = LBFGS(start)

    assert descent.step(cliff).total < inner(start).total


def test_at_the_bottom_it_stays_where_it_is() -> None:
    target = picture(8, 8)
    descent = LBFGS(target)

    assert descent.step(bowl(target)).total == 0
    assert torch.equal(descent.picture, target)

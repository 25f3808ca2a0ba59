from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from impasto import images
from impasto.backbones import CONTENT_LAYERS, STYLE_LAYERS
from impasto.errors import BundleError
from impasto.nn.perception import load_perception
from impasto_trainer.evaluation.judge import Eye
from impasto_trainer.evaluation.neq import Descent, Objective, Weights, noise_like
from tests.support import gradient


class Valley(Objective):
    """A long narrow valley in place of a painting, whose lowest point is a given picture."""

    def __init__(self, lowest: Tensor) -> None:
        self.lowest = lowest
        self.slopes = torch.logspace(0, 3, lowest.numel()).view_as(lowest)

    def __call__(self, picture: Tensor) -> Tensor:
        return (self.slopes * (picture - self.lowest).square()).mean().view(1)


def a_picture() -> Tensor:
    return torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def test_a_descent_falls_and_counts_iterations_to_each_value() -> None:
    descent = Descent(Valley(a_picture()), torch.zeros(1, 3, 8, 8))
    start = descent.values[0]

    far = descent.reach(start * 1e-3, cap=60)
    near = descent.reach(start * 0.5, cap=60)

    assert descent.values == sorted(descent.values, reverse=True)
    assert near.iterations is not None
    assert far.iterations is not None
    assert 0 < near.iterations < far.iterations
    assert descent.values[far.iterations] <= start * 1e-3 < descent.values[far.iterations - 1]


def test_a_descent_goes_no_further_than_it_is_asked() -> None:
    descent = Descent(Valley(a_picture()), torch.zeros(1, 3, 8, 8))

    assert descent.reach(descent.values[0], cap=60).iterations == 0
    assert len(descent.values) == 1
    assert descent.reach(0.0, cap=3).iterations is None
    assert len(descent.values) == 4


def test_an_iteration_costs_little_more_than_one_evaluation() -> None:
    descent = Descent(Valley(a_picture()), torch.zeros(1, 3, 8, 8))
    reached = descent.reach(0.0, cap=20)
    assert 20 < reached.evaluations < 40


def test_a_descent_that_has_arrived_is_given_up() -> None:
    lowest = a_picture()
    reached = Descent(Valley(lowest), lowest).reach(-1.0, cap=1000)
    assert reached.iterations is None
    assert reached.evaluations < 10


def test_what_a_descent_reached_is_worth_as_many_iterations(random_vgg: Path) -> None:
    """Given the picture after three iterations, N_eq is three."""
    eye = Eye(load_perception({*CONTENT_LAYERS, *STYLE_LAYERS}, random_vgg), torch.device("cpu"))
    photo, painting = eye.see(gradient(32, 32)), eye.see(images.resize(gradient(8, 8)[::-1], 48, 48))
    objective = Objective(eye.perception, photo.content, painting.grams, Weights(content=1, style=2, tv=10))
    start = noise_like(eye.tensor(gradient(32, 32)))

    first = Descent(objective, start)
    first.reach(0.0, cap=3)
    reached = (first.picture * first.unit).detach()
    second = Descent(objective, start).reach(objective.value(reached) + 1e-6, cap=20)

    assert second.iterations == 3
    assert objective.value(reached) < 0.5 * objective.value(start)


def test_noise_is_white_and_the_same_each_time() -> None:
    noise = noise_like(torch.zeros(1, 3, 64, 64))
    assert torch.equal(noise, noise_like(torch.zeros(1, 3, 64, 64)))
    assert float(noise.std()) == pytest.approx(np.sqrt(1 / 12), rel=0.03)


def test_weights_come_from_the_record_of_the_training() -> None:
    recipe = {"content_weight": 1.0, "style_weight": 2.5, "tv_weight": 10.0}
    assert Weights.of({"recipe": recipe}, "ink") == Weights(1.0, 2.5, 10.0)
    assert Weights.of({"recipe": recipe, "style_weights": {"ink": 7.0}}, "ink") == Weights(1.0, 7.0, 10.0)
    assert Weights.of({"recipe": recipe, "style_weights": {"ink": 7.0}}, "gold") == Weights(1.0, 2.5, 10.0)


def test_a_record_without_weights_is_refused() -> None:
    with pytest.raises(BundleError, match=r"lacks a weight of style 'ink': 'style_weight'"):
        Weights.of({"recipe": {"content_weight": 1.0}}, "ink")
    with pytest.raises(BundleError, match="lacks a weight of style 'ink'"):
        Weights.of({}, "ink")

"""What an optimisation can be asked for, and what it cannot."""

from __future__ import annotations

import json
from typing import Any

import pytest

from impasto.errors import InvalidInput
from impasto.optimization import Optimization


def test_the_defaults_are_allowed_and_survive_json() -> None:
    asked = Optimization()

    assert Optimization.from_dict(json.loads(json.dumps(asked.to_dict()))) == asked


def test_everything_that_was_asked_for_survives_json() -> None:
    asked = Optimization(
        steps=7,
        content_weight=0,
        style_weight=1e8,
        tv_weight=0,
        content_layers=("relu3_1", "relu4_1"),
        style_layers=("relu2_2",),
        optimizer="adam",
        start="noise",
        pooling="average",
        style_scale=0.5,
        color="luminance",
        perception="vgg19",
        seed=3,
    )

    assert Optimization.from_dict(json.loads(json.dumps(asked.to_dict()))) == asked


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("steps", 0, "0 is out of range; give 1 to 10000"),
        ("steps", 1_000_000, "out of range; give 1 to 10000"),
        ("style_weight", -1.0, "-1 is out of range"),
        ("style_weight", float("nan"), "nan is out of range"),
        ("content_weight", float("inf"), "inf is out of range"),
        ("tv_weight", -0.1, "out of range"),
        ("style_scale", 0.0, "0 is out of range; give 0.1 to 4"),
        ("optimizer", "sgd", "'sgd' is unknown; give auto, lbfgs, adam"),
        ("start", "nowhere", "give photo, noise, fast"),
        ("pooling", "median", "give max, average"),
        ("color", "blue", "give painting, luminance, histogram"),
        ("perception", "vgg16", "give auto, vgg19, lowrank, compact"),
        ("content_layers", ("conv9",), "'conv9' is no layer; give some of relu1_1"),
        ("style_layers", (), "is empty; give at least one of relu1_1"),
        ("style_layers", ("relu1_1", "relu1_1"), "has a layer twice"),
        ("seed", -1, "out of range"),
    ],
)
def test_what_is_not_allowed_is_refused_by_name_with_what_is(field: str, value: Any, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Optimization(**{field: value})

    assert caught.value.field == f"optimization.{field}"
    assert said in caught.value.reason


def test_content_and_style_that_both_weigh_nothing_ask_for_nothing() -> None:
    with pytest.raises(InvalidInput, match="both weigh 0"):
        Optimization(content_weight=0, style_weight=0)


def test_a_layer_that_the_compact_perception_lacks_is_refused_where_that_is_asked_for() -> None:
    Optimization(style_layers=("relu3_4",))

    with pytest.raises(InvalidInput, match="'relu3_4' is no layer; give some of relu1_1, relu2_1"):
        Optimization(style_layers=("relu3_4",), perception="compact")

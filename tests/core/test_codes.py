"""Codes are blended and weakened exactly."""

from __future__ import annotations

import math

import numpy as np
import pytest

from impasto.codes import at_strength, blend, gate
from impasto.errors import InvalidInput
from tests.support import code


def test_the_gate_is_the_end_of_a_code() -> None:
    codes = np.arange(20, dtype=np.float32).reshape(2, 10)

    a, b = gate(codes)

    assert a.tolist() == [[4, 5, 6], [14, 15, 16]]
    assert b.tolist() == [[7, 8, 9], [17, 18, 19]]


@pytest.mark.parametrize(
    "weights",
    [(1, 3), (0.25, 0.75), (0.5e308, 1.5e308), (1e-308, 3e-308)],
    ids=["above 1", "shares", "huge", "tiny"],
)
def test_a_blend_is_the_mean_by_share(weights: tuple[float, float]) -> None:
    blended = blend([code(0, 1), code(1, 0)], weights)

    assert blended.dtype == np.float32
    assert np.allclose(blended, code(0.75, 0.25))


def test_one_style_alone_is_itself_at_any_weight() -> None:
    odd = code(0.1, 0.7)

    assert (blend([odd], [0.3]) == odd).all()


@pytest.mark.parametrize(
    ("weights", "reason"),
    [
        ((1.0, -0.5), "-0.5 is no weight"),
        ((1.0, math.nan), "nan is no weight"),
        ((math.inf, 1.0), "inf is no weight"),
        ((0.0, 0.0), "all weights are 0"),
    ],
)
def test_weights_that_mean_nothing_are_refused(weights: tuple[float, float], reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason) as caught:
        blend([code(0, 1), code(1, 0)], weights, field="blend.parts.weight")
    assert caught.value.field == "blend.parts.weight"


def test_a_blend_of_nothing_is_refused() -> None:
    with pytest.raises(InvalidInput, match="give at least one"):
        blend([], [])


def test_strength_runs_from_the_photo_to_all_paint() -> None:
    style, identity = code(0.1, 1e-8), code(1, 0)

    assert (at_strength(style, identity, 0) == identity).all()
    assert (at_strength(style, identity, 1) == style).all()
    assert np.allclose(at_strength(style, identity, 0.25), 0.75 * identity + 0.25 * style)


@pytest.mark.parametrize("strength", [-0.01, 1.01, math.nan, math.inf])
def test_a_strength_out_of_range_is_refused(strength: float) -> None:
    with pytest.raises(InvalidInput, match=f"{strength} is out of range; give 0") as caught:
        at_strength(code(0, 1), code(1, 0), strength)
    assert caught.value.field == "strength"

"""Where the device is faster in bfloat16 the way down goes in it, and the last of it in full precision."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from impasto.nn.optimize import Optimized, Progress, optimize, perception_for
from impasto.nn.optimize.objective import Evaluation, Objective
from impasto.optimization import Optimization
from tests.support import gradient

ASKED = Optimization(steps=8, perception="compact")
EYE = perception_for(ASKED)
PHOTO = gradient(72, 56)
PAINTING = np.random.default_rng(1).integers(0, 256, (50, 60, 3)).astype(np.uint8)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Have the device be faster in bfloat16; return whether each look at a picture was a rough one."""
    monkeypatch.setattr("torch.cpu._is_amx_tile_supported", lambda: True)
    looks: list[bool] = []
    weigh = Objective.__call__

    def watched(self: Objective, picture: object) -> Evaluation:
        looks.append(self.rough)
        return weigh(self, picture)  # type: ignore[arg-type]

    monkeypatch.setattr(Objective, "__call__", watched)
    return looks


@pytest.fixture
def noisy(monkeypatch: pytest.MonkeyPatch, looks: list[bool]) -> list[bool]:
    """Have a rough objective rise with every look from the fifth on, so that no search finds anything."""
    weigh = Objective.__call__

    def rising(self: Objective, picture: object) -> Evaluation:
        found = weigh(self, picture)  # type: ignore[arg-type]
        return replace(found, total=found.total + len(looks)) if self.rough and len(looks) >= 5 else found

    monkeypatch.setattr(Objective, "__call__", rising)
    return looks


def painted(state: bytes | None = None) -> tuple[Optimized, dict[int, bytes]]:
    states: dict[int, bytes] = {}

    def keep(at: Progress) -> None:
        states[at.step] = at.checkpoint()

    done = optimize(PHOTO, [(PAINTING, 1.0)], ASKED, perception=EYE, on_progress=keep, state=state)
    return done, states


def test_it_comes_as_far_as_in_full_precision(looks: list[bool], monkeypatch: pytest.MonkeyPatch) -> None:
    asked = replace(ASKED, steps=20)
    totals: list[float] = []

    optimize(PHOTO, [(PAINTING, 1.0)], asked, perception=EYE, on_progress=lambda at: totals.append(at.total))
    assert any(looks)
    monkeypatch.setattr("torch.cpu._is_amx_tile_supported", lambda: False)
    looks.clear()
    optimize(PHOTO, [(PAINTING, 1.0)], asked, perception=EYE, on_progress=lambda at: totals.append(at.total))

    assert not any(looks)
    assert totals[asked.steps - 1] < 1.1 * totals[-1]


def test_where_it_finds_no_way_on_it_looks_closely_and_does(noisy: list[bool]) -> None:
    done, states = painted()

    assert noisy[0]
    assert not noisy[-1]
    assert noisy == sorted(noisy, reverse=True)  # never rough again
    assert len(states) == ASKED.steps
    assert not done.notes


@pytest.mark.parametrize("stop", [2, 4, 6])
def test_a_checkpoint_knows_how_it_looked(noisy: list[bool], stop: int) -> None:
    whole, states = painted()

    noisy[:] = [True] * (5 if stop >= 4 else stop)
    resumed, _ = painted(states[stop])

    assert np.array_equal(whole.pixels, resumed.pixels)


def test_each_scale_begins_roughly(looks: list[bool]) -> None:
    optimize(gradient(230, 200), [(PAINTING, 1.0)], replace(ASKED, steps=4), perception=EYE)

    assert all(looks)

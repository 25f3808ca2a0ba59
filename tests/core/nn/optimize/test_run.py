"""A whole optimisation: small, with the compact perception that comes along."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.style_weight import rescaled
from impasto import images
from impasto.backbones import CONTENT_LAYERS, STYLE_LAYERS
from impasto.errors import CheckpointError, InvalidInput, OptimizationFailed
from impasto.images import Pixels
from impasto.nn.optimize import Interrupted, Optimized, Progress, memory, optimize, perception_for
from impasto.nn.optimize.objective import Evaluation, Objective
from impasto.nn.perception import load_perception
from impasto.optimization import Optimization
from tests.support import gradient

QUICK = Optimization(steps=6, perception="compact")
_BEFORE_CURVATURE = 4  # the last step before what was learnt of the curvature is used


def painting(width: int = 60, height: int = 50, seed: int = 1) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


def painted(
    photo: Pixels | None = None,
    paintings: Sequence[tuple[Pixels, float]] | None = None,
    asked: Optimization = QUICK,
    **options: Any,
) -> Optimized:
    photo = gradient(72, 56) if photo is None else photo
    paintings = [(painting(), 1.0)] if paintings is None else paintings
    return optimize(photo, paintings, asked, perception=perception_for(asked), **options)


def listening() -> tuple[list[Progress], Callable[[Progress], None]]:
    heard: list[Progress] = []
    return heard, heard.append


def test_a_photo_is_painted_at_its_own_size_and_every_step_is_told() -> None:
    heard, listen = listening()

    result = painted(on_progress=listen)

    assert result.pixels.shape == (56, 72, 3)
    assert result.working_size == (72, 56)
    assert not result.notes
    assert [progress.step for progress in heard] == [1, 2, 3, 4, 5, 6]
    assert heard[-1].total < heard[0].total
    assert heard[-1].seconds_left == 0


def test_more_style_weight_is_more_style_and_less_content() -> None:
    ends = []
    for weight in (1e4, 1e6, 1e8):
        heard, listen = listening()
        painted(asked=replace(QUICK, steps=25, style_weight=weight), on_progress=listen)
        ends.append(heard[-1])

    assert [end.style for end in ends] == sorted((end.style for end in ends), reverse=True)
    assert [end.content for end in ends] == sorted(end.content for end in ends)


def test_the_same_arguments_give_the_same_picture() -> None:
    asked = replace(QUICK, start="noise", seed=5)

    assert np.array_equal(painted(asked=asked).pixels, painted(asked=asked).pixels)
    assert not np.array_equal(painted(asked=asked).pixels, painted(asked=replace(asked, seed=6)).pixels)


@pytest.mark.parametrize("optimizer", ["auto", "lbfgs", "adam"])
@pytest.mark.parametrize("stop", [1, 4, 7])
def test_from_a_checkpoint_it_goes_on_to_the_very_same_picture(optimizer: str, stop: int) -> None:
    photo = gradient(230, 200)
    asked = replace(QUICK, steps=8, optimizer=optimizer)
    states: dict[int, bytes] = {}
    whole = painted(photo, asked=asked, on_progress=lambda at: states.update({at.step: at.checkpoint()}))
    heard, listen = listening()

    resumed = painted(photo, asked=asked, state=states[stop], on_progress=listen)

    assert heard[0].step == stop + 1
    assert np.array_equal(whole.pixels, resumed.pixels)


def test_the_picture_can_be_seen_while_it_is_painted() -> None:
    sizes = []

    painted(gradient(230, 200), on_progress=lambda at: sizes.append((at.size, at.picture().shape)))

    assert sizes[0] == ((115, 100), (100, 115, 3))
    assert sizes[-1] == ((230, 200), (200, 230, 3))


def test_it_stops_within_a_layer_when_asked_to() -> None:
    asked_so_often = 0

    def interrupted() -> bool:
        nonlocal asked_so_often
        asked_so_often += 1
        return asked_so_often > 60

    eye = perception_for(QUICK)
    with pytest.raises(Interrupted):
        optimize(gradient(), [(painting(), 1.0)], QUICK, perception=eye, interrupted=interrupted)

    assert asked_so_often == 61
    assert optimize(gradient(), [(painting(), 1.0)], QUICK, perception=eye).steps == 6


@pytest.mark.parametrize("start", ["photo", "noise", "fast"])
@pytest.mark.parametrize("color", ["painting", "luminance", "histogram"])
def test_every_start_and_colour_paints(start: str, color: str) -> None:
    result = painted(asked=replace(QUICK, start=start, color=color, pooling="average"), fast=lambda photo: 255 - photo)

    assert result.pixels.std() > 10


def test_the_fast_start_begins_with_what_the_trained_style_makes() -> None:
    still = replace(QUICK, steps=1, style_weight=0, tv_weight=0, content_weight=1e-6)
    heard, listen = listening()

    painted(asked=still, fast=lambda photo: 255 - photo, on_progress=listen)
    photo_loss = heard[-1].content
    painted(asked=replace(still, start="fast"), fast=lambda photo: 255 - photo, on_progress=listen)

    assert photo_loss == 0
    assert heard[-1].content > 0.1


def test_paintings_are_mixed_by_weight_and_those_of_weight_0_count_for_nothing() -> None:
    one, other = painting(), gradient(60, 50)

    alone = painted(paintings=[(one, 1.0)])

    assert np.array_equal(painted(paintings=[(one, 3.0), (other, 0.0)]).pixels, alone.pixels)
    assert not np.array_equal(painted(paintings=[(one, 1.0), (other, 1.0)]).pixels, alone.pixels)


@pytest.mark.parametrize(
    "style",
    [
        painting(16, 16),
        painting(1500, 20),
        np.full((40, 40, 3), 127, np.uint8),
        gradient(72, 56),
    ],
    ids=["tiny", "a strip", "grey", "the photo itself"],
)
def test_odd_paintings_paint(style: Pixels) -> None:
    assert painted(paintings=[(style, 1.0)]).pixels.shape == (56, 72, 3)


def test_content_alone_leaves_the_photo_as_it_is() -> None:
    photo = gradient(72, 56)

    result = painted(photo, asked=replace(QUICK, steps=50, style_weight=0, tv_weight=0))

    assert np.array_equal(result.pixels, photo)
    assert result.steps == 50


def test_a_working_size_paints_small_and_gives_the_photos_size_back() -> None:
    result = painted(gradient(200, 100), working_size=64)

    assert result.working_size == (64, 32)
    assert result.pixels.shape == (100, 200, 3)


def test_what_does_not_fit_the_memory_is_painted_smaller_and_said() -> None:
    eye = perception_for(QUICK)
    budget = memory.estimate(eye, 100 * 100, 400 * 400)

    result = optimize(gradient(400, 400), [(painting(), 1.0)], QUICK, perception=eye, memory=budget)

    assert 90 <= result.working_size[0] <= 100
    assert result.pixels.shape == (400, 400, 3)
    assert "400x400 px would take" in result.notes[0]


def test_running_out_of_memory_goes_on_smaller_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Objective.__call__
    heard, listen = listening()

    def short_of_memory(self: Objective, picture: torch.Tensor) -> Evaluation:
        if picture.shape[3] > 200:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes")
        return real(self, picture)

    monkeypatch.setattr(Objective, "__call__", short_of_memory)
    result = painted(gradient(230, 200), on_progress=listen)

    assert result.working_size == (161, 140)
    assert "memory ran out at step 4" in result.notes[0]
    assert [progress.step for progress in heard][-1] == 6
    assert result.pixels.shape == (200, 230, 3)


def test_an_error_of_another_kind_is_not_taken_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Objective, picture: torch.Tensor) -> Evaluation:
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(Objective, "__call__", broken)

    with pytest.raises(RuntimeError, match="shapes do not match"):
        painted()


def failing_after(count: int, *, then: float) -> Callable[[Objective, torch.Tensor], Evaluation]:
    real, calls = Objective.__call__, 0

    def evaluate(self: Objective, picture: torch.Tensor) -> Evaluation:
        nonlocal calls
        calls += 1
        found = real(self, picture)
        return found if calls <= count or calls > count + 16 else replace(found, total=then)

    return evaluate


@pytest.mark.parametrize("total", [float("nan"), float("inf"), 1e9])
def test_auto_goes_on_with_adam_where_lbfgs_fails_and_says_so(monkeypatch: pytest.MonkeyPatch, total: float) -> None:
    monkeypatch.setattr(Objective, "__call__", failing_after(4, then=total))

    result = painted(asked=replace(QUICK, steps=8))

    assert result.steps == 8
    assert "L-BFGS found no way on at step 3: Adam took over, at a rate of 0.01" in result.notes


def test_an_objective_that_is_never_finite_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Objective, "__call__", failing_after(0, then=float("nan")))

    with pytest.raises(InvalidInput, match="style_weight: 500000 makes an objective that is not finite"):
        painted(asked=replace(QUICK, optimizer="lbfgs"))


def test_a_picture_for_which_there_is_no_memory_however_small_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def short_of_memory(self: Objective, picture: torch.Tensor) -> Evaluation:
        raise MemoryError

    monkeypatch.setattr(Objective, "__call__", short_of_memory)

    with pytest.raises(OptimizationFailed, match="not even memory for a picture of 32 px"):
        painted()


def test_12_megapixels_can_be_asked_for_on_a_budget_of_4_gib() -> None:
    """That the peak stays below it, `benchmarks.optimize` measures."""
    photo = images.resize(gradient(), 4000, 3000)
    asked = replace(QUICK, steps=1, start="noise")
    heard: list[Progress] = []

    class Enough(Exception):
        pass

    def listen(at: Progress) -> None:
        heard.append(at)
        raise Enough

    with pytest.raises(Enough):
        painted(photo, asked=replace(asked, steps=3), memory=4 * 2**30, on_progress=listen)

    assert "4000x3000 px would take" in heard[0].notes[0]
    assert "4.0 GiB are allowed" in heard[0].notes[0]
    assert heard[0].total_steps == 3


@pytest.mark.parametrize("scale", [0.02, 50.0])
def test_a_style_weight_means_the_same_at_any_scale_of_the_activations(scale: float) -> None:
    """Torchvision's VGG-19 and the original differ fifty times; a plain network is scaled here, the compact one."""
    asked = replace(QUICK, steps=12)
    plain, other_scale = (load_perception((*CONTENT_LAYERS, *STYLE_LAYERS), name="compact") for _ in range(2))

    runs: list[list[tuple[Pixels, Progress]]] = []
    for eye in (plain, rescaled(other_scale, scale)):
        run: list[tuple[Pixels, Progress]] = []
        optimize(
            gradient(72, 56),
            [(painting(), 1.0)],
            asked,
            perception=eye,
            on_progress=lambda at, run=run: run.append((at.picture(), at)),  # type: ignore[misc]
        )
        runs.append(run)

    one, other = (run[_BEFORE_CURVATURE][0].astype(int) for run in runs)
    assert np.abs(one - other).mean() < 0.3
    ends = [run[-1][1] for run in runs]  # the curvature is learnt from what the rounding of the activations changes
    assert ends[0].content == pytest.approx(ends[1].content, rel=0.03)
    assert ends[0].style == pytest.approx(ends[1].style, rel=0.03)


@pytest.mark.parametrize("state", [b"", b"nonsense" * 9, b"\x02\0\0\0\0\0\0\0{}"])
def test_a_checkpoint_that_cannot_be_read_is_said(state: bytes) -> None:
    with pytest.raises(CheckpointError, match="checkpoint"):
        painted(state=state or b"\0")


def test_a_checkpoint_of_one_perception_is_not_gone_on_from_with_another() -> None:
    states: list[bytes] = []
    painted(on_progress=lambda progress: states.append(progress.checkpoint()))

    with pytest.raises(
        CheckpointError, match="sees by compact, and this one sees by lowrank; give all workers the same"
    ):
        painted(asked=replace(QUICK, perception="lowrank"), state=states[1])


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"photo": gradient(8, 40)}, "image"),
        ({"paintings": []}, "style_images.parts"),
        ({"paintings": [(gradient(10, 10), 1.0)]}, "style_images.parts[0].image"),
        ({"paintings": [(painting(), 1.0), (painting(), -1.0)]}, "style_images.parts[1].weight"),
        ({"paintings": [(painting(), float("nan"))]}, "style_images.parts[0].weight"),
        ({"paintings": [(painting(), 0.0)]}, "style_images.parts"),
        ({"asked": replace(QUICK, start="fast")}, "optimization.start"),
    ],
)
def test_what_is_not_allowed_is_refused_by_name(options: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        painted(**options)

    assert caught.value.field == field


def test_colours_of_pictures_that_are_painted_are_clipped_only_at_the_end() -> None:
    result = painted(asked=replace(QUICK, steps=30, style_weight=1e8))

    assert images.decode(images.encode(result.pixels, format=images.Format.PNG)).shape == (56, 72, 3)


def test_a_layer_that_the_perception_chosen_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IMPASTO_VGG_WEIGHTS", raising=False)

    with pytest.raises(InvalidInput, match=r"'relu5_3' is no layer of the lowrank perception.*give some of relu1_1"):
        perception_for(Optimization(style_layers=("relu5_3",)))

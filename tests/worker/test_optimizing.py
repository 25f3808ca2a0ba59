"""The painter that optimises: what the worker adds to `impasto.nn.optimize`."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from impasto import images
from impasto.bundle import STARTER, load_bundle
from impasto.errors import InvalidInput, WeightsNotFound
from impasto.images import Pixels
from impasto.jobs import State
from impasto.logs import make_log
from impasto.optimization import Optimization
from impasto_worker.attempt import Outcome
from impasto_worker.optimizing import Optimizer
from impasto_worker.painting import Order, Painted, Picture, Stopped
from impasto_worker.reporting import Pace
from tests.support import gradient
from tests.worker.support import Bench, add_job, now, open_store, result

PHOTO = gradient(64, 48)


def optimizer(*, device: str = "cpu", weights: Path | None = None, memory: int | None = None) -> Optimizer:
    return Optimizer(device, weights=weights, memory=memory, log=make_log(stream=io.StringIO()))


def painting() -> Pixels:
    return images.decode(load_bundle(STARTER).styles["great-wave"].thumbnail)


def order(**options: Any) -> Order:
    """Return an order of four steps with these options."""
    optimization = Optimization(**{"steps": 4, **options})
    return Order(photo=PHOTO, paintings=[(painting(), 1.0)], optimization=optimization, working_size=64)


def painted(
    paint: Optimizer,
    order: Order,
    on_progress: Callable[[Painted], None] = lambda _: None,
    interrupted: Callable[[], bool] = lambda: False,
) -> Picture:
    return paint(order, on_progress=on_progress, interrupted=interrupted)


def test_a_photo_is_painted_at_its_own_size() -> None:
    picture = painted(optimizer(), order())
    assert picture.pixels.shape == PHOTO.shape
    assert (picture.working_size, picture.steps, picture.notes) == ((64, 48), 4, ())
    assert np.abs(picture.pixels.astype(int) - PHOTO).mean() > 2


def test_from_a_checkpoint_on_the_same_picture_comes_out() -> None:
    paint, states = optimizer(), list[bytes]()
    whole = painted(paint, order(), on_progress=lambda now: states.append(now.checkpoint()))
    rest = list[int]()
    resumed = painted(paint, replace(order(), state=states[1]), on_progress=lambda now: rest.append(now.step))
    assert rest == [3, 4]
    np.testing.assert_array_equal(resumed.pixels, whole.pixels)


def test_told_to_stop_it_stops() -> None:
    with pytest.raises(Stopped):
        painted(optimizer(), order(steps=10_000), interrupted=lambda: True)


def test_vgg19_is_used_where_its_weights_are_and_the_one_of_low_rank_where_they_are_not(random_vgg: Path) -> None:
    asked = {name: order(perception=name, steps=1) for name in ("auto", "vgg19", "lowrank", "compact")}
    bare, rich = optimizer(), optimizer(weights=random_vgg)
    pictures = {name: painted(rich, each).pixels for name, each in asked.items()}
    np.testing.assert_array_equal(pictures["auto"], pictures["vgg19"])
    np.testing.assert_array_equal(pictures["lowrank"], painted(bare, asked["auto"]).pixels)
    assert len({pictures[name].tobytes() for name in pictures}) == 3


def test_vgg19_without_weights_is_refused_with_what_to_do() -> None:
    with pytest.raises(
        WeightsNotFound, match=r"ask for lowrank or auto, or have the worker started with --vgg-weights"
    ):
        painted(optimizer(), order(perception="vgg19"))


@pytest.mark.parametrize("field", ["content_layers", "style_layers"])
def test_a_layer_that_the_perception_of_low_rank_lacks_is_named(field: str) -> None:
    with pytest.raises(InvalidInput, match="'relu5_2' is no layer of the lowrank perception") as error:
        painted(optimizer(), order(**{field: ("relu5_2",)}))
    assert error.value.field == f"optimization.{field}"


def test_a_file_that_holds_no_weights_of_vgg19_ends_the_start(tmp_path: Path) -> None:
    (tmp_path / "weights").write_bytes(b"none")
    with pytest.raises(WeightsNotFound, match=str(tmp_path)):
        optimizer(weights=tmp_path / "weights")


@pytest.mark.parametrize("device", ["cuda:77", "abacus"])
def test_a_device_that_is_not_there_ends_the_start(device: str) -> None:
    with pytest.raises(InvalidInput, match=f"device: '{device}' cannot be used"):
        optimizer(device=device)


def test_a_fast_start_begins_with_the_nearest_trained_style() -> None:
    first = list[Pixels]()
    painted(optimizer(), order(start="fast", optimizer="adam", steps=1), lambda now: first.append(now.picture()))
    plain = list[Pixels]()
    painted(optimizer(), order(optimizer="adam", steps=1), lambda now: plain.append(now.picture()))
    assert np.abs(first[0].astype(int) - plain[0]).mean() > 5


def test_the_memory_that_may_be_used_is_halved_as_often_as_it_is_said() -> None:
    paint = optimizer(memory=600 * 2**20)
    large = replace(order(steps=1), photo=gradient(96, 64), working_size=96)
    sizes = [painted(paint, replace(large, halvings=halvings)).working_size for halvings in (0, 1)]
    assert sizes[0] == (96, 64)
    assert max(sizes[1]) < 96


def test_a_picture_that_a_worker_died_of_goes_on_smaller_from_its_checkpoint() -> None:
    paint, states = optimizer(memory=600 * 2**20), list[bytes]()
    large = replace(order(), photo=gradient(96, 64), working_size=96)
    painted(paint, large, on_progress=lambda now: states.append(now.checkpoint()))
    seen = list[Painted]()
    picture = painted(paint, replace(large, state=states[1], halvings=1), on_progress=seen.append)
    assert [now.step for now in seen] == [3, 4]
    assert max(picture.working_size) < 96
    assert picture.pixels.shape == (64, 96, 3)
    assert len(picture.notes) == 1


@pytest.mark.parametrize("options", [{"pooling": "average"}, {"style_layers": ("relu1_1", "relu2_1")}], ids=str)
def test_what_was_loaded_for_one_job_does_not_show_in_another(options: dict[str, Any]) -> None:
    paint = optimizer()
    before = painted(paint, order(steps=1))
    other = painted(paint, order(steps=1, **options))
    np.testing.assert_array_equal(painted(paint, order(steps=1)).pixels, before.pixels)
    np.testing.assert_array_equal(painted(optimizer(), order(steps=1, **options)).pixels, other.pixels)


def test_more_kinds_of_jobs_than_stay_loaded_are_painted() -> None:
    paint = optimizer()
    layers = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu4_2", "relu5_1")
    pictures = [painted(paint, order(steps=1, style_layers=(layer,))).pixels for layer in layers]
    np.testing.assert_array_equal(painted(paint, order(steps=1, style_layers=layers[:1])).pixels, pictures[0])


def test_a_job_is_stopped_and_gone_on_with_by_another_worker_to_the_same_picture(tmp_path: Path) -> None:
    jobs = open_store(tmp_path)
    options: dict[str, Any] = {
        "photo": images.encode(PHOTO, format=images.Format.PNG),
        "paintings": [images.encode(painting())],
        "working_size": 64,
        "output_size": (64, 48),
    }
    job, twin = (add_job(jobs, steps=12, **options) for _ in range(2))
    leaving, heir = (Bench(jobs, optimizer(), Pace(checkpoint_seconds=600)) for _ in range(2))

    def paint_five(order: Order, *, on_progress: Callable[[Painted], None], **others: Any) -> Picture:
        def told(now: Painted) -> None:
            if now.step == 5:
                leaving.stop.ask("a test")
            on_progress(now)

        return optimizer()(order, on_progress=told, **others)

    leaving.paint = paint_five
    assert leaving.attempt() is Outcome.RELEASED
    leaving.stop.obeyed()
    assert [heir.attempt() for _ in range(2)] == [Outcome.SUCCEEDED] * 2

    assert [line["step"] for bench in (leaving, heir) for line in bench.lines("step")] == [*range(1, 13), *range(1, 13)]
    assert (now(jobs, job).state, now(jobs, job).attempts) == (State.SUCCEEDED, 2)
    np.testing.assert_array_equal(result(jobs, job), result(jobs, twin))

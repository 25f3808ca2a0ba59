"""One attempt at a job, on a real store, with a painter that needs no torch."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from impasto import images
from impasto.errors import ImpastoError, InvalidInput, WeightsNotFound
from impasto.images import Format, Limits
from impasto.jobs import ANONYMOUS, Jobs, State
from impasto.optimization import Optimization
from impasto_worker.attempt import INTERNAL, Outcome
from impasto_worker.mixing import mixed
from impasto_worker.painting import Order, Picture
from impasto_worker.reporting import Pace
from impasto_worker.slow import SlowPaint, stirred
from tests.support import files_no_larger_than, gradient
from tests.worker.support import FILE, PHOTO, QUICK, Bench, add_job, away, is_at, now, open_store, result, wait_for

BRISK = SlowPaint(step_seconds=0.02)
OFTEN = Pace(preview_seconds=0.05, checkpoint_seconds=0.05)
LAPSED = 1e-6  # s, of a lease that has lapsed before the next call


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    store = open_store(tmp_path)
    yield store
    store.close()


@dataclass
class Failing:
    """A painter that cannot."""

    error: Exception

    def __call__(self, order: Order, **_: Any) -> Picture:
        raise self.error


@dataclass
class Looking:
    """A painter that remembers what it was asked for."""

    order: Order | None = None

    def __call__(self, order: Order, **others: Any) -> Picture:
        self.order = order
        return QUICK(order, **others)


def test_a_job_ends_with_the_painters_picture(jobs: Jobs) -> None:
    job, bench = add_job(jobs, steps=7), Bench(jobs)
    assert bench.attempt() is Outcome.SUCCEEDED

    done = now(jobs, job)
    assert done.state is State.SUCCEEDED
    assert (done.progress.step, done.progress.total_steps) == (7, 7)
    assert done.result is not None
    assert (done.result.size, done.result.working_size, done.result.format) == ((48, 32), (48, 32), Format.PNG)
    assert done.result.seconds > 0
    np.testing.assert_array_equal(result(jobs, job), stirred(PHOTO, Optimization(steps=7)))


def test_one_line_is_logged_with_sizes_steps_and_outcome(jobs: Jobs) -> None:
    job, bench = add_job(jobs, steps=7), Bench(jobs)
    bench.attempt()
    (line,) = bench.lines("job")
    assert line["job"] == job.id
    assert (line["outcome"], line["step"], line["steps"], line["attempt"]) == ("succeeded", 7, 7, 1)
    assert (line["photo_size"], line["painting_sizes"], line["result_size"]) == ("48x32", ["48x32"], "48x32")
    assert len(json.dumps(line)) < 1000


def test_the_result_has_the_size_the_format_and_the_strength_that_were_asked_for(jobs: Jobs) -> None:
    job = add_job(jobs, output_size=(24, 16), format=Format.WEBP, strength=0.25)
    Bench(jobs).attempt()
    file = b"".join(jobs.read_result(now(jobs, job)))
    assert file[8:12] == b"WEBP"
    wanted = images.resize(mixed(PHOTO, stirred(PHOTO, Optimization(steps=5)), 0.25), 24, 16)
    assert np.abs(images.decode(file).astype(int) - wanted).mean() < 16


@pytest.mark.parametrize(("strength", "value"), [(0.0, 10), (0.5, 106), (0.25, 58), (1.0, 201)])
def test_strength_mixes_photo_and_paint_and_rounds_to_nearest(strength: float, value: int) -> None:
    photo, painted = (np.full((600, 5, 3), shade, np.uint8) for shade in (10, 201))
    assert np.unique(mixed(photo, painted, strength)).tolist() == [value]


def test_the_painter_gets_the_pictures_their_weights_and_how_to_paint(jobs: Jobs) -> None:
    painter = Looking()
    paintings = [FILE, images.encode(gradient(20, 30), format=Format.PNG)]
    optimization = Optimization(steps=2, seed=9)
    add_job(jobs, paintings=paintings, painting_weights=(1.0, 3.0), working_size=40, optimization=optimization)
    Bench(jobs, painter).attempt()
    order = painter.order
    assert order is not None
    np.testing.assert_array_equal(order.photo, PHOTO)
    assert [(pixels.shape, weight) for pixels, weight in order.paintings] == [((32, 48, 3), 1.0), ((30, 20, 3), 3.0)]
    assert (order.working_size, order.optimization, order.halvings, order.state) == (40, optimization, 0, None)


@pytest.mark.parametrize(
    ("pictures", "field", "kind"),
    [
        ({"photo": b"no picture"}, "image", "UnreadableImage"),
        ({"paintings": [b"no picture"]}, "style_images.parts[0].image", "UnreadableImage"),
        ({"paintings": [images.encode(gradient(100, 80))]}, "style_images.parts[0].image", "ImageTooLarge"),
        ({"photo": images.encode(gradient(100, 8))}, "image", "InvalidInput"),
    ],
    ids=["a broken photo", "a broken painting", "a painting too large", "a photo too flat"],
)
def test_a_bad_picture_fails_the_job_and_is_named(jobs: Jobs, pictures: dict[str, Any], field: str, kind: str) -> None:
    job = add_job(jobs, **pictures)
    assert Bench(jobs, limits=Limits(max_pixels=5000)).attempt() is Outcome.FAILED
    failure = now(jobs, job).failure
    assert failure is not None
    assert (failure.kind, failure.field) == (kind, field)
    assert failure.message


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (InvalidInput("optimization.style_layers", "is odd"), ("InvalidInput", "is odd", "optimization.style_layers")),
        (WeightsNotFound("there are none"), ("WeightsNotFound", "there are none", "")),
    ],
    ids=["a value", "weights"],
)
def test_an_error_of_the_callers_is_told(jobs: Jobs, error: ImpastoError, failure: tuple[str, str, str]) -> None:
    job, bench = add_job(jobs), Bench(jobs, Failing(error))
    assert bench.attempt() is Outcome.FAILED
    found = now(jobs, job).failure
    assert found is not None
    assert (found.kind, found.message, found.field) == failure
    assert bench.lines("unexpected error") == []


def test_any_other_error_is_logged_whole_and_told_as_an_id(jobs: Jobs) -> None:
    job, bench = add_job(jobs), Bench(jobs, Failing(RuntimeError("secret /path")))
    assert bench.attempt() is Outcome.FAILED
    failure = now(jobs, job).failure
    (line,) = bench.lines("unexpected error")
    assert failure is not None
    assert failure.kind == INTERNAL
    assert line["error"] in failure.message
    assert "secret" not in failure.message
    assert "secret /path" in line["exception"]


def test_progress_and_previews_appear_while_it_is_painted(jobs: Jobs) -> None:
    job, bench = add_job(jobs, steps=1000), Bench(jobs, BRISK, OFTEN)
    with bench.attempting():
        seen = wait_for(jobs, job, lambda seen: seen.progress.preview >= 2)
        preview = jobs.preview(seen)
        jobs.cancel(job.id, ANONYMOUS)
    assert preview is not None
    assert preview.startswith(b"\xff\xd8")
    assert images.decode(preview).shape == PHOTO.shape
    assert 0 < seen.progress.step < seen.progress.total_steps == 1000
    assert seen.progress.size == (48, 32)
    assert seen.progress.seconds_left is not None


def test_a_large_picture_has_a_small_preview(jobs: Jobs) -> None:
    photo = images.encode(gradient(512, 256), format=Format.PNG)
    job, bench = add_job(jobs, 1000, photo=photo, output_size=(512, 256)), Bench(jobs, BRISK, OFTEN)
    with bench.attempting():
        preview = jobs.preview(wait_for(jobs, job, lambda seen: seen.progress.preview >= 1))
        jobs.cancel(job.id, ANONYMOUS)
    assert preview is not None
    assert images.decode(preview).shape == (128, 256, 3)


def test_a_cancelled_job_stops_in_the_middle_of_a_step(jobs: Jobs) -> None:
    job, bench = add_job(jobs, steps=2), Bench(jobs, SlowPaint(step_seconds=600))
    with bench.attempting() as outcome:
        wait_for(jobs, job, lambda seen: seen.state is State.RUNNING)
        jobs.cancel(job.id, ANONYMOUS)
        wait_for(jobs, job, lambda seen: seen.state is State.CANCELLED)
    assert outcome == [Outcome.CANCELLED]


def test_a_deleted_job_stops_and_leaves_nothing(jobs: Jobs, tmp_path: Path) -> None:
    job, bench = add_job(jobs, steps=1000), Bench(jobs, BRISK, OFTEN)
    with bench.attempting() as outcome:
        wait_for(jobs, job, is_at(10))
        jobs.delete(job.id, ANONYMOUS)
    assert outcome == [Outcome.LOST]
    assert list((tmp_path / "blobs").rglob(f"*{job.id}*")) == []


def test_asked_to_stop_it_saves_the_step_and_gives_the_job_back(jobs: Jobs) -> None:
    job, bench = add_job(jobs, steps=40), Bench(jobs, BRISK, Pace(checkpoint_seconds=600))
    with bench.attempting() as outcome:
        wait_for(jobs, job, is_at(3))
        bench.stop.ask("a test")
    assert outcome == [Outcome.RELEASED]
    released = now(jobs, job)
    assert (released.state, released.attempts) == (State.QUEUED, 1)

    steps: list[int] = []
    assert Bench(jobs, replace(QUICK, on_step=steps.append)).attempt() is Outcome.SUCCEEDED
    assert steps[0] == bench.lines("job")[0]["step"] + 1
    assert steps[-1] == 40
    np.testing.assert_array_equal(result(jobs, job), stirred(PHOTO, Optimization(steps=40)))


def test_a_step_that_takes_too_long_to_wait_for_is_dropped(jobs: Jobs) -> None:
    job, bench = add_job(jobs, steps=2), Bench(jobs, SlowPaint(step_seconds=600), stop_seconds=1)
    with bench.attempting() as outcome:
        wait_for(jobs, job, lambda seen: seen.state is State.RUNNING)
        bench.stop.ask("a test")
    assert (outcome, bench.ended) == ([Outcome.RELEASED], 0)
    assert now(jobs, job).state is State.QUEUED


def test_a_job_goes_on_from_its_checkpoint_and_its_time_adds_up(jobs: Jobs) -> None:
    job, first = add_job(jobs, steps=60), Bench(jobs, BRISK, OFTEN)
    with first.attempting():
        wait_for(jobs, job, is_at(20))
        first.stop.ask("a test")
    Bench(jobs).attempt()
    done = now(jobs, job)
    assert done.result is not None
    assert done.result.seconds > 20 * BRISK.step_seconds
    assert done.notes == ()


@pytest.mark.parametrize("damage", [b"", b"x" * 100], ids=["empty", "of another picture"])
def test_a_checkpoint_that_is_of_no_use_costs_the_steps_but_not_the_job(jobs: Jobs, damage: bytes) -> None:
    job = add_job(jobs, steps=5)
    claim = jobs.claim("a worker that dies")
    assert claim is not None
    claim.save_checkpoint(damage, claim.job.progress)
    claim.release()

    bench = Bench(jobs)
    assert bench.attempt() is Outcome.SUCCEEDED
    np.testing.assert_array_equal(result(jobs, job), stirred(PHOTO, Optimization(steps=5)))
    assert [note for note in now(jobs, job).notes if "anew" in note]
    assert len(bench.lines("the checkpoint is of no use")) == 1


def test_after_deaths_without_progress_the_memory_is_halved_each_time_and_the_result_says_so(tmp_path: Path) -> None:
    jobs = open_store(tmp_path, lease_seconds=LAPSED)
    job = add_job(jobs)
    assert jobs.claim("one that dies") is not None
    assert jobs.claim("another that dies") is not None
    painter = Looking()
    Bench(jobs, painter).attempt()
    assert painter.order is not None
    assert painter.order.halvings == 2
    (note,) = now(jobs, job).notes
    assert "divided by 4" in note


def test_what_a_worker_paints_after_another_has_taken_its_job_is_refused(tmp_path: Path) -> None:
    jobs = open_store(tmp_path, lease_seconds=LAPSED)
    job = add_job(jobs)
    stale = jobs.claim("one that sleeps too long")
    assert stale is not None
    assert Bench(jobs).attempt() is Outcome.SUCCEEDED
    files = sorted(tmp_path.rglob("*"))

    zombie = Bench(jobs, replace(QUICK, deaf=True))
    assert zombie.attempt(stale) is Outcome.LOST
    assert zombie.lines("job")[0]["outcome"] == "lost"
    assert sorted(tmp_path.rglob("*")) == files
    np.testing.assert_array_equal(result(jobs, job), stirred(PHOTO, Optimization(steps=5)))


def test_a_blob_store_that_comes_and_goes_stops_no_painting(jobs: Jobs, tmp_path: Path) -> None:
    job, bench = add_job(jobs, steps=100), Bench(jobs, BRISK, OFTEN)
    with bench.attempting() as outcome:
        wait_for(jobs, job, is_at(5))
        with away(tmp_path / "blobs"):
            bench.wait_for_line("not saved, painting on")
    assert outcome == [Outcome.SUCCEEDED]
    np.testing.assert_array_equal(result(jobs, job), stirred(PHOTO, Optimization(steps=100)))


def test_a_database_that_comes_and_goes_stops_no_painting(jobs: Jobs, tmp_path: Path) -> None:
    job, bench = add_job(jobs, steps=100), Bench(jobs, BRISK, OFTEN)
    with bench.attempting() as outcome:
        wait_for(jobs, job, is_at(5))
        with away(tmp_path / "jobs.sqlite"):
            bench.wait_for_line("the store cannot be reached; painting on")
    assert outcome == [Outcome.SUCCEEDED]
    np.testing.assert_array_equal(result(jobs, job), stirred(PHOTO, Optimization(steps=100)))


def test_a_result_waits_for_a_store_that_is_away(jobs: Jobs, tmp_path: Path) -> None:
    job, bench = add_job(jobs, steps=30), Bench(jobs, BRISK)
    with bench.attempting() as outcome:
        wait_for(jobs, job, is_at(1))
        with away(tmp_path / "blobs"):
            bench.wait_for_line("the end of the job is not taken; trying again")
    assert outcome == [Outcome.SUCCEEDED]
    assert now(jobs, job).state is State.SUCCEEDED


def test_asked_to_stop_it_does_not_wait_for_the_store_for_ever(jobs: Jobs, tmp_path: Path) -> None:
    job, bench = add_job(jobs, steps=30), Bench(jobs, BRISK, stop_seconds=2)
    with bench.attempting() as outcome:
        wait_for(jobs, job, is_at(1))
        with away(tmp_path / "blobs"):
            bench.wait_for_line("the end of the job is not taken; trying again")
            bench.stop.ask("a test")
            bench.wait_for_line("job")
    assert (outcome, bench.ended) == ([Outcome.ABANDONED], 0)
    assert now(jobs, job).state is State.RUNNING


def test_a_job_whose_pictures_cannot_be_reached_goes_back(jobs: Jobs, tmp_path: Path) -> None:
    job, bench = add_job(jobs), Bench(jobs)
    with away(tmp_path / "blobs"):
        assert bench.attempt() is Outcome.RELEASED
    assert now(jobs, job).state is State.QUEUED
    assert bench.attempt() is Outcome.SUCCEEDED


def test_a_job_with_a_picture_that_cannot_be_read_does_not_hold_up_the_others(jobs: Jobs, tmp_path: Path) -> None:
    bad, good, bench = add_job(jobs, priority=1), add_job(jobs), Bench(jobs)
    painting = tmp_path / "blobs" / bad.id / "painting-0"
    painting.unlink()
    painting.mkdir()

    assert [bench.attempt() for _ in range(2)] == [Outcome.FAILED, Outcome.SUCCEEDED]

    failure = now(jobs, bad).failure
    assert failure is not None
    assert failure.kind == "BlobUnreadable"
    assert str(tmp_path) not in failure.message
    assert now(jobs, good).state is State.SUCCEEDED


def test_a_job_that_is_cancelled_while_the_store_is_full_needs_no_room_for_its_result(jobs: Jobs) -> None:
    photo = images.encode(np.random.default_rng(0).integers(0, 256, (400, 400, 3)).astype(np.uint8))
    job, bench = add_job(jobs, photo=photo, output_size=(400, 400)), Bench(jobs, pace=Pace(preview_seconds=600))
    with files_no_larger_than(200_000), bench.attempting() as outcome:
        bench.wait_for_line("the end of the job is not taken; trying again")
        jobs.cancel(job.id, ANONYMOUS)
        wait_for(jobs, job, lambda seen: seen.state is State.CANCELLED)
    assert outcome == [Outcome.CANCELLED]


def test_a_job_that_is_cancelled_at_the_last_step_makes_no_file(jobs: Jobs, tmp_path: Path) -> None:
    def paint(order: Order, *, interrupted: Callable[[], bool], **others: Any) -> Picture:
        picture = QUICK(order, interrupted=interrupted, **others)
        jobs.cancel(job.id, ANONYMOUS)
        while not interrupted():
            time.sleep(0.01)
        return picture

    job = add_job(jobs)
    assert Bench(jobs, paint).attempt() is Outcome.CANCELLED
    assert not list(tmp_path.rglob("result-*"))
    assert now(jobs, job).state is State.CANCELLED


def test_a_heartbeat_that_fails_is_logged_and_the_next_one_is_heard(jobs: Jobs) -> None:
    job, bench = add_job(jobs, steps=1000), Bench(jobs, BRISK)
    claim = jobs.claim("bench")
    assert claim is not None
    renew, errors = claim.renew, [RuntimeError("a bug")]

    def fails_once() -> bool:
        if errors:
            raise errors.pop()
        return renew()

    claim.renew = fails_once  # type: ignore[method-assign]
    jobs.cancel(job.id, ANONYMOUS)

    assert bench.attempt(claim) is Outcome.CANCELLED
    assert "a bug" in bench.lines("a heartbeat failed; going on")[0]["exception"]


def test_whoever_asks_to_stop_at_the_same_time_asks_once(jobs: Jobs) -> None:
    bench, at_once = Bench(jobs), threading.Barrier(8)

    def ask(_: int) -> None:
        at_once.wait()
        bench.stop.ask("a test")

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(ask, range(8)))
    bench.stop.obeyed()

    assert len(bench.lines("stopping")) == 1


def test_a_job_whose_photo_is_gone_fails(jobs: Jobs, tmp_path: Path) -> None:
    job = add_job(jobs)
    (tmp_path / "blobs" / job.id / "photo").unlink()
    assert Bench(jobs).attempt() is Outcome.FAILED
    failure = now(jobs, job).failure
    assert failure is not None
    assert failure.kind == "BlobMissing"

"""A painter that does not come back ends its worker, and another one goes on with the job."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from impasto.images import Limits, decode
from impasto.jobs import State
from impasto.logs import make_log
from impasto.optimization import Optimization
from impasto_worker.painting import Order, Painted, Picture
from impasto_worker.slow import SlowPaint, stirred
from impasto_worker.stuck import STUCK, Watched
from tests.worker.processes import store_options, worker
from tests.worker.support import PHOTO, add_job, now, open_store, wait_for, wait_for_end

ORDER = Order(photo=PHOTO, paintings=(), optimization=Optimization(steps=3), working_size=48)


def paint(watched: Watched) -> Picture:
    return watched(ORDER, on_progress=lambda _: None, interrupted=lambda: False)


def test_a_job_that_sticks_in_one_worker_is_done_by_the_next_from_its_checkpoint(tmp_path: Path) -> None:
    jobs = open_store(tmp_path, lease_seconds=2)
    job = add_job(jobs, steps=6)
    options = (*store_options(tmp_path), "--lease-seconds", "2", "--checkpoint-seconds", "0.001")
    with worker(tmp_path, *options, "--stuck-seconds", "1", step_seconds=0.01, sticks_at=4) as process:
        assert process.process.wait(60) == STUCK
        (line,) = process.lines(
            "the painter is stuck; ended at once, and the job is taken up by another when its lease lapses"
        )
        assert (line["level"], line["seconds"]) == ("critical", 1.0)
        assert process.steps == [1, 2, 3]
    assert now(jobs, job).state is State.RUNNING

    with worker(tmp_path, *options, step_seconds=0.01) as process:
        done = wait_for_end(jobs, job)
        assert process.steps[0] > 1
    assert (done.state, done.attempts) == (State.SUCCEEDED, 2)
    picture = decode(b"".join(jobs.read_result(done)), limits=Limits())
    np.testing.assert_array_equal(picture, stirred(PHOTO, Optimization(steps=6)))
    jobs.close()


def test_a_job_that_sticks_everywhere_fails_after_some_tries(tmp_path: Path) -> None:
    jobs = open_store(tmp_path, lease_seconds=1)
    job = add_job(jobs, steps=6)
    options = (*store_options(tmp_path), "--lease-seconds", "1", "--stuck-seconds", "0.5")
    for _ in range(3):
        with worker(tmp_path, *options, step_seconds=0.01, sticks_at=1) as process:
            assert process.process.wait(60) == STUCK
    with worker(tmp_path, *options, step_seconds=0.01) as process:
        failed = wait_for(jobs, job, lambda seen: seen.state.ended)
    assert failed.failure is not None
    assert failed.failure.kind == "WorkerLost"
    jobs.close()


@pytest.mark.parametrize("sign", ["steps", "questions"])
def test_a_slow_painter_that_gives_signs_of_life_is_let_be(sign: str) -> None:
    ended: list[str] = []

    class Slow:
        def __call__(
            self, order: Order, *, on_progress: Callable[[Painted], None], interrupted: Callable[[], bool]
        ) -> Picture:
            inner = replace(SlowPaint(), step_seconds=0.2 if sign == "steps" else 1.5)
            return inner(
                order,
                on_progress=on_progress if sign == "steps" else lambda _: None,
                interrupted=interrupted if sign == "questions" else lambda: False,
            )

    paint(Watched(Slow(), 0.5, make_log(stream=io.StringIO()), end=lambda: ended.append("ended")))
    assert not ended


def test_an_error_of_the_painter_ends_the_watch() -> None:
    ended: list[str] = []

    class Failing:
        def __call__(
            self, order: Order, *, on_progress: Callable[[Painted], None], interrupted: Callable[[], bool]
        ) -> Picture:
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        paint(Watched(Failing(), 0.1, make_log(stream=io.StringIO()), end=lambda: ended.append("ended")))
    assert not [thread for thread in threading.enumerate() if thread.name == "watch"]
    assert not ended

"""The arithmetic of docs/capacity.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.capacity_plan import Plan, growth, job_seconds, plan, workers

PERFORMANCE = Path(__file__).parents[2] / "docs" / "performance.md"


def test_pods_have_the_cores_that_the_pictures_take_at_the_utilisation() -> None:
    assert plan(100, 0.05, cores=2, utilisation=0.5, zones=1) == Plan(serving=5, spread=5, surge=2)


def test_the_zones_that_are_left_have_the_pods_that_serve() -> None:
    made = plan(100, 0.05, cores=1, utilisation=0.7, zones=3)
    assert made.serving == 8
    assert made.spread == 12
    assert made.spread - made.spread // 3 >= made.serving


def test_workers_do_the_jobs_of_an_hour_in_the_share_of_it_that_they_work() -> None:
    assert workers(600, 27, 0.8) == 6
    assert workers(1, 27, 0.8) == 1


def test_load_may_grow_into_what_the_utilisation_leaves_until_more_pods_serve() -> None:
    assert growth(0.5, 60) == pytest.approx(1.0)
    assert growth(0.8, 30) == pytest.approx(0.5)


def test_the_seconds_of_a_job_are_those_that_were_measured() -> None:
    seconds = job_seconds(PERFORMANCE, 256)
    assert set(seconds) == {"vgg19", "lowrank", "compact"}
    assert all(value > 0 for value in seconds.values())


def test_a_size_that_nobody_measured_is_refused() -> None:
    with pytest.raises(ValueError, match="optimize-300"):
        job_seconds(PERFORMANCE, 300)

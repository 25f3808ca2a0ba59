"""What is known of how long pictures take."""

from __future__ import annotations

import pytest

from impasto_server.fast.pace import BatchSizes, Pace, largest_batch_that_gains


def test_a_size_that_was_met_takes_what_it_took() -> None:
    pace = Pace()
    pace.note("t", 512 * 512, 0.4)
    assert pace.seconds("t", 512 * 512) == pytest.approx(0.4)


def test_another_size_is_guessed_from_the_nearest_in_proportion() -> None:
    pace = Pace()
    pace.note("t", 64 * 64, 0.02)
    pace.note("t", 512 * 512, 0.4)
    assert pace.seconds("t", 1024 * 1024) == pytest.approx(1.6)
    assert pace.seconds("t", 32 * 32) == pytest.approx(0.005)
    assert pace.seconds("t", 500 * 500) == pytest.approx(0.4 * 500**2 / 512**2)


def test_news_change_it_little_by_little() -> None:
    pace = Pace()
    pace.note("t", 4096, 1.0)
    pace.note("t", 4096, 2.0)
    assert 1.0 < pace.seconds("t", 4096) < 1.5
    for _ in range(50):
        pace.note("t", 4096, 2.0)
    assert pace.seconds("t", 4096) == pytest.approx(2.0, rel=1e-3)


def test_transformers_are_told_apart_and_one_that_is_not_known_takes_something() -> None:
    pace = Pace()
    pace.note("slow", 4096, 10.0)
    assert 0 < pace.seconds("unknown", 4096) < 1


def test_a_device_that_gains_nothing_paints_one_at_a_time() -> None:
    assert largest_batch_that_gains(lambda count: 0.1 * count) == 1


def test_a_device_that_gains_up_to_eight_paints_eight() -> None:
    assert largest_batch_that_gains(lambda count: 0.1 * max(1, count / 8)) == 8


def test_no_more_are_tried_than_allowed() -> None:
    tried: list[int] = []

    def seconds(count: int) -> float:
        tried.append(count)
        return 0.1

    assert largest_batch_that_gains(seconds, most=4) == 4
    assert max(tried) == 4


@pytest.mark.parametrize(
    ("side", "most"),
    [
        (48, 16),  # as the next larger size that was measured
        (64, 16),
        (100, 4),
        (256, 4),
        (512, 1),  # as many pixels as filled the device at the largest
        (360, 2),
    ],
)
def test_the_larger_a_picture_the_fewer_at_once(side: int, most: int) -> None:
    assert BatchSizes({64 * 64: 16, 256 * 256: 4}).most(side * side) == most


def test_a_batch_has_no_more_pixels_than_allowed() -> None:
    assert BatchSizes({1024 * 1024: 8}, most_pixels=3 * 1024 * 1024).most(1024 * 1024) == 3


def test_without_measurements_or_gains_pictures_go_one_by_one() -> None:
    assert BatchSizes().most(64 * 64) == 1
    assert BatchSizes({64 * 64: 1}).most(256 * 256) == 1


def test_a_transformer_that_is_forgotten_is_as_one_never_met() -> None:
    pace = Pace()
    unknown = pace.seconds("gone", 64 * 64)
    pace.note("gone", 64 * 64, 3.0)
    pace.note("stays", 64 * 64, 2.0)
    pace.forget("gone")
    assert pace.seconds("gone", 64 * 64) == unknown
    assert pace.seconds("stays", 64 * 64) == 2.0

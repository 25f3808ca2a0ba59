"""The nearest trained style, found with the starter bundle: what a worker begins with when asked for a fast start."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from impasto import images
from impasto.bundle import STARTER, Bundle, load_bundle
from impasto.images import Pixels
from impasto.nn.interruptions import Interrupted
from impasto.nn.nearest import NearestStyle
from tests.support import gradient


@pytest.fixture(scope="module")
def starter() -> Bundle:
    return load_bundle(STARTER)


@pytest.fixture(scope="module")
def nearest(starter: Bundle) -> NearestStyle:
    return NearestStyle(starter)


def thumbnail(bundle: Bundle, style: str) -> Pixels:
    return images.decode(bundle.styles[style].thumbnail)


def test_a_part_of_a_painting_at_another_size_is_nearest_to_the_whole(starter: Bundle, nearest: NearestStyle) -> None:
    wrong = []
    for style in starter.styles:
        whole = thumbnail(starter, style)
        part = whole[:, : whole.shape[1] * 4 // 5]
        found = nearest.find([(images.with_long_side(part, 250), 1.0)])
        wrong += [] if found == style else [(style, found)]
    assert wrong == []


def test_of_several_paintings_the_heaviest_decides(starter: Bundle, nearest: NearestStyle) -> None:
    wave, scream = thumbnail(starter, "great-wave"), thumbnail(starter, "the-scream")
    assert nearest.find([(wave, 9.0), (scream, 1.0)]) == "great-wave"
    assert nearest.find([(wave, 1.0), (scream, 9.0)]) == "the-scream"
    assert nearest.find([(wave, 0.0), (scream, 0.01)]) == "the-scream"


@pytest.mark.parametrize("size", [(16, 16), (17, 400), (2000, 16)], ids=str)
def test_a_painting_of_any_size_is_near_to_some_style(nearest: NearestStyle, size: tuple[int, int]) -> None:
    assert nearest.find([(gradient(*size), 1.0)])
    assert nearest.find([(np.zeros((*size, 3), np.uint8), 1.0)])


@pytest.mark.parametrize("size", [(64, 48), (53, 41), (16, 300), (1500, 20)], ids=str)
def test_a_photo_is_painted_at_its_own_size(nearest: NearestStyle, size: tuple[int, int]) -> None:
    photo = gradient(*size)
    painted = nearest.paint(photo, "great-wave")
    assert painted.shape == photo.shape
    assert painted.dtype == np.uint8
    assert np.abs(painted.astype(int) - photo).mean() > 10


def test_it_stops_at_any_layer_once_it_is_told_to(starter: Bundle, nearest: NearestStyle) -> None:
    photo, paintings = gradient(64, 48), [(thumbnail(starter, "great-wave"), 1.0)]
    asked: list[int] = []

    def at(last: int) -> Callable[[], bool]:
        asked.clear()
        return lambda: asked.append(last) or len(asked) == last  # type: ignore[func-returns-value]

    whole = nearest.paint_like(photo, paintings, at(0))
    np.testing.assert_array_equal(whole, nearest.paint(photo, "great-wave"))
    times, stopped_at = len(asked), list[int]()
    for last in range(1, times + 1):
        with pytest.raises(Interrupted):
            nearest.paint_like(photo, paintings, at(last))
        stopped_at.append(len(asked))

    assert times > 30
    assert stopped_at == list(range(1, times + 1))


@pytest.mark.data
def test_the_painting_that_a_style_was_learnt_from_is_nearest_to_it(
    data: Path, starter: Bundle, nearest: NearestStyle
) -> None:
    files = {path.stem.replace("_", "-"): path for path in (data / "paintings").glob("*.jpg")}
    found = {style: nearest.find([(images.decode(files[style].read_bytes()), 1.0)]) for style in starter.styles}
    assert found == {style: style for style in starter.styles}

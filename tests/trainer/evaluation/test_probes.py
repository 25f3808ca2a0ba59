from __future__ import annotations

import numpy as np
import pytest

from impasto_trainer.evaluation import probes
from tests.support import gradient

SIDE = 64


def textured() -> np.ndarray:
    return np.random.default_rng(0).integers(60, 190, size=(SIDE, SIDE, 3)).astype(np.uint8)


def test_flat_pictures_are_flat_but_for_a_sensors_noise() -> None:
    for level in (probes.GREY, probes.WHITE):
        picture = probes.flat(SIDE, level)
        assert picture.shape == (SIDE, SIDE, 3)
        assert np.abs(picture.astype(int) - level).max() == 1


def test_a_sky_is_paler_towards_the_horizon() -> None:
    rows = probes.luminance(probes.sky(SIDE)).mean(axis=1)
    assert rows[0] < rows[SIDE // 2] < rows[-1]
    assert np.abs(np.diff(rows)).max() < 5


def test_a_page_of_print_has_ink_from_top_to_bottom() -> None:
    page = probes.luminance(probes.letters(256))
    assert page.max() == 255
    assert all(half.min() < 60 for half in np.split(page, 2))


def test_a_dark_photo_keeps_a_tenth_of_its_brightness() -> None:
    photo = gradient(SIDE, SIDE)
    assert probes.luminance(probes.dark(photo)).mean() == pytest.approx(0.1 * probes.luminance(photo).mean(), abs=0.5)


def test_noise_has_the_deviation_that_it_says() -> None:
    photo = np.full((SIDE, SIDE, 3), 128, np.uint8)
    assert probes.difference(probes.noisy(photo), photo) == pytest.approx(2.55, rel=0.05)
    assert np.array_equal(probes.noisy(photo), probes.noisy(photo))


def test_a_frame_around_the_picture_shows_in_the_border() -> None:
    photo = textured()
    framed = photo.copy()
    framed[::2, : probes.FRAME] = 0
    framed[1::2, : probes.FRAME] = 255
    assert probes.border_excess(photo, photo) == 1
    assert probes.border_excess(framed, photo) > 2


@pytest.mark.parametrize("pattern", ["checkerboard", "rows", "columns"])
def test_a_pattern_of_one_pixel_shows_at_the_nyquist_frequency(pattern: str) -> None:
    photo = gradient(SIDE, SIDE)
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    sign = {"checkerboard": (x + y) % 2, "rows": y % 2, "columns": x % 2}[pattern]
    woven = np.clip(photo.astype(int) + (10 * sign - 5)[..., None], 0, 255).astype(np.uint8)
    assert probes.nyquist_share(woven) > 30 * probes.nyquist_share(photo)


def test_equal_pictures_do_not_differ() -> None:
    assert probes.difference(gradient(), gradient()) == 0
    assert probes.difference(np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 3, np.uint8)) == 3

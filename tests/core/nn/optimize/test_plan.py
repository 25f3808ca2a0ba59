"""Scales, memory, colours and detail: what surrounds the descent."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from impasto import images
from impasto.nn.optimize import memory, perception_for
from impasto.nn.optimize.colors import PALETTES, prepared
from impasto.nn.optimize.detail import enlarged
from impasto.nn.optimize.scales import scales
from impasto.optimization import Optimization
from tests.support import gradient


def noise(width: int, height: int, low: int = 0, high: int = 255, seed: int = 0) -> images.Pixels:
    return np.random.default_rng(seed).integers(low, high + 1, (height, width, 3)).astype(np.uint8)


@pytest.mark.parametrize("steps", [1, 2, 3, 50, 150])
@pytest.mark.parametrize("photo", [(4000, 3000), (300, 200), (16, 16), (3000, 20)])
def test_the_scales_double_up_to_the_size_asked_for_and_share_the_steps(photo: tuple[int, int], steps: int) -> None:
    plan = scales(photo, 800, steps)

    assert sum(scale.steps for scale in plan) == steps
    assert max(plan[-1].size) == 800
    assert all(min(scale.size) >= 16 for scale in plan)
    for coarse, fine in pairwise(plan):
        assert max(fine.size) == 2 * max(coarse.size)


def test_a_small_picture_has_one_scale() -> None:
    assert [scale.size for scale in scales((256, 171), 256, 100)] == [(256, 171)]


def test_the_memory_estimate_grows_in_a_straight_line_and_is_turned_round_exactly() -> None:
    eye = perception_for(Optimization(perception="compact"))
    one, two, three = (memory.estimate(eye, million * 10**6, 5_000_000) for million in (1, 2, 3))

    assert two - one == pytest.approx(three - two, rel=1e-6)
    assert memory.affordable(eye, two, 5_000_000) == pytest.approx(2e6, rel=1e-3)
    assert memory.affordable(eye, 0, 0) == 64 * 64


@pytest.mark.parametrize(
    ("error", "shortage"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"), True),
        (RuntimeError("shape '[3]' is invalid"), False),
    ],
)
def test_running_out_of_memory_is_told_from_other_failures(error: BaseException, shortage: bool) -> None:
    assert memory.is_shortage(error) is shortage


def test_torch_itself_says_so_in_words_that_are_recognised() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)

    assert memory.is_shortage(caught.value)


def test_luminance_keeps_the_photos_colours_and_takes_the_new_lightness() -> None:
    photo, painted = gradient(40, 30), noise(40, 30, 80, 170)
    palette = PALETTES["luminance"]

    grey, (style,) = prepared(palette, photo, [noise(20, 20)])
    result = palette.finish(painted, photo).astype(float)

    assert (grey == grey[:, :, :1]).all()
    assert style.mean() == pytest.approx(grey.mean(), abs=2)
    inside = (result > 0).all(2) & (result < 255).all(2)
    chroma = photo[..., 0].astype(float) - photo[..., 2]
    assert np.abs(result[..., 0] - result[..., 2] - chroma)[inside].max() <= 1
    weights = (0.299, 0.587, 0.114)
    assert np.abs((result - painted) @ weights)[inside].max() <= 1


def test_histogram_gives_the_painting_the_photos_mean_and_covariance() -> None:
    photo = noise(60, 60, 90, 150) // np.asarray([1, 2, 3], np.uint8)
    painting = noise(50, 40, 60, 200, seed=1)

    photo_seen, (style,) = prepared(PALETTES["histogram"], photo, [painting])

    assert photo_seen is photo
    ours, theirs = photo.reshape(-1, 3), style.reshape(-1, 3)
    assert np.allclose(ours.mean(0), theirs.mean(0), atol=1)
    assert np.allclose(np.cov(ours.T), np.cov(theirs.T), atol=0.1 * np.cov(ours.T).max())


@pytest.mark.parametrize("color", list(PALETTES))
def test_grey_paintings_and_photos_have_colours_too(color: str) -> None:
    flat = np.full((20, 20, 3), 128, np.uint8)

    seen, (style,) = prepared(PALETTES[color], flat, [flat])

    assert np.abs(seen.astype(int) - 128).max() <= 1
    assert np.abs(style.astype(int) - 128).max() <= 1


def test_an_enlarged_picture_has_the_photos_edges_and_the_paints_colours() -> None:
    photo = np.full((1200, 800, 3), 60, np.uint8)
    photo[:, 401:] = 190
    small = images.resize(photo, 80, 120)
    painted = np.clip(small.astype(int) * np.asarray([1.0, 0.7, 0.4]) + 10, 0, 255).astype(np.uint8)

    result = enlarged(painted, photo).astype(int)
    plain = images.resize(painted, 800, 1200).astype(int)

    assert result.shape == photo.shape
    assert abs(result[600, 403].sum() - result[600, 398].sum()) > 2 * abs(plain[600, 403].sum() - plain[600, 398].sum())
    assert np.abs(result[:, :300].mean((0, 1)) - painted[:, :30].mean((0, 1))).max() < 2


def test_rows_enlarged_apart_leave_no_seam() -> None:
    photo = np.ascontiguousarray(gradient(300, 1300))
    painted = 255 - images.resize(photo, 60, 260)

    result = enlarged(painted, photo).astype(int)

    steps = np.abs(np.diff(result, axis=0)).max((1, 2))
    assert math.ceil(np.median(steps)) + 2 >= steps[505:520].max()

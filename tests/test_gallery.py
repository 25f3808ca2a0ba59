from __future__ import annotations

from pathlib import Path

import numpy as np

from impasto.engine import FakeEngine
from impasto.sheets import small_jpeg
from scripts.gallery import gallery
from tests.support import fake_bundle, gradient


def test_the_gallery_shows_every_style_in_two_columns(tmp_path: Path) -> None:
    bundle = fake_bundle(tmp_path / "bundle", "ink", "gold", "clay")
    engine = FakeEngine()

    two_lines = gallery(bundle, engine, [gradient(64, 64), gradient(64, 64)[::-1]])

    assert len(engine.shapes) == 3 * 2
    one_line = gallery(fake_bundle(tmp_path / "other"), engine, [gradient(64, 64)])
    assert two_lines.shape[0] > one_line.shape[0]
    assert two_lines.shape[1] > one_line.shape[1]


def test_a_small_jpeg_is_as_small_as_asked_where_that_can_be() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (128, 128, 3)).astype(np.uint8)
    best, small = len(small_jpeg(noise, 10**9)), len(small_jpeg(noise, 8_000))
    assert small <= 8_000 < best
    assert 0 < len(small_jpeg(noise, 1)) <= small

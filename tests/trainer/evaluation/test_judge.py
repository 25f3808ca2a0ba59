from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from impasto import images
from impasto.backbones import CONTENT_LAYERS, STYLE_LAYERS
from impasto.nn.losses import content_loss, gram, style_loss
from impasto.nn.perception import load_perception
from impasto_trainer.evaluation.judge import Eye, Judge
from tests.support import gradient


@pytest.fixture(scope="module")
def eye(random_vgg: Path) -> Eye:
    return Eye(load_perception({*CONTENT_LAYERS, *STYLE_LAYERS}, random_vgg), torch.device("cpu"))


def painting() -> images.Pixels:
    return images.resize(np.random.default_rng(0).integers(0, 255, (12, 16, 3)).astype(np.uint8), 80, 60)


def test_a_photo_as_it_was_has_all_content_and_no_style(eye: Eye) -> None:
    photo = eye.see(gradient())
    assert Judge(eye, painting(), 48).fractions(photo, photo) == (1, 0)


def test_the_painting_itself_has_all_style_and_no_content(eye: Eye) -> None:
    photo = gradient(64, 48)
    there = images.resize(painting(), 64, 48)
    style, content = Judge(eye, painting(), 48).fractions(eye.see(photo), eye.see(there))
    assert style == pytest.approx(0, abs=1e-5)
    assert content == pytest.approx(1)


def test_fractions_are_losses_over_losses(eye: Eye) -> None:
    photo, painted = gradient(64, 48), gradient(64, 48)[::-1]
    style, content = Judge(eye, painting(), 40).fractions(eye.see(photo), eye.see(painted))

    before, after, other = (
        eye.perception(eye.tensor(picture)) for picture in (photo, painted, images.resize(painting(), 64, 48))
    )
    seen = eye.perception(eye.tensor(images.with_short_side(painting(), 40)))
    grams = {layer: gram(seen[layer]) for layer in STYLE_LAYERS}
    kept = {layer: before[layer] for layer in CONTENT_LAYERS}
    assert style == pytest.approx((style_loss(after, grams) / style_loss(before, grams)).item(), rel=1e-5)
    assert content == pytest.approx((content_loss(after, kept) / content_loss(other, kept)).item(), rel=1e-5)

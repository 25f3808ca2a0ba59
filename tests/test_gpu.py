"""What only a CUDA device can show; skipped without one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from impasto.bundle import STARTER, load_bundle
from impasto.engine import Provider, available_providers, open_engine
from impasto.images import Pixels
from impasto.nn.checkpoint import CHECKPOINT_FILE, Checkpoint
from impasto.nn.optimize import optimize, perception_for
from impasto.optimization import Optimization
from impasto_trainer.main import main
from tests.support import gradient
from tests.trainer.pictures import painting, photos

pytestmark = pytest.mark.gpu


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device")
def test_training_runs_on_cuda(tmp_path: Path, random_vgg: Path) -> None:
    places = ["--photos", str(photos(tmp_path / "photos")), "--painting", str(painting(tmp_path / "ink.jpg"))]
    given = [*places, "--out", str(tmp_path / "out"), "--vgg-weights", str(random_vgg), "--device", "cuda"]
    assert main(["fit", *given, "--steps", "4", "--crop", "64", "--workers", "0"]) == 0
    assert Checkpoint.load(tmp_path / "out" / CHECKPOINT_FILE).training["device"] == "cuda"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device")
@pytest.mark.parametrize("start", ["photo", "noise"])
def test_a_picture_optimised_twice_on_cuda_is_the_same_and_near_the_cpus(start: str) -> None:
    asked = Optimization(steps=12, perception="compact", start=start)
    photo, painting = gradient(200, 150), 255 - gradient(90, 120)

    def painted(device: str) -> Pixels:
        eye = perception_for(asked, device=torch.device(device))
        return optimize(photo, [(painting, 1.0)], asked, perception=eye).pixels

    once, again = painted("cuda"), painted("cuda")
    assert np.array_equal(once, again)
    assert np.abs(once.astype(float) - painted("cpu")).mean() < 4


@pytest.mark.skipif(Provider.CUDA not in available_providers(), reason="ONNX Runtime has no CUDA provider here")
def test_cuda_paints_what_the_cpu_paints() -> None:
    bundle = load_bundle(STARTER)
    cuda, cpu = (open_engine(bundle, provider=provider) for provider in (Provider.CUDA, Provider.CPU))
    images = np.random.default_rng(0).random((2, 3, 128, 192), dtype=np.float32)
    codes = np.stack([bundle.code("starry-night"), bundle.identity])
    np.testing.assert_allclose(cuda.run(images, codes), cpu.run(images, codes), atol=2 / 255)

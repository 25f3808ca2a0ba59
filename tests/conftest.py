"""Fixtures that several parts' tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

DATA_VARIABLE = "IMPASTO_TEST_DATA"


@pytest.fixture(scope="session")
def data() -> Path:
    """Return the folder with real VGG-19 weights, photos and paintings, or skip the test."""
    folder = os.environ.get(DATA_VARIABLE)
    if not folder:
        pytest.skip(f"{DATA_VARIABLE} does not say where the weights, photos and paintings are")
    return Path(folder)


@pytest.fixture(scope="session")
def random_vgg(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file of VGG-19's layout with random weights: enough where only the mechanics count."""
    import torch
    from safetensors.torch import save_file

    from impasto.nn.perception import CONV_POSITIONS

    generator = torch.Generator().manual_seed(0)
    state = {}
    for index, inputs, outputs in CONV_POSITIONS.values():
        scale = (2 / (9 * inputs)) ** 0.5
        state[f"features.{index}.weight"] = torch.randn(outputs, inputs, 3, 3, generator=generator) * scale
        state[f"features.{index}.bias"] = torch.zeros(outputs)
    path = tmp_path_factory.mktemp("vgg") / "random.safetensors"
    save_file(state, path)
    return path

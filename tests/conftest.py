"""Fixtures that several parts' tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgres import Postgres, find_programs
from tests.s3 import BUCKET, S3

DATA_VARIABLE = "IMPASTO_TEST_DATA"

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # for tests that import ONNX Runtime themselves


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

    from impasto.backbones import VGG19
    from impasto.nn.perception import Perception, torchvision_key

    generator = torch.Generator().manual_seed(0)
    state = {}
    for key, value in Perception(VGG19.exits).state_dict().items():
        scale = (2 / value[0].numel()) ** 0.5 if value.dim() > 1 else 0.0
        state[torchvision_key(key)] = torch.randn(value.shape, generator=generator) * scale
    path = tmp_path_factory.mktemp("vgg") / "random.safetensors"
    save_file(state, path)
    return path


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Return a PostgreSQL server of this run's own, or skip the test where the programs are missing."""
    programs = find_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (Debian's package is postgresql)")
    server = Postgres(programs)
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="module")
def s3_server() -> Iterator[S3]:
    server = S3()
    yield server
    server.stop()


@pytest.fixture
def s3(s3_server: S3, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the URL of an empty folder in S3."""
    s3_server.new_bucket(monkeypatch)
    return f"s3://{BUCKET}/some/prefix"

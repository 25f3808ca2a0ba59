"""The arrows that a linter of imports cannot see: what a process has loaded once it runs."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest

SERVING = [
    "impasto",
    "impasto.images",
    "impasto.sheets",
    "impasto.codes",
    "impasto.cards",
    "impasto.machine",
    "impasto.bundle",
    "impasto.engine",
    "impasto.backbones",
    "impasto.optimization",
    "impasto.jobs",
    "impasto.logs",
]
PROGRAMS = ["impasto_client", "impasto_client.cli", "impasto_server", "impasto_server.main"]


def loaded_by(module: str) -> set[str]:
    """Return the top-level packages that a fresh process has loaded after importing `module`."""
    script = f"import sys, {module}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stderr
    return set(run.stdout.split())


def skip_unless_present(module: str) -> None:
    if find_spec(module) is None:
        pytest.skip(f"{module} does not exist")


@pytest.mark.parametrize("module", [*SERVING, *PROGRAMS])
def test_what_serves_never_loads_torch(module: str) -> None:
    skip_unless_present(module)

    assert not loaded_by(module) & {"torch", "torchvision", "onnx", "onnxscript"}


@pytest.mark.parametrize("module", ["impasto", "impasto_client", "impasto_client.cli"])
def test_the_client_needs_only_the_base_dependencies(module: str) -> None:
    skip_unless_present(module)

    assert not loaded_by(module) & {"numpy", "PIL", "onnxruntime", "safetensors", "pydantic", "aiohttp"}


@pytest.mark.parametrize(
    ("package", "absent", "extra"),
    [
        ("impasto_server", "pydantic_settings", "server"),
        ("impasto_trainer", "torch", "train"),
        ("impasto_exporter", "onnx", "export"),
        ("impasto_worker", "sqlalchemy", "optimize"),
    ],
)
def test_a_program_without_its_dependencies_names_the_extra_that_brings_them(
    package: str, absent: str, extra: str
) -> None:
    script = f"import sys; sys.modules[{absent!r}] = None; import {package}; sys.exit({package}.program())"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert done.stderr == f"{absent} is not installed; run: pip install 'impasto[{extra}]'\n"


def test_the_bundle_module_is_of_use_without_a_runtime() -> None:
    assert "onnxruntime" not in loaded_by("impasto.bundle")
    assert "onnxruntime" not in loaded_by("impasto.engine")  # loaded when an engine is opened


@pytest.mark.parametrize("module", ["v1.stylizer_pb2", "v1.stylizer_pb2_grpc", "inference.open_inference_pb2_grpc"])
def test_the_stubs_have_been_generated(module: str) -> None:
    assert find_spec(f"impasto.{module}") is not None

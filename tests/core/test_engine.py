"""Engines paint what the graph says, wherever they run, and say why when they cannot."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import numpy as np
import onnxruntime
import pytest

from impasto.bundle import WEIGHTS
from impasto.codes import Codes
from impasto.engine import (
    Engine,
    FakeEngine,
    Provider,
    available_providers,
    open_engine,
    opening,
    openvino,
)
from impasto.errors import EngineError, MissingDependency
from impasto.images import Planes, to_planes
from tests.core.graphs import gate_bundle, halving_graph
from tests.support import code, gradient


def photos(count: int, height: int = 48, width: int = 64) -> Planes:
    return np.concatenate([to_planes(np.roll(gradient(width, height), k, axis=0)) for k in range(count)])


def mixed(count: int) -> Codes:
    """Return codes [count, D] of every strength from the photo to its negative."""
    return np.stack([code(1 - s, s) for s in np.linspace(0, 1, count)])


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return open_engine(gate_bundle(tmp_path / "gate"), provider=Provider.CPU, threads=1)


# The fake


def test_the_fake_paints_the_photo_or_its_negative_and_notes_the_shapes() -> None:
    fake: Engine = FakeEngine()

    painted = fake.run(photos(2), np.stack([code(1, 0), code(0, 1)]))

    assert (painted[0] == photos(2)[0]).all()
    assert np.allclose(painted[1], 1 - photos(2)[1])
    assert isinstance(fake, FakeEngine)
    assert fake.shapes == [(2, 3, 48, 64)]


# ONNX Runtime


@pytest.mark.parametrize("count", [1, 2, 5], ids=lambda count: f"batch of {count}")
@pytest.mark.parametrize(("height", "width"), [(48, 64), (16, 16), (20, 132)])
def test_it_paints_as_the_graph_says(engine: Engine, count: int, height: int, width: int) -> None:
    images, codes = photos(count, height, width), mixed(count)

    painted = engine.run(images, codes)

    assert painted.shape == images.shape
    assert painted.dtype == np.float32
    assert np.allclose(painted, FakeEngine().run(images, codes), atol=1e-6)


def test_the_identity_returns_the_photo_to_the_last_bit(engine: Engine) -> None:
    assert (engine.run(photos(1), mixed(1)) == photos(1)).all()


def test_weights_come_from_the_file_beside_the_graph(tmp_path: Path) -> None:
    bundle = gate_bundle(tmp_path / "gate", white=0.5)

    painted = open_engine(bundle, provider=Provider.CPU).run(np.zeros((1, 3, 16, 16), np.float32), code(0, 1)[None])

    assert (painted == 0.5).all()


def test_slices_of_larger_arrays_are_painted_too(engine: Engine) -> None:
    images = photos(1, 64, 64)[:, :, 8:56:2, ::2]

    assert np.allclose(engine.run(images, mixed(1)), images)


def test_many_threads_may_paint_at_once(engine: Engine) -> None:
    jobs = [(photos(1 + k % 3, 16 + 4 * (k % 5), 32), mixed(1 + k % 3)) for k in range(24)]

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda job: engine.run(*job), jobs))

    for painted, job in zip(results, jobs, strict=True):
        assert np.allclose(painted, FakeEngine().run(*job), atol=1e-6)


@pytest.mark.parametrize(
    ("images", "codes", "reason"),
    [
        pytest.param(photos(1), mixed(1)[:, :-1], "invalid dimensions", id="a code too short"),
        pytest.param(photos(1)[0], mixed(1), "Invalid rank", id="no batch"),
        pytest.param(photos(1), mixed(1) * np.nan, "not finite", id="NaN"),
    ],
)
def test_a_failed_run_is_an_engine_error(engine: Engine, images: Planes, codes: Codes, reason: str) -> None:
    with pytest.raises(EngineError, match=f"(?s)^cpu .*{reason}"):
        engine.run(images, codes)

    assert engine.run(photos(1), mixed(1)).shape == (1, 3, 48, 64)


def test_a_picture_of_another_size_is_an_engine_error(tmp_path: Path) -> None:
    bundle = gate_bundle(tmp_path / "gate", graph=halving_graph())

    with pytest.raises(EngineError, match=r"cpu painted \(1, 3, 24, 32\) on a batch of \(1, 3, 48, 64\)"):
        open_engine(bundle, provider=Provider.CPU).run(photos(1), mixed(1))


def test_a_broken_graph_is_an_engine_error_that_names_it(tmp_path: Path) -> None:
    bundle = gate_bundle(tmp_path / "gate", graph=b"no graph")

    with pytest.raises(EngineError, match=r"cpu cannot run .*transformer\.onnx"):
        open_engine(bundle, provider=Provider.CPU)


def test_weights_that_have_gone_are_an_engine_error(tmp_path: Path) -> None:
    bundle = gate_bundle(tmp_path / "gate")
    (bundle.path / WEIGHTS).unlink()

    with pytest.raises(EngineError, match=WEIGHTS):
        open_engine(bundle, provider=Provider.CPU)


# Choosing a provider


def test_the_fastest_provider_is_chosen_and_the_cpu_is_always_there(tmp_path: Path) -> None:
    available = available_providers()

    engine = open_engine(gate_bundle(tmp_path / "gate"))

    assert available[-1] is Provider.CPU
    assert engine.name == available[0].value
    assert np.allclose(engine.run(photos(1), mixed(1)), photos(1), atol=1e-2)  # OpenVINO computes in bfloat16


def test_a_provider_that_cannot_run_the_graph_gives_way_to_the_next_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(opening, "available_providers", lambda: [Provider.CUDA, Provider.CPU])

    engine = open_engine(gate_bundle(tmp_path / "gate"))

    assert engine.name == Provider.CPU.value
    assert "CUDA" in caplog.text
    assert "the next provider is tried" in caplog.text


def test_the_providers_can_be_asked_for_time_and_again() -> None:
    assert available_providers() == available_providers()


def test_a_provider_that_is_not_here_is_refused_with_those_that_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "available_providers", lambda: [Provider.OPENVINO, Provider.CPU])

    with pytest.raises(EngineError, match="'cuda' is not available here; available: openvino, cpu"):
        open_engine(gate_bundle(tmp_path / "gate"), provider=Provider.CUDA)


def test_a_device_of_a_plugin_is_used_through_the_session_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cpu = next(device for device in onnxruntime.get_ep_devices() if device.ep_name == "CPUExecutionProvider")
    monkeypatch.setattr(openvino, "openvino_device", lambda runtime: cpu)
    monkeypatch.setattr(opening, "available_providers", lambda: [Provider.OPENVINO, Provider.CPU])

    engine = open_engine(gate_bundle(tmp_path / "gate"), provider=Provider.OPENVINO)

    assert np.allclose(engine.run(photos(2), mixed(2)), FakeEngine().run(photos(2), mixed(2)), atol=1e-6)


def test_an_openvino_plugin_that_cannot_be_loaded_leaves_the_plain_cpu(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def get_library_path() -> str:
        raise FileNotFoundError("no library")

    plugin = ModuleType("onnxruntime_ep_openvino")
    monkeypatch.setattr(plugin, "get_library_path", get_library_path, raising=False)
    monkeypatch.setitem(sys.modules, plugin.__name__, plugin)

    assert Provider.OPENVINO not in available_providers()
    assert "the OpenVINO plugin cannot be loaded, so it is not used: no library" in caplog.text


def test_without_an_openvino_plugin_the_plain_cpu_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime_ep_openvino", None)

    assert Provider.OPENVINO not in available_providers()
    assert available_providers()[-1] is Provider.CPU


def test_without_onnx_runtime_the_extra_to_install_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)

    with pytest.raises(MissingDependency, match=r"pip install 'impasto\[cpu\]'"):
        available_providers()


def test_both_distributions_of_onnx_runtime_at_once_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("onnxruntime", "onnxruntime_gpu"):
        folder = tmp_path / f"{name}-1.31.1.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: 1.31.1\n")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(EngineError, match=r"both installed.*pip uninstall -y onnxruntime onnxruntime-gpu"):
        available_providers()

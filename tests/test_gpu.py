"""What only a CUDA device can show; skipped without one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import pytest
import torch

from impasto.bundle import STARTER, Bundle, load_bundle
from impasto.codes import Codes
from impasto.engine import Cancellation, Provider, available_providers, open_engine
from impasto.engine.buckets import DeviceThread, StaticEngine
from impasto.engine.cuda import MEMORY_LIMIT, CudaEngine, cuda_place
from impasto.engine.precision import LEAST_DECIBELS
from impasto.engine.probe import decibels, probe_photo
from impasto.engine.shapes import Shape
from impasto.engine.static import StaticSession
from impasto.engine.transfer import PlainTransfer
from impasto.errors import EngineError, RunCancelled
from impasto.images import Pixels, Planes, resize, to_pixels, to_planes
from impasto.nn.checkpoint import CHECKPOINT_FILE, Checkpoint
from impasto.nn.optimize import optimize, perception_for
from impasto.optimization import Optimization
from impasto_trainer.main import main
from tests.support import gradient
from tests.trainer.pictures import painting, photos

pytestmark = pytest.mark.gpu
torch_on_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device")
on_cuda = pytest.mark.skipif(
    Provider.CUDA not in available_providers(), reason="ONNX Runtime has no CUDA provider here"
)


@pytest.fixture(scope="module")
def starter() -> Bundle:
    return load_bundle(STARTER)


@torch_on_cuda
def test_training_runs_on_cuda(tmp_path: Path, random_vgg: Path) -> None:
    places = ["--photos", str(photos(tmp_path / "photos")), "--painting", str(painting(tmp_path / "ink.jpg"))]
    given = [*places, "--out", str(tmp_path / "out"), "--vgg-weights", str(random_vgg), "--device", "cuda"]
    assert main(["fit", *given, "--steps", "4", "--crop", "64", "--workers", "0"]) == 0
    assert Checkpoint.load(tmp_path / "out" / CHECKPOINT_FILE).training["device"] == "cuda"


@torch_on_cuda
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


def cuda_memory() -> int:
    """Return the bytes of device memory that are taken, by whomever."""
    free, total = torch.cuda.mem_get_info()
    return int(total - free)


def photos_of(shape: tuple[int, ...], seed: int = 0) -> Planes:
    return np.random.default_rng(seed).random(shape, dtype=np.float32)


def codes_of(bundle: Bundle, count: int) -> Codes:
    """Return codes [count, D], each of another style."""
    return np.stack(list(islice(cycle([*bundle.codes.values(), bundle.identity]), count)))


@on_cuda
@pytest.mark.parametrize(("precision", "least"), [("fp32", 70.0), ("tf32", LEAST_DECIBELS), ("fp16", LEAST_DECIBELS)])
@pytest.mark.parametrize("shape", [(1, 3, 256, 256), (2, 3, 128, 192), (5, 3, 64, 64), (4, 3, 1024, 1024)], ids=str)
def test_cuda_paints_what_the_cpu_paints(starter: Bundle, precision: str, least: float, shape: tuple[int, ...]) -> None:
    images = np.broadcast_to(resized_probe(starter, shape[2], shape[3]), shape)
    codes = codes_of(starter, shape[0])
    expected = open_engine(starter, provider=Provider.CPU).run(images, codes)

    painted = CudaEngine(starter, precision=precision).run(images, codes)

    for one, other in zip(painted, expected, strict=True):
        assert decibels(one, other) > least


def resized_probe(bundle: Bundle, height: int, width: int) -> Planes:
    return to_planes(resize(to_pixels(probe_photo(bundle.size_multiple)), width, height))


@on_cuda
def test_the_identity_returns_the_photo_on_cuda(starter: Bundle) -> None:
    photo = photos_of((1, 3, 96, 96))
    for precision in ("fp32", "tf32", "fp16"):
        assert np.abs(CudaEngine(starter, precision=precision).run(photo, starter.identity[None]) - photo).max() < 1e-6


@on_cuda
def test_the_starter_is_painted_in_half_precision(starter: Bundle, caplog: pytest.LogCaptureFixture) -> None:
    """It passes the gate, no node of it runs on the CPU, and there is pinned memory: else this would be logged."""
    engine = open_engine(starter)

    assert (engine.name, engine.precision) == ("cuda", "fp16")
    assert not caplog.records


@on_cuda
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("side", [64, 1024], ids=["captured", "not captured"])
def test_no_node_runs_on_the_cpu(starter: Bundle, precision: str, side: int) -> None:
    place = cuda_place(precision, MEMORY_LIMIT, {})
    shape = Shape(4, side, side)
    assert ("enable_cuda_graph" in place.options_for(shape)) == (side == 64)

    def providers() -> set[str]:
        graph = starter.graph_in(precision)
        session = StaticSession(graph, shape, len(starter.identity), place, PlainTransfer())
        return {part.ep_name for part in session._session.get_provider_graph_assignment_info()}

    assert DeviceThread("test").call(providers) == {place.provider}


@on_cuda
def test_replayed_work_paints_the_inputs_of_each_run(starter: Bundle) -> None:
    engine, cpu = CudaEngine(starter, precision="fp32"), open_engine(starter, provider=Provider.CPU)
    codes = codes_of(starter, 3)

    for seed in range(3):
        photo = photos_of((1, 3, 128, 128), seed)
        painted = engine.run(photo, codes[seed][None])
        assert np.abs(painted - cpu.run(photo, codes[seed][None])).max() < 2 / 255


@on_cuda
@torch_on_cuda
def test_a_bucket_is_opened_once_and_its_memory_is_given_back(starter: Bundle) -> None:
    place = cuda_place("fp16", MEMORY_LIMIT, {})
    thread = DeviceThread("test")
    engine = StaticEngine(starter.graph_in("fp16"), len(starter.identity), place, thread)
    images, codes = photos_of((2, 3, 256, 256)), codes_of(starter, 2)
    engine.run(images, codes)
    held = cuda_memory()
    for _ in range(20):
        engine.run(images, codes)
    assert engine.buckets.shapes == [Shape(2, 256, 256)]
    assert cuda_memory() == held

    for side in (512, 1024, 768, 640):
        engine.run(photos_of((1, 3, side, side)), codes[:1])
    grown = cuda_memory()
    thread.call(engine.buckets.clear)

    assert cuda_memory() < grown
    assert engine.run(images, codes).shape == images.shape


@on_cuda
def test_many_threads_and_engines_may_paint_at_once_while_shapes_are_captured(starter: Bundle) -> None:
    engines = [CudaEngine(starter, precision=precision) for precision in ("fp32", "fp16")]
    jobs = [(engines[k % 2], photos_of((1 + k % 3, 3, 64 + 8 * (k % 7), 96), k)) for k in range(60)]

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda job: job[0].run(job[1], codes_of(starter, len(job[1]))), jobs))

    for (_, images), painted in zip(jobs, results, strict=True):
        expected = engines[0].run(images, codes_of(starter, len(images)))
        assert decibels(painted, expected) > LEAST_DECIBELS


class CancelledInTime(Cancellation):
    """Cancels the run just as it begins."""

    @contextmanager
    def stopping_by(self, stop: Callable[[], None]) -> Iterator[None]:
        with super().stopping_by(stop):
            self.cancel()
            yield


@on_cuda
def test_a_run_on_cuda_can_be_cancelled_and_the_engine_goes_on(starter: Bundle) -> None:
    engine = CudaEngine(starter, precision="fp16")
    small, large = photos_of((1, 3, 256, 256)), photos_of((4, 3, 1024, 1024))
    before = Cancellation()
    before.cancel()

    with pytest.raises(RunCancelled):
        engine.run(small, codes_of(starter, 1), before)
    engine.run(large, codes_of(starter, 4))
    with pytest.raises(RunCancelled):  # too large to be captured, so it stops between two nodes
        engine.run(large, codes_of(starter, 4), CancelledInTime())

    assert np.isfinite(engine.run(large, codes_of(starter, 4))).all()
    assert engine.run(small, codes_of(starter, 1)).shape == small.shape


@on_cuda
@torch_on_cuda
def test_the_memory_limit_is_kept_and_a_picture_beyond_it_is_an_engine_error(starter: Bundle) -> None:
    engine = CudaEngine(starter, precision="fp32", memory_limit=2**29)
    small = photos_of((1, 3, 256, 256))
    engine.run(small, codes_of(starter, 1))
    before = cuda_memory()

    with pytest.raises(EngineError):
        engine.run(photos_of((4, 3, 2048, 2048)), codes_of(starter, 4))

    assert cuda_memory() - before < 3 * 2**29  # its photos and pictures, 200 MB each, lie outside the arena
    assert engine.run(small, codes_of(starter, 1)).shape == small.shape

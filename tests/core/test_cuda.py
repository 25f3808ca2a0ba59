"""Engines of fixed shapes, all that the engine on CUDA is made of, on the plain CPU: tests/test_gpu.py has the rest."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from impasto.bundle import STARTER, Bundle, load_bundle
from impasto.codes import Codes
from impasto.engine import Cancellation, FakeEngine, Provider, cuda, open_engine
from impasto.engine.buckets import Buckets, DeviceThread, StaticEngine
from impasto.engine.cuda import CudaEngine
from impasto.engine.precision import LEAST_DECIBELS
from impasto.engine.probe import decibels
from impasto.engine.shapes import Shape, bucket_size, parts
from impasto.engine.staging import Staged, StagingPool
from impasto.engine.static import CPU_PLACE, Place, StaticSession
from impasto.engine.transfer import PinnedTransfer, PlainTransfer, Transfer, cuda_transfer
from impasto.errors import BundleError, EngineError, RunCancelled
from impasto.images import Planes
from tests.core.graphs import gate_bundle, halving_graph
from tests.core.test_engine import mixed, photos
from tests.support import CODE_SIZE


def static_engine(
    bundle: Bundle, *, precision: str = "fp32", place: Place = CPU_PLACE, transfer: Transfer | None = None
) -> StaticEngine:
    graph = bundle.graph_in(precision)
    return StaticEngine(graph, len(bundle.identity), place, DeviceThread("test"), transfer)


@pytest.fixture
def engine(tmp_path: Path) -> StaticEngine:
    return static_engine(gate_bundle(tmp_path / "gate"))


@pytest.fixture(scope="module")
def starter() -> Bundle:
    return load_bundle(STARTER)


# Painting


@pytest.mark.parametrize("count", [1, 2, 5, 8], ids=lambda count: f"batch of {count}")
@pytest.mark.parametrize(("height", "width"), [(48, 64), (16, 16), (20, 132)])
def test_it_paints_as_the_graph_says(engine: StaticEngine, count: int, height: int, width: int) -> None:
    images, codes = photos(count, height, width), mixed(count)

    painted = engine.run(images, codes)

    assert painted.dtype == np.float32
    assert np.allclose(painted, FakeEngine().run(images, codes), atol=1e-6)


def test_every_run_paints_its_own_inputs_and_leaves_earlier_pictures_alone(engine: StaticEngine) -> None:
    first = engine.run(photos(1), mixed(1))
    kept = first.copy()

    second = engine.run(1 - photos(1), mixed(1))

    assert (second == 1 - photos(1)).all()
    assert (first == kept).all()


@pytest.mark.parametrize("shape", [(1, 3, 64, 48), (3, 3, 40, 40)])
def test_the_starter_is_painted_as_by_the_engine_of_free_shapes(starter: Bundle, shape: tuple[int, ...]) -> None:
    images = np.random.default_rng(0).random(shape, dtype=np.float32)
    codes = np.stack([*starter.codes.values()][: len(images)])
    expected = open_engine(starter, provider=Provider.CPU).run(images, codes)

    assert np.allclose(static_engine(starter).run(images, codes), expected, atol=1e-4)
    assert decibels(static_engine(starter, precision="fp16").run(images, codes), expected) > LEAST_DECIBELS


def test_a_picture_is_painted_in_a_batch_as_it_is_alone(starter: Bundle) -> None:
    images = np.random.default_rng(1).random((3, 3, 48, 32), dtype=np.float32)
    codes = np.stack([*starter.codes.values()][:3])
    engine = static_engine(starter, precision="fp16")

    together = engine.run(images, codes)

    for image, own, painted in zip(images, codes, together, strict=True):
        assert np.abs(engine.run(image[None], own[None])[0] - painted).max() <= 1 / 255


def test_many_threads_may_paint_at_once(engine: StaticEngine) -> None:
    jobs = [(photos(1 + k % 3, 16 + 4 * (k % 5), 32), mixed(1 + k % 3)) for k in range(48)]

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda job: engine.run(*job), jobs))

    for painted, job in zip(results, jobs, strict=True):
        assert np.allclose(painted, FakeEngine().run(*job), atol=1e-6)


def test_nothing_that_computes_sizes_is_left_in_a_session(starter: Bundle) -> None:
    session = StaticSession(starter.graph, Shape(2, 64, 48), len(starter.identity), CPU_PLACE, PlainTransfer())
    assigned = session._session.get_provider_graph_assignment_info()

    operators = {node.op_type for part in assigned for node in part.get_nodes()}
    assert "Conv" in operators
    assert not operators & {"Shape", "Div", "Concat", "Gather"}


# Refusing


@pytest.mark.parametrize(
    ("images", "codes", "reason"),
    [
        pytest.param(
            photos(1), mixed(1)[:, :-1], r"takes codes \[1, 10\] with 1 photos, not \[1, 9\]", id="short code"
        ),
        pytest.param(photos(2), mixed(1), r"takes codes \[2, 10\] with 2 photos, not \[1, 10\]", id="a code too few"),
        pytest.param(photos(1)[0], mixed(1), r"takes photos \[N, 3, H, W\], not \[3, 48, 64\]", id="no batch"),
        pytest.param(photos(1)[:, :2], mixed(1), r"not \[1, 2, 48, 64\]", id="two channels"),
        pytest.param(photos(1), mixed(1) * np.nan, "not finite", id="NaN"),
    ],
)
def test_what_cannot_be_painted_is_an_engine_error(
    engine: StaticEngine, images: Planes, codes: Codes, reason: str
) -> None:
    with pytest.raises(EngineError, match=f"(?s)^cpu .*{reason}"):
        engine.run(images, codes)

    assert engine.run(photos(1), mixed(1)).shape == (1, 3, 48, 64)


def test_a_graph_that_paints_another_size_is_an_engine_error(tmp_path: Path) -> None:
    engine = static_engine(gate_bundle(tmp_path / "gate", graph=halving_graph()))

    with pytest.raises(EngineError, match=r"^cpu failed on a batch of \(1, 3, 48, 64\)"):
        engine.run(photos(1), mixed(1))


def test_a_broken_graph_is_an_engine_error_that_names_it(tmp_path: Path) -> None:
    engine = static_engine(gate_bundle(tmp_path / "gate", graph=b"no graph"))

    with pytest.raises(EngineError, match=r"cpu cannot run .*transformer\.onnx at \(1, 48, 64\)"):
        engine.run(photos(1), mixed(1))


def test_nodes_that_would_run_elsewhere_are_named(tmp_path: Path) -> None:
    """Azure's provider is there in every ONNX Runtime for CPUs, and takes no node of ours."""
    elsewhere = Place("azure", "AzureExecutionProvider", "cpu")
    engine = static_engine(gate_bundle(tmp_path / "gate"), place=elsewhere)

    with pytest.raises(EngineError, match=r"azure cannot run \d+ nodes of .*transformer\.onnx.*\(Slice\), .*\.\.\."):
        engine.run(photos(1), mixed(1))


def test_a_provider_that_is_not_there_is_told_with_what_to_do(tmp_path: Path) -> None:
    absent = Place("cuda", "CUDAExecutionProvider", "cpu", remedy="; install it")
    engine = static_engine(gate_bundle(tmp_path / "gate"), place=absent)

    with pytest.warns(UserWarning, match="CUDAExecutionProvider"), pytest.raises(EngineError, match=r"; install it$"):
        engine.run(photos(1), mixed(1))


class UncapturedSession(StaticSession):
    """Cannot capture, as the runtime cannot where nodes run elsewhere, and does not say which."""

    def _opened(self, graph: Path, shape: Shape, provider_options: Mapping[str, str]) -> Any:
        if provider_options:
            raise RuntimeError("This session cannot use the graph capture feature as requested by the user")
        return super()._opened(graph, shape, provider_options)


@pytest.mark.parametrize(
    ("provider", "complaint"),
    [
        ("AzureExecutionProvider", r"place cannot run \d+ nodes of"),
        ("CPUExecutionProvider", "cannot use the graph capture"),
    ],
    ids=["for nodes elsewhere", "for something else"],
)
def test_where_work_cannot_be_captured_for_nodes_elsewhere_they_are_named(
    tmp_path: Path, provider: str, complaint: str
) -> None:
    bundle, shape = gate_bundle(tmp_path / "gate"), Shape(1, 16, 16)
    place = Place("place", provider, "cpu", capturing={"capture": "1"}, captured_pixels=shape.pixels)

    with pytest.raises(EngineError, match=complaint):
        UncapturedSession(bundle.graph, shape, CODE_SIZE, place, PlainTransfer())


class FailingTransfer(PlainTransfer):
    """Fails while it is told to."""

    failing = False

    def upload(self, array: Planes, value: Any) -> None:
        if self.failing:
            raise RuntimeError("the device fell off the bus")
        super().upload(array, value)


def test_after_a_failure_the_session_is_opened_anew(tmp_path: Path) -> None:
    transfer = FailingTransfer()
    engine = static_engine(gate_bundle(tmp_path / "gate"), transfer=transfer)
    engine.run(photos(1), mixed(1))
    transfer.failing = True
    with pytest.raises(EngineError, match=r"cpu failed on a batch of .*: the device fell off the bus"):
        engine.run(photos(1), mixed(1))
    assert engine.buckets.shapes == []

    transfer.failing = False

    assert (engine.run(photos(1), mixed(1)) == photos(1)).all()


# Cancelling


class CancelledInTime(Cancellation):
    """Cancels the run just as it begins."""

    @contextmanager
    def stopping_by(self, stop: Callable[[], None]) -> Iterator[None]:
        with super().stopping_by(stop):
            self.cancel()
            yield


def test_a_run_is_stopped_between_two_nodes(engine: StaticEngine) -> None:
    engine.run(photos(1), mixed(1))

    with pytest.raises(RunCancelled, match=r"cpu was stopped on a batch of \(1, 3, 48, 64\)"):
        engine.run(photos(1), mixed(1), CancelledInTime())

    assert engine.buckets.shapes == [Shape(1, 48, 64)]  # which is still of use
    assert (engine.run(photos(1), mixed(1)) == photos(1)).all()


def test_a_run_that_was_cancelled_before_does_not_begin(engine: StaticEngine) -> None:
    cancellation = Cancellation()
    cancellation.cancel()

    with pytest.raises(RunCancelled, match="cpu was stopped ahead of a batch"):
        engine.run(photos(1), mixed(1), cancellation)


# Buckets


def test_a_session_is_opened_once_for_each_shape_and_power_of_two(engine: StaticEngine) -> None:
    for count in (1, 5, 7, 4):
        engine.run(photos(count), mixed(count))
    engine.run(photos(1, 20, 24), mixed(1))

    assert sorted(engine.buckets.shapes) == [(1, 20, 24), (1, 48, 64), (2, 48, 64), (4, 48, 64)]


@pytest.mark.parametrize(("batch", "expected"), [(1, [1]), (6, [4, 2]), (13, [8, 4, 1]), (32, [32])])
def test_a_batch_is_painted_in_powers_of_two(batch: int, expected: list[int]) -> None:
    assert parts(batch) == expected


class Opened:
    """Opens stand-ins for sessions, of which so many find memory at a time."""

    def __init__(self, room: int = 99) -> None:
        self.shapes: list[Shape] = []
        self.room = room
        self.buckets: Buckets | None = None

    def __call__(self, shape: Shape) -> StaticSession:
        self.shapes.append(shape)
        if self.buckets is not None and len(self.buckets.shapes) >= self.room:
            raise EngineError("out of memory")
        return object.__new__(StaticSession)


def test_the_buckets_used_last_are_kept() -> None:
    opened = Opened()
    buckets = Buckets(opened, most=2)
    a, b, c = (Shape(1, side, side) for side in (16, 32, 48))

    sessions = [buckets.get(shape) for shape in (a, b, a, c, a)]

    assert sessions[0] is sessions[2] is sessions[4]
    assert buckets.shapes == [c, a]
    assert opened.shapes == [a, b, c]


def test_buckets_are_bounded_by_their_pixels_and_one_is_always_allowed() -> None:
    buckets = Buckets(Opened(), most_pixels=2 * 64 * 64)
    small, other, large = Shape(1, 64, 64), Shape(1, 64, 32), Shape(4, 64, 64)

    for shape in (small, other):
        buckets.get(shape)
    assert buckets.shapes == [small, other]

    buckets.get(large)
    assert buckets.shapes == [large]


def test_a_bucket_that_finds_no_memory_takes_that_of_the_others() -> None:
    opened = Opened(room=2)
    opened.buckets = buckets = Buckets(opened)
    a, b, c = (Shape(1, side, side) for side in (16, 32, 48))

    for shape in (a, b, c):
        buckets.get(shape)

    assert buckets.shapes == [c]
    opened.room = 0
    with pytest.raises(EngineError, match="out of memory"):
        buckets.get(a)


def test_an_engine_that_nobody_needs_closes_its_sessions_in_the_thread_of_the_device(tmp_path: Path) -> None:
    bundle, thread = gate_bundle(tmp_path / "gate"), DeviceThread("test")
    engine = StaticEngine(bundle.graph, CODE_SIZE, CPU_PLACE, thread)
    engine.run(photos(1), mixed(1))
    buckets = engine.buckets

    del engine
    gc.collect()
    thread.call(lambda: None)  # behind what was left to do there

    assert buckets.shapes == []


def test_only_small_shapes_are_captured() -> None:
    place = Place("gpu", "x", "cpu", options={"a": "1", "b": "1"}, capturing={"b": "2"}, captured_pixels=2 * 64 * 64)

    assert place.options_for(Shape(2, 64, 64)) == {"a": "1", "b": "2"}
    assert place.options_for(Shape(2, 64, 65)) == {"a": "1", "b": "1"}


@pytest.mark.parametrize(
    ("size", "multiple", "expected"),
    [
        ((256, 256), 8, (256, 256)),
        ((1280, 960), 8, (1328, 936)),
        ((300, 200), 4, (304, 196)),
        ((1, 4000), 4, (16, 4096)),
        ((20, 20), 100, (100, 100)),
    ],
)
def test_a_bucket_is_near_the_size_that_was_asked_for(
    size: tuple[int, int], multiple: int, expected: tuple[int, int]
) -> None:
    assert bucket_size(size, multiple) == expected


def test_there_are_few_buckets_and_none_is_far() -> None:
    buckets = {bucket_size((side, side), 8)[0] for side in range(512, 1025)}

    assert buckets == {512, 560, 608, 664, 728, 792, 864, 936, 1024}
    assert all(abs(bucket_size((side, side), 8)[0] / side - 1) < 0.05 for side in range(512, 4096))
    assert all(bucket_size((side, side), 8) == (side, side) for side in buckets)


# Staging


def staged(shape: Shape) -> Staged:
    return Staged.of(shape, CODE_SIZE, PlainTransfer())


def test_staged_memory_is_lent_again_to_a_batch_of_its_shape() -> None:
    pool = StagingPool(staged, most_bytes=10**6)
    shape = Shape(1, 16, 16)

    with pool.borrowed(shape) as first, pool.borrowed(shape) as second:
        assert first is not second
    with pool.borrowed(shape) as again, pool.borrowed(Shape(1, 16, 20)) as other:
        assert again in (first, second)
        assert other.image.shape == (1, 3, 16, 20)


def test_staged_memory_is_not_lent_again_after_a_failure() -> None:
    pool = StagingPool(staged, most_bytes=10**6)
    with pytest.raises(RuntimeError), pool.borrowed(Shape(1, 16, 16)) as first:
        raise RuntimeError("who knows who still writes there")

    with pool.borrowed(Shape(1, 16, 16)) as second:
        assert second is not first


def test_staged_memory_that_waits_is_bounded_but_for_one_batch() -> None:
    made: list[Shape] = []

    def make(shape: Shape) -> Staged:
        made.append(shape)
        return staged(shape)

    pool = StagingPool(make, most_bytes=10_000)  # a batch of 16 x 16 px has 6184
    small, large = Shape(1, 16, 16), Shape(1, 32, 32)
    for shape in (small, small, large, large, small):
        with pool.borrowed(shape):
            pass

    assert made == [small, large, small]


# Transfer


def cudart(*, out_of_memory: bool = False) -> Any:
    """Return a CUDA runtime whose device is the host."""
    blocks: dict[int, Any] = {}

    def cuda_memcpy(to: int, source: int, size: int, kind: int) -> int:
        ctypes.memmove(to, source, size)
        return 0 if kind in (1, 2) else 21

    def cuda_host_alloc(address: Any, size: int, flags: int) -> int:
        if out_of_memory:
            return 2
        block = ctypes.create_string_buffer(size)
        address._obj.value = ctypes.addressof(block)
        blocks[ctypes.addressof(block)] = block
        return flags

    def cuda_free_host(address: ctypes.c_void_p) -> int:
        assert address.value is not None
        blocks.pop(address.value)
        return 0

    return SimpleNamespace(
        cudaMemcpy=cuda_memcpy, cudaHostAlloc=cuda_host_alloc, cudaFreeHost=cuda_free_host, blocks=blocks
    )


def at_once(function: Callable[..., object], *arguments: object) -> None:
    function(*arguments)


def test_pictures_pass_through_pinned_memory(tmp_path: Path) -> None:
    library = cudart()
    engine = static_engine(gate_bundle(tmp_path / "gate"), transfer=PinnedTransfer(library, at_once))

    for count in (3, 1):
        painted = engine.run(photos(count), mixed(count))
        assert np.allclose(painted, FakeEngine().run(photos(count), mixed(count)), atol=1e-6)
    assert library.blocks


def test_pinned_memory_is_given_back_with_the_last_array_that_shows_it() -> None:
    library = cudart()
    array = PinnedTransfer(library, at_once).array((2, 3))
    view = array[1:]

    assert (array == 0).all()
    assert len(library.blocks) == 1
    del array
    assert len(library.blocks) == 1
    del view
    assert not library.blocks


def test_a_failed_copy_is_an_engine_error_that_names_it() -> None:
    library = cudart()
    library.cudaMemcpy = lambda *_: 700
    transfer = PinnedTransfer(library, at_once)

    with pytest.raises(EngineError, match="cudaMemcpy failed with error 700"):
        transfer.upload(transfer.array((1,)), SimpleNamespace(data_ptr=lambda: 0))


def test_the_cuda_runtime_is_looked_for_by_its_versions() -> None:
    def load(name: str) -> Any:
        if name != "libcudart.so.12":
            raise OSError(f"{name}: cannot open shared object file")
        return cudart()

    assert isinstance(cuda_transfer(at_once, load), PinnedTransfer)


@pytest.mark.parametrize(
    ("library", "reason"),
    [(cudart(out_of_memory=True), "cudaHostAlloc failed with error 2"), (SimpleNamespace(), "cudaMemcpy")],
    ids=["no pinned memory", "another library"],
)
def test_without_pinned_memory_pictures_go_the_plain_way(
    library: Any, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert isinstance(cuda_transfer(at_once, lambda _: library), PlainTransfer)
    assert reason in caplog.text


# The engine on CUDA, on the CPU


@pytest.fixture
def on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Have the CUDA engine compute on the CPU; return the precisions that it is asked for."""
    asked: list[str] = []

    def place(precision: str, *_: object) -> Place:
        asked.append(precision)
        return replace(CPU_PLACE, name=precision)

    monkeypatch.setattr(cuda, "cuda_place", place)
    return asked


def test_half_precision_is_used_where_every_style_passes(starter: Bundle, on_the_cpu: list[str]) -> None:
    engine = CudaEngine(starter)

    assert (engine.name, engine.precision) == ("cuda", "fp16")
    assert on_the_cpu == ["fp32", "fp16"]
    images, codes = np.full((1, 3, 64, 64), 0.5, np.float32), starter.code("starry-night")[None]
    expected = static_engine(starter, precision="fp16").run(images, codes)
    assert np.allclose(engine.run(images, codes), expected, atol=1e-6)


def test_a_bundle_without_a_graph_in_half_precision_is_painted_in_tf32(tmp_path: Path, on_the_cpu: list[str]) -> None:
    assert CudaEngine(gate_bundle(tmp_path / "gate")).precision == "tf32"
    assert on_the_cpu == ["fp32", "tf32"]


def test_a_bundle_that_suffers_is_painted_in_fp32(
    starter: Bundle, on_the_cpu: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cuda, "passes", lambda *_: False)

    engine = CudaEngine(starter)

    assert engine.precision == "fp32"
    assert on_the_cpu == ["fp32", "fp16", "tf32"]
    assert engine.run(np.zeros((1, 3, 16, 16), np.float32), starter.identity[None]).max() == 0


def test_a_precision_that_is_asked_for_is_not_tried(starter: Bundle, on_the_cpu: list[str]) -> None:
    assert CudaEngine(starter, precision="tf32").precision == "tf32"
    assert on_the_cpu == ["tf32"]


def test_half_precision_cannot_be_asked_of_a_bundle_without_it(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"has no graph in 'fp16', but fp32; .*impasto-export --half"):
        CudaEngine(gate_bundle(tmp_path / "gate"), precision="fp16")


def test_what_is_asked_of_the_provider() -> None:
    place = cuda.cuda_place("fp32", 2**30, {"prefer_nhwc": "1", "cudnn_conv_algo_search": "EXHAUSTIVE"})

    assert place.options["use_tf32"] == "0"
    assert place.options["gpu_mem_limit"] == str(2**30)
    assert place.options["arena_extend_strategy"] == "kSameAsRequested"
    assert (place.options["prefer_nhwc"], place.options["cudnn_conv_algo_search"]) == ("1", "EXHAUSTIVE")
    assert cuda.cuda_place("fp16", 1, {}).options["cudnn_conv_algo_search"] == "HEURISTIC"
    assert place.options_for(Shape(1, 256, 256))["enable_cuda_graph"] == "1"
    assert "enable_cuda_graph" not in place.options_for(Shape(32, 1024, 1024))
    uncaptured = cuda.cuda_place("fp16", 1, {"enable_cuda_graph": "0"})
    assert uncaptured.options_for(Shape(1, 256, 256))["enable_cuda_graph"] == "0"

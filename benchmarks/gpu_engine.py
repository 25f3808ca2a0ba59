"""The engine on a GPU: alone, in every precision and batch, by what it may be told, and behind the server."""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.load import Load, call, closed_loop, percentile, stubs
from impasto import images
from impasto.bundle import Bundle, load_bundle
from impasto.engine import Engine, Provider, available_providers, open_engine
from impasto.engine.buckets import DeviceThread, StaticEngine
from impasto.engine.cuda import MEMORY_LIMIT, CudaEngine, cuda_place
from impasto.engine.precision import Painter
from impasto.engine.probe import probe_photo
from impasto.engine.shapes import Shape
from impasto.engine.staging import Staged
from impasto.engine.static import CPU_PLACE, Place, StaticSession
from impasto.engine.transfer import PlainTransfer
from impasto.errors import EngineError
from impasto.images import Planes
from impasto.machine import table
from impasto_server.local import local_server

SIZES = (256, 512, 1024)  # px, both sides
BATCHES = (1, 2, 4, 8, 16, 32)
CLIENTS = (1, 8, 32, 64)
WARM_UP = 3  # runs that do not count
CALLERS = 4  # threads that keep the engine busy, where throughput is measured
PRECISIONS = ("fp32", "tf32", "fp16")
TRIALS: dict[str, Mapping[str, str]] = {
    "as it is": {},
    "channels last": {"prefer_nhwc": "1"},
    "exhaustive search": {"cudnn_conv_algo_search": "EXHAUSTIVE"},
    "nothing captured": {"enable_cuda_graph": "0"},
}
"""What the CUDA provider may be told beyond what the engine tells it."""


class NoTransfer(PlainTransfer):
    """Leaves the pictures where they are: what is timed then is the device's work and the call."""

    def upload(self, array: Planes, value: Any) -> None:
        """Do nothing."""

    def download(self, value: Any, array: Planes) -> None:
        """Do nothing."""


@dataclass(frozen=True)
class Contender:
    """An engine to be timed.

    Attributes:
        name: of provider and precision.
        engine: as the server has it.
        device_ms: tells the ms of a run of a shape without the copies of pictures; None where it cannot be told.
    """

    name: str
    engine: Painter
    device_ms: Callable[[Shape, int], float] | None = None


def engine_table(options: argparse.Namespace) -> str:
    """Return latency and throughput of the engine alone: in each precision on CUDA, else on every provider."""
    bundle = load_bundle(options.bundle)
    rows = []
    for contender in _contenders(bundle):
        for size, batch in product(options.sizes, options.batches):
            rows.append((contender.name, size, batch, *_figures(contender, bundle, batch, size, options.runs)))
    header = ("engine alone", "px", "batch", "ms a run", "of that on the device", f"pictures/s, {CALLERS} callers")
    return table(header, rows) + "\n"


def trials_table(options: argparse.Namespace) -> str:
    """Return what the CUDA provider makes of other settings, in half precision."""
    if Provider.CUDA not in available_providers():
        return "settings of the CUDA provider: it is not here\n"
    bundle = load_bundle(options.bundle)
    precision = "fp16" if "fp16" in bundle.graphs else "tf32"
    rows = []
    for name, settings in TRIALS.items():
        contender = _cuda(name, bundle, precision, settings)
        for size, batch in product(options.sizes[:2], (options.batches[0], options.batches[-1])):
            rows.append((name, size, batch, *_figures(contender, bundle, batch, size, options.runs)))
    header = (
        f"CUDA, {precision}",
        "px",
        "batch",
        "ms a run",
        "of that on the device",
        f"pictures/s, {CALLERS} callers",
    )
    return table(header, rows) + "\n"


def served_table(options: argparse.Namespace) -> str:
    """Return throughput and latency through the server, JPEG in and out, by clients that call in a closed loop."""
    bundle = load_bundle(options.bundle)
    provider = available_providers()[0]
    style, code = next(iter(bundle.codes.items()))
    serving = ["--bundle", str(bundle.path), "--provider", provider.value, "--log-level", "warning"]
    serving += ["--max-concurrent-requests", str(2 * max(options.clients))]  # so that nobody is refused
    engine = open_engine(bundle, provider=provider)
    rows = []
    with tempfile.TemporaryDirectory() as folder, local_server(Path(folder), serving) as server:
        for size in options.sizes:
            ceiling = max(_throughput(engine, code, batch, size, options.runs) for batch in (1, options.batches[-1]))
            for clients in options.clients:
                before = time.process_time()
                load = asyncio.run(_loaded(server.target, _jpeg(bundle, size), style, clients, options.seconds))
                rows.append((size, clients, *_served(load, time.process_time() - before, ceiling)))
    header = (f"through gRPC, {provider.value}", "clients", "pictures/s", "of the engine's best", "p50, ms", "p99, ms")
    return table((*header, "refused", "cores that the clients took"), rows) + "\n"


def _contenders(bundle: Bundle) -> Iterator[Contender]:
    """Open the engines one after the other."""
    if Provider.CUDA in available_providers():
        for precision in PRECISIONS:
            if precision != "fp16" or "fp16" in bundle.graphs:
                yield _cuda(f"cuda {precision}", bundle, precision, {})
        return
    for provider in available_providers():
        engine = open_engine(bundle, provider=provider)
        yield Contender(f"{provider.value} {engine.precision}", engine)
    for precision, graph in bundle.graphs.items():
        fixed = StaticEngine(graph, len(bundle.identity), CPU_PLACE, DeviceThread("static"))
        yield Contender(f"cpu, fixed shapes, {precision}", fixed, _device_ms(bundle, precision, CPU_PLACE))


def _cuda(name: str, bundle: Bundle, precision: str, settings: Mapping[str, str]) -> Contender:
    place = cuda_place(precision, MEMORY_LIMIT, settings)
    graph = "fp16" if precision == "fp16" else "fp32"
    engine = CudaEngine(bundle, precision=precision, options=settings)
    return Contender(name, engine, _device_ms(bundle, graph, place))


def _device_ms(bundle: Bundle, precision: str, place: Place) -> Callable[[Shape, int], float]:
    """Return what times a session of one shape whose pictures stay where they are."""

    def median(shape: Shape, runs: int) -> float:
        transfer, code_size = NoTransfer(), len(bundle.identity)
        session = StaticSession(bundle.graph_in(precision), shape, code_size, place, transfer)
        staged = Staged.of(shape, code_size, transfer)
        return _median([ms(lambda: session.run(staged)) for _ in range(WARM_UP + runs)])

    return lambda shape, runs: DeviceThread("alone").call(median, shape, runs)


def _figures(contender: Contender, bundle: Bundle, batch: int, size: int, runs: int) -> tuple[str, str, str]:
    """Return the ms of a run, those without the transfer, and the pictures a second."""
    code = next(iter(bundle.codes.values()))
    try:
        run = _run(contender.engine, code, batch, size)
        took = _median([ms(run) for _ in range(WARM_UP + runs)])
        device = f"{contender.device_ms(Shape(batch, size, size), runs):.2f}" if contender.device_ms else ""
        rate = _throughput(contender.engine, code, batch, size, runs)
    except EngineError as error:
        return f"failed: {str(error).splitlines()[0]}", "", ""
    return f"{took:.2f}", device, f"{rate:.1f}"


def _median(times: Sequence[float]) -> float:
    return statistics.median(times[WARM_UP:])


def _throughput(engine: Painter | Engine, code: np.ndarray, batch: int, size: int, runs: int) -> float:
    """Return pictures a second, by several callers at once."""
    run = _run(engine, code, batch, size)
    with ThreadPoolExecutor(CALLERS) as pool:
        list(pool.map(lambda _: run(), range(CALLERS)))
        took = ms(lambda: list(pool.map(lambda _: run(), range(CALLERS * runs))))
    return 1e3 * CALLERS * runs * batch / took


def _run(engine: Painter | Engine, code: np.ndarray, batch: int, size: int) -> Callable[[], None]:
    """Return what paints a batch, and keeps nothing of it."""
    photos = np.random.default_rng(0).random((batch, 3, size, size), dtype=np.float32)
    codes = np.repeat(code[None], batch, axis=0)

    def run() -> None:
        engine.run(photos, codes)

    return run


def ms(run: Callable[[], object]) -> float:
    """Return how many ms a call took."""
    begun = time.perf_counter()
    run()
    return 1e3 * (time.perf_counter() - begun)


def _jpeg(bundle: Bundle, size: int) -> bytes:
    photo = images.to_pixels(probe_photo(bundle.size_multiple))
    return images.encode(images.resize(photo, size, size))


async def _loaded(target: str, photo: bytes, style: str, count: int, seconds: float) -> Load:
    clients = [[call(stub, photo, style)] for stub in stubs(target, count)]
    await closed_loop(clients, seconds / 4)  # connects, and opens sessions for the batches that come
    return await closed_loop(clients, seconds)


def _served(load: Load, cpu: float, ceiling: float) -> Sequence[str]:
    return (
        f"{load.throughput:.1f}",
        f"{load.throughput / ceiling:.0%}",
        *(f"{1e3 * percentile(load.answered, percent):.1f}" for percent in (50, 99)),
        str(len(load.refused) + load.failed),
        f"{cpu / (1.25 * load.seconds):.1f}",
    )

"""What the server makes of the hardware: throughput and latency, against the same work in a plain loop.

    python -m benchmarks.serving [--seconds 10] [--photos FILE...] [--soak MINUTES] [--page docs/performance.md]

Everything goes to one `impasto-server` in a process of its own, JPEG in, JPEG out. The ceiling is the same codec and
engine calls, one photo after the other, in a process without any server. In the closed loop each client calls again
when it is answered; in the open loop calls come at random moments, at a share of the throughput of the closed loop with
8 clients, and beyond 100 per cent each has a deadline of 2.3 times the median latency at 80 per cent.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import cycle, islice
from pathlib import Path

import numpy as np

from benchmarks.load import Call, Load, call, closed_loop, open_loop, percentile, stubs
from benchmarks.pages import put
from benchmarks.processes import forget_peak, resident, usage
from impasto import images
from impasto.bundle import STARTER, load_bundle
from impasto.engine import Cancellation, Provider, open_engine
from impasto.images import Limits
from impasto.machine import machine, table
from impasto.metadata import MARK
from impasto_server.bundles.library import Library
from impasto_server.fast import pictures
from impasto_server.local import LocalServer, local_server
from impasto_server.order import TrainedOrder

SIZES = (256, 512, 1024)  # px, both sides
CLIENTS = (1, 2, 4, 8, 16)
SHARES = (0.5, 0.8, 1.0, 1.2)  # of the capacity
_AT_CAPACITY = 8  # clients
_CONNECTIONS = 16  # of the open loop
_PATIENCE = 2.3  # times the median latency at 80 per cent
MIX = ((640, 480), (1080, 1350), (1600, 1200), (3024, 4032), (480, 640), (1920, 1080), (1200, 1200))  # px, of photos
_SOAK = (64, 2048)  # px, the sides of its photos
_SOAK_PHOTOS = 200
_MIB = 2**20
_CEILING = "import sys; from benchmarks.serving import ceiling; ceiling(*sys.argv[1:])"
_DEFAULT_WORKING_SIZE = 1280  # px, the server's


@dataclass(frozen=True)
class Ceiling:
    """What a plain loop comes to.

    Attributes:
        throughput: pictures a second.
        median: s, that one takes.
        cpu: s, of processor time that one takes.
    """

    throughput: float
    median: float
    cpu: float


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        if options.soak:
            _say(options, "soak", f"## Memory under mixed sizes\n\n{_soak(Path(folder), options)}")
        else:
            parts = [_measured(Path(folder), name, photos, options) for name, photos in _loads(options)]
            _say(options, "serving", "\n\n".join([f"## The server under load\n\n{_about(options)}", *parts]))


def ceiling(photos: str, style: str, provider: str, seconds: str) -> None:
    """Paint the photos of a folder one after the other, and print what that comes to; runs in a process of its own."""
    library = Library.load([STARTER])
    brush = library.brush(style, 1.0)
    engine = open_engine(load_bundle(STARTER), provider=None if provider == "auto" else Provider(provider))
    orders = [TrainedOrder(photo=file.read_bytes(), style=style) for file in sorted(Path(photos).iterdir())]
    times: list[float] = []
    begun_cpu = begun = 0.0
    for order in cycle(orders):
        if len(times) == len(orders):  # the first round sets up more than it paints
            begun_cpu, begun = time.process_time(), time.perf_counter()
        started = time.perf_counter()
        photo = pictures.read(order, brush, Limits(), _DEFAULT_WORKING_SIZE, MARK, lambda size: size)
        painted = engine.run(images.planes_of([photo.pixels]), brush.code[None], Cancellation())
        pictures.write_painted(painted, photo, order)
        times.append(time.perf_counter() - started)
        if begun and time.perf_counter() - begun > float(seconds):
            break
    counted = times[len(orders) :]
    cpu = (time.process_time() - begun_cpu) / len(counted)
    print(json.dumps(asdict(Ceiling(len(counted) / sum(counted), percentile(counted, 50), cpu))))


def _measured(folder: Path, name: str, photos: list[bytes], options: argparse.Namespace) -> str:
    """Return the tables of one kind of photos."""
    files = folder / name
    files.mkdir()
    for number, photo in enumerate(photos):
        (files / f"{number:03}.jpg").write_bytes(photo)
    command = [sys.executable, "-c", _CEILING, str(files), options.style, options.provider, str(options.seconds)]
    plain = Ceiling(**json.loads(subprocess.run(command, capture_output=True, check=True).stdout))
    with local_server(folder, ["--provider", options.provider]) as server:
        closed, capacity = _closed(server, photos, plain, options)
        opened = _open(server, photos, capacity, options)
    return f"### {name}\n\n{closed}\n\n{opened}"


def _closed(server: LocalServer, photos: list[bytes], plain: Ceiling, options: argparse.Namespace) -> tuple[str, float]:
    """Return the table of the closed loops, and the throughput at capacity."""
    rows: list[tuple[str, ...]] = [
        ("plain loop", f"{plain.throughput:.1f}", "100%", _ms(plain.median), "", "", _ms(plain.cpu), "", ""),
    ]
    capacity = 0.0
    for count in CLIENTS:
        load, cpu, peak = _loaded(server, _Closed(photos, count, options))
        if count == _AT_CAPACITY:
            capacity = load.throughput
        rows.append(
            (
                f"{count} clients",
                f"{load.throughput:.1f}",
                f"{load.throughput / plain.throughput:.0%}",
                *(_ms(percentile(load.answered, percent)) for percent in (50, 95, 99)),
                _ms(cpu / max(1, len(load.answered))),
                f"{peak:.0f}",
                str(len(load.refused) + load.failed),
            )
        )
    header = ("closed loop", "pictures/s", "of the plain loop", "p50, ms", "p95, ms", "p99, ms", "CPU a picture, ms")
    return table((*header, "peak memory, MiB", "refused"), rows), capacity


def _open(server: LocalServer, photos: list[bytes], capacity: float, options: argparse.Namespace) -> str:
    """Return the table of the open loops."""
    rows = []
    usual: float | None = None
    for share in SHARES:
        timeout = _PATIENCE * usual if usual and share > 1 else None
        load, _, _ = _loaded(server, _Open(photos, share * capacity, timeout, options))
        median = percentile(load.answered, 50)
        if share == SHARES[1]:
            usual = median
        late = percentile(load.answered, 99)
        rows.append(
            (
                f"{share:.0%} of {capacity:.1f}/s",
                "-" if timeout is None else _ms(timeout),
                f"{load.throughput:.1f}",
                *(_ms(percentile(load.answered, percent)) for percent in (50, 95, 99)),
                "-" if usual is None else f"{late / usual:.2f}",
                f"{len(load.refused) / load.calls:.1%}",
                _ms(percentile(load.refused, 99)) if load.refused else "-",
                f"{load.failed / load.calls:.1%}",
            )
        )
    header = ("open loop", "deadline, ms", "pictures/s", "p50, ms", "p95, ms", "p99, ms", "p99 of p50 at 80%")
    return table((*header, "refused", "refused within (p99), ms", "too late"), rows)


@dataclass(frozen=True)
class _Closed:
    photos: list[bytes]
    count: int
    options: argparse.Namespace

    async def run(self, target: str) -> Load:
        clients = [
            [call(stub, photo, self.options.style) for photo in _from(self.photos, number)]
            for number, stub in enumerate(stubs(target, self.count))
        ]
        await closed_loop(clients, 1.0)  # connects, and fills what is filled once
        return await closed_loop(clients, self.options.seconds)


@dataclass(frozen=True)
class _Open:
    photos: list[bytes]
    rate: float
    timeout: float | None
    options: argparse.Namespace

    async def run(self, target: str) -> Load:
        connections = stubs(target, _CONNECTIONS)
        calls: list[Call] = []
        for number in range(len(self.photos) * _CONNECTIONS):
            photo, stub = self.photos[number % len(self.photos)], connections[number % _CONNECTIONS]
            calls.append(call(stub, photo, self.options.style, self.timeout))
        await asyncio.gather(*(call(stub, self.photos[0], self.options.style)() for stub in connections))
        return await open_loop(calls, self.rate, 2 * self.options.seconds)


def _loaded(server: LocalServer, load: _Closed | _Open) -> tuple[Load, float, float]:
    """Return what became of a load, and the server's CPU time and peak memory."""
    pid = server.process.pid
    forget_peak(pid)
    before = usage(pid)
    done = asyncio.run(load.run(server.target))
    after = usage(pid)
    return done, after.cpu - before.cpu, after.peak / _MIB


def _soak(folder: Path, options: argparse.Namespace) -> str:
    """Return a table of the server's memory over time."""
    rng = np.random.default_rng(0)
    low, high = np.log2(_SOAK)
    sides = np.exp2(rng.uniform(low, high, (_SOAK_PHOTOS, 2))).astype(int)
    photos = [
        scaled(source, (int(w), int(h))) for source, (w, h) in zip(cycle(sources(options.photos)), sides, strict=False)
    ]
    settings = ["--provider", options.provider, "--working-size", str(_SOAK[1])]
    with local_server(folder, settings) as server:
        rows = asyncio.run(_soaked(server, photos, options))
    about = f"{machine()}; 4 clients, photos of {_SOAK[0]} to {_SOAK[1]} px a side, painted at their size."
    return f"{about}\n\n{table(('minute', 'pictures', 'resident, MiB'), rows)}"


async def _soaked(server: LocalServer, photos: list[bytes], options: argparse.Namespace) -> list[tuple[str, int, str]]:
    clients = [
        [call(stub, photo, options.style) for photo in _from(photos, 50 * number)]
        for number, stub in enumerate(stubs(server.target, 4))
    ]
    rows, painted = [], 0
    for minute in range(1, int(options.soak) + 1):
        loading = asyncio.ensure_future(closed_loop(clients, 60))
        samples = []
        while not loading.done():
            await asyncio.wait({loading}, timeout=1)
            samples.append(resident(server.process.pid) / _MIB)
        painted += len(loading.result().answered)
        rows.append((str(minute), painted, f"{np.median(samples):.0f} ({min(samples):.0f} to {max(samples):.0f})"))
    return rows


def _loads(options: argparse.Namespace) -> Iterable[tuple[str, list[bytes]]]:
    """Yield names and photos of everything to be measured."""
    found = sources(options.photos)
    for size in options.sizes:
        yield f"{size} px", [scaled(source, (size, size)) for source in found]
    if options.mix:
        yield "a mix of photos", [scaled(source, size) for source, size in zip(cycle(found), MIX, strict=False)]


def sources(files: Sequence[Path] | None) -> list[images.Pixels]:
    """Return the pictures that photos are made of, [H, W, 3]: of these files, or those that come with scikit-image."""
    if files:
        return [images.decode(file.read_bytes()) for file in files]
    from skimage import data  # comes with `make demo`

    return [data.astronaut(), data.coffee(), data.chelsea()]


def scaled(pixels: images.Pixels, size: tuple[int, int]) -> bytes:
    """Return the middle of a picture at this size, as a JPEG."""
    height, width = pixels.shape[:2]
    scale = min(width / size[0], height / size[1])
    across, down = max(1, int(size[0] * scale)), max(1, int(size[1] * scale))
    left, top = (width - across) // 2, (height - down) // 2
    return images.encode(images.resize(pixels[top : top + down, left : left + across], *size))


def _from(photos: list[bytes], number: int) -> list[bytes]:
    """Return the photos, begun at another one for each client."""
    return list(islice(cycle(photos), number % len(photos), number % len(photos) + len(photos)))


def _about(options: argparse.Namespace) -> str:
    return (
        f"{machine()}; provider {options.provider}; starter bundle, {options.style}; {options.seconds:g} s each "
        f"closed loop, twice that each open one."
    )


def _say(options: argparse.Namespace, name: str, text: str) -> None:
    print(f"{text}\n", flush=True)
    if options.page:
        extra = f" --soak {options.soak:g}" if options.soak else ""
        put(options.page, name, f"python -m benchmarks.serving{extra}", text)


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:.1f}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.serving", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=10, help="of each closed loop [%(default)g]")
    parser.add_argument("--sizes", type=int, nargs="*", default=SIZES, metavar="PX", help="[256 512 1024]")
    parser.add_argument("--no-mix", dest="mix", action="store_false", help="leave out the mix of photo sizes")
    parser.add_argument("--photos", type=Path, nargs="+", metavar="FILE", help="[those that come with scikit-image]")
    parser.add_argument("--style", default="starry-night", help="[%(default)s]")
    parser.add_argument("--provider", default="auto", help="[%(default)s]")
    parser.add_argument("--soak", type=float, metavar="MINUTES", help="only watch the memory, for so long")
    parser.add_argument("--page", type=Path, metavar="FILE", help="a page to write the tables into")
    return parser


if __name__ == "__main__":
    main()

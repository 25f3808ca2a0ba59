"""What the service adds to the network: engine time per provider, decode, encode, and the whole call, side by side.

    python -m benchmarks.fastpath [--bundle DIR] [--photo FILE] [--runs N]

Starts the real server once for each provider that this machine has and paints one photo at three sizes through the
real client. Engine, decode and encode are the server's own readings for the same calls; "engine alone" is the same
network and size run in this process with nothing around it, in turns with the calls. Medians.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import skimage.data

from impasto import images
from impasto.bundle import STARTER, Bundle, load_bundle
from impasto.engine import Engine, Provider, available_providers, open_engine
from impasto.machine import machine, table
from impasto_client import Client
from impasto_server.local import local_server

Result = TypeVar("Result")

SIZES = (256, 512, 1024)  # px, both sides
WARM_UP = 2  # calls that do not count


@dataclass(frozen=True)
class Row:
    """Medians for one provider and size, in ms."""

    provider: Provider
    size: int
    alone: float
    engine: float
    decode: float
    encode: float
    call: float

    def cells(self) -> list[str]:
        share = 1 - self.engine / self.call
        times = (self.alone, self.engine, self.decode, self.encode, self.call)
        return [self.provider.value, str(self.size), *(f"{ms:.1f}" for ms in times), f"{share:.1%}"]


HEADER = ("provider", "px", "engine alone", "engine", "decode", "encode", "whole call", "not engine")


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    bundle = load_bundle(options.bundle)
    pixels = images.decode(options.photo.read_bytes()) if options.photo else skimage.data.astronaut()
    print(f"{machine()}; {bundle.name} {bundle.version}; JPEG in and out; medians of {options.runs} calls, ms\n")
    rows = [row for provider in available_providers() for row in measure(bundle, provider, pixels, options.runs)]
    print(table(HEADER, [row.cells() for row in rows]))


def measure(bundle: Bundle, provider: Provider, pixels: images.Pixels, runs: int) -> list[Row]:
    """Return a row a size."""
    engine = open_engine(bundle, provider=provider)
    serving = ["--bundle", str(bundle.path), "--provider", provider.value, "--log-level", "warning"]
    with (
        tempfile.TemporaryDirectory() as scratch,
        local_server(Path(scratch), serving) as server,
        Client(server.target, timeout=300) as client,
    ):
        return [_measure_size(bundle, engine, provider, client, images.resize(pixels, n, n), runs) for n in SIZES]


def _measure_size(
    bundle: Bundle, engine: Engine, provider: Provider, client: Client, pixels: images.Pixels, runs: int
) -> Row:
    style, code = next(iter(bundle.codes.items()))
    planes, photo = images.to_planes(pixels), images.encode(pixels)
    alone, calls = [], []
    for _ in range(WARM_UP + runs):
        alone.append(_timed(lambda: engine.run(planes, code[None]))[0])
        calls.append(_timed(lambda: client.stylize(photo, style)))
    stages = [result.stage_times for _, result in calls[WARM_UP:]]
    return Row(
        provider=provider,
        size=pixels.shape[0],
        alone=statistics.median(alone[WARM_UP:]),
        engine=1e3 * statistics.median(stage.engine for stage in stages),
        decode=1e3 * statistics.median(stage.decode for stage in stages),
        encode=1e3 * statistics.median(stage.encode for stage in stages),
        call=statistics.median(ms for ms, _ in calls[WARM_UP:]),
    )


def _timed(run: Callable[[], Result]) -> tuple[float, Result]:
    """Return how many ms a call took, and its result."""
    begun = time.perf_counter()
    result = run()
    return 1e3 * (time.perf_counter() - begun), result


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.fastpath", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bundle", type=Path, default=STARTER, metavar="DIR", help="[the starter]")
    parser.add_argument("--photo", type=Path, metavar="FILE", help="[one that comes with scikit-image]")
    parser.add_argument("--runs", type=int, default=10, help="calls that count, a size [%(default)s]")
    return parser


if __name__ == "__main__":
    main()

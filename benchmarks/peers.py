"""Impasto's server beside MLServer and a hand-written one: the same network, JPEGs and clients, in one run.

    python -m benchmarks.peers [--cases starter-512 ...] [--seconds 10] [--rounds 3] [--page FILE]

Every server runs in processes of its own on the loopback interface, the clients in another. A case starts all of them,
lets each paint for a while, and then asks them in turns, so that whatever else the machine does hits all alike. Each
client asks again as soon as it is answered. The peers decode, paint and encode by the same few lines, with Pillow and
ONNX Runtime on the plain CPU and as many threads as Impasto takes, and check nothing; that all paint the same picture
is checked. MLServer is installed into an environment of its own, once.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import skimage.data

from benchmarks.pages import put
from benchmarks.peer_servers import running, seldon
from benchmarks.peer_servers.load import JPEG, put_load
from benchmarks.peer_servers.one_convolution import one_convolution_bundle
from benchmarks.peer_servers.running import Peer, ServerMissing
from benchmarks.processes import usage
from impasto import images
from impasto.bundle import STARTER, Bundle, load_bundle
from impasto.engine import Provider, available_providers
from impasto.engine.probe import decibels
from impasto.machine import machine, table

CLIENTS = (1, 8)
LEAST_DECIBELS = 30.0
"""PSNR between two servers' pictures, below which they have not painted the same."""

_CPU, _MLSERVER, _HANDWRITTEN = "Impasto, cpu", "MLServer", "hand-written"
_HEADER = ("server", "clients", "images/s", "p50 ms", "p99 ms", "CPU ms an image", "clients' CPU ms", "peak MiB")
_RATIOS = ("Impasto", "against", "images/s", "p99", "asked")


@dataclass(frozen=True)
class Case:
    """What is painted.

    Attributes:
        title: for people.
        side: px, of the square JPEG.
        bundle: makes the bundle in a folder, or finds it elsewhere.
        asked: what Impasto's throughput should be: (its label's beginning, the other's) -> at least so many times.
    """

    title: str
    side: int
    bundle: Callable[[Path], Bundle]
    asked: dict[tuple[str, str], float]


_SERVER_ITSELF = {(_CPU, _MLSERVER): 1.5, (_CPU, _HANDWRITTEN): 0.9}
CASES = {
    "starter-512": Case(
        "The starter's transformer, 512 px",
        512,
        lambda _: load_bundle(STARTER),
        {(_CPU, _MLSERVER): 1.0, ("", _MLSERVER): 3.0},
    ),
    "convolution-64": Case("One convolution, 64 px", 64, one_convolution_bundle, _SERVER_ITSELF),
    "convolution-1024": Case("One convolution, 1024 px", 1024, one_convolution_bundle, _SERVER_ITSELF),
}


@dataclass
class Tally:
    """What a server did for so many clients, over all rounds."""

    latencies: list[float] = field(default_factory=list)
    seconds: float = 0.0
    cpu: float = 0.0
    clients_cpu: float = 0.0

    @property
    def rate(self) -> float:
        """Images a second."""
        return len(self.latencies) / self.seconds

    @property
    def p50(self) -> float:
        return statistics.median(self.latencies)

    @property
    def p99(self) -> float:
        return sorted(self.latencies)[-1 - len(self.latencies) // 100]

    def cells(self) -> list[str]:
        times = (self.p50, self.p99, self.cpu / len(self.latencies), self.clients_cpu / len(self.latencies))
        return [f"{self.rate:.1f}", *(f"{1e3 * seconds:.2f}" for seconds in times)]


Tallies = dict[tuple[str, int], Tally]
"""By label and number of clients."""


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    notes = []
    try:
        interpreter = None if options.without_mlserver else seldon.environment(options.venv, options.mlserver_python)
    except ServerMissing as error:
        print(error, file=sys.stderr)
        interpreter = None
        notes.append(f"MLServer {seldon.MLSERVER} is left out: it cannot be installed here.")
    parts = [_part(CASES[name], interpreter, options) for name in options.cases]
    text = "\n\n".join(["## Beside other servers", _setting(options), *notes, *parts])
    print(text)
    if options.page:
        put(options.page, "peers", options.command, text)
    return 0


def _part(case: Case, interpreter: Path | None, options: argparse.Namespace) -> str:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bundle = case.bundle(folder / "bundle")
        with _servers(folder, bundle, interpreter, options) as (peers, missing):
            photo = images.encode(images.resize(_photo(options.photo), case.side, case.side))
            apart, tallies = _measure(peers, photo, folder, options)
            peaks = {peer.label: usage(peer.pid).peak for peer in peers}
    rows = [
        [label, clients, *tally.cells(), f"{peaks[label] / 2**20:.0f}"] for (label, clients), tally in tallies.items()
    ]
    about = f"JPEGs of {len(photo) / 1024:.0f} KiB. The servers' pictures are at least {apart:.0f} dB alike."
    ratios = table(_RATIOS, _ratios(case, tallies))
    return "\n\n".join([f"### {case.title}", about, *missing, table(_HEADER, rows), ratios])


@contextmanager
def _servers(
    folder: Path, bundle: Bundle, interpreter: Path | None, options: argparse.Namespace
) -> Iterator[tuple[list[Peer], list[str]]]:
    """Start all of them, and say which could not be started."""
    style = next(iter(bundle.styles))
    peers, missing = [], []
    with ExitStack() as stack:
        for number, provider in enumerate(_providers()):
            label = _CPU if provider is Provider.CPU else f"Impasto, {provider.value}"
            flags = ["--provider", provider.value, *options.impasto]
            peers.append(stack.enter_context(running.impasto(label, folder / f"i{number}", bundle, style, flags)))
        for workers in options.workers:
            if interpreter is None:
                break
            label = f"{_MLSERVER}, {workers or 'no'} worker{'s' * (workers != 1)}"
            serve = seldon.mlserver(label, folder / f"m{workers}", bundle, style, interpreter, workers)
            try:
                peers.append(stack.enter_context(serve))
            except ServerMissing as error:
                missing.append(f"{label} is left out: it did not start.")
                print(error, file=sys.stderr)
        peers.append(stack.enter_context(running.handwritten(_HANDWRITTEN, folder / "h", bundle, style)))
        yield peers, missing


def _providers() -> list[Provider]:
    """Return the plain CPU, and Impasto's default if that is another one."""
    return list(dict.fromkeys([Provider.CPU, available_providers()[0]]))


def _measure(peers: list[Peer], photo: bytes, folder: Path, options: argparse.Namespace) -> tuple[float, Tallies]:
    """Return how alike the servers' pictures are, in dB, and what each server did."""
    requests = {peer.label: folder / f"request-{number}" for number, peer in enumerate(peers)}
    pictures = []
    for peer in peers:
        requests[peer.label].write_bytes(peer.request(photo))
        _ask(peer, requests[peer.label], max(CLIENTS), options.warm_up)
        reply = requests[peer.label].with_suffix(".reply").read_bytes()
        pictures.append(images.to_planes(images.decode(reply[reply.index(JPEG) :])))
    apart = min(decibels(picture, pictures[-1]) for picture in pictures[:-1])
    if apart < LEAST_DECIBELS:
        raise SystemExit(f"the servers' pictures differ, with a PSNR of {apart:.1f} dB: they do not paint the same")
    tallies = {(peer.label, clients): Tally() for clients in CLIENTS for peer in peers}
    for _ in range(options.rounds):
        for clients in CLIENTS:
            for peer in peers:
                tally = tallies[peer.label, clients]
                _ask(peer, requests[peer.label], clients, options.seconds, tally)
                print(f"{peer.label}, {clients}: {tally.rate:.1f}/s", file=sys.stderr, flush=True)
    return apart, tallies


def _ask(peer: Peer, request: Path, clients: int, seconds: float, tally: Tally | None = None) -> None:
    """Put load on a server, and add what it did to its tally."""
    tally = tally or Tally()
    before = usage(peer.pid)
    load = put_load(peer.target, peer.method, request, clients, seconds, request.with_suffix(".reply"))
    tally.cpu += usage(peer.pid).cpu - before.cpu
    tally.latencies += load.latencies
    tally.seconds += load.seconds
    tally.clients_cpu += load.cpu


def _ratios(case: Case, tallies: Tallies) -> list[list[str]]:
    """Compare each Impasto with each peer; of MLServer's ways with the one that has the highest throughput."""
    most = {label: tally for (label, clients), tally in tallies.items() if clients == max(CLIENTS)}
    ways = [label for label in most if label.startswith(_MLSERVER)]
    others = [*sorted(ways, key=lambda label: -most[label].rate)[:1], _HANDWRITTEN]
    rows = []
    for ours in (label for label in most if label.startswith("Impasto")):
        for other in others:
            rate, p99 = most[ours].rate / most[other].rate, most[ours].p99 / most[other].p99
            rows.append([ours, other, f"{rate:.2f}x", f"{p99:.2f}x", _verdict(case, ours, other, rate, p99)])
    return rows


def _verdict(case: Case, ours: str, other: str, rate: float, p99: float) -> str:
    kind = _MLSERVER if other.startswith(_MLSERVER) else other
    least = case.asked.get((ours if ours == _CPU else "", kind))
    if least is None:
        return "-"
    # Ahead of MLServer means in both.
    wanted, kept = f"{least:g}x", rate >= least
    if kind == _MLSERVER:
        wanted, kept = f"{wanted}, p99 below 1x", kept and p99 < 1
    return f"{wanted}: {'met' if kept else 'missed'}"


def _photo(path: Path | None) -> images.Pixels:
    return images.decode(path.read_bytes()) if path else skimage.data.astronaut()


def _setting(options: argparse.Namespace) -> str:
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False, cwd=running.ROOT
    )
    where = f"{machine()}; {date.today()}, {described.stdout.strip() or 'no repository'}"
    return (
        f"{where}. JPEG in and out over gRPC; {options.rounds} rounds of {options.seconds:g} s a row, in turns. CPU is "
        "that of the server and the processes that it started, peak the sum of the most that each has held. The table "
        f"below compares at {max(CLIENTS)} clients, p99 as ours over theirs."
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES), help="[all]")
    parser.add_argument("--photo", type=Path, metavar="FILE", help="[one that comes with scikit-image]")
    parser.add_argument("--seconds", type=float, default=10.0, help="of a server's turn in a round [%(default)g]")
    parser.add_argument("--rounds", type=int, default=3, help="[%(default)s]")
    parser.add_argument("--warm-up", type=float, default=3.0, help="s, before it counts [%(default)g]")
    parser.add_argument(
        "--workers",
        type=int,
        nargs="+",
        default=[1, 0],
        help="of MLServer, each a server of its own [1, as it ships, and 0]",
    )
    parser.add_argument("--venv", type=Path, metavar="DIR", help="MLServer's environment [one in the user's cache]")
    parser.add_argument("--mlserver-python", default=sys.executable, metavar="EXE", help="that makes it [this one]")
    parser.add_argument("--without-mlserver", action="store_true")
    parser.add_argument(
        "--impasto",
        action="extend",
        nargs="*",
        default=[],
        metavar="OPTION",
        help="of Impasto's server, as --impasto=--max-batch=1",
    )
    parser.add_argument("--page", type=Path, metavar="FILE", help="a page to write the tables into")
    parser.set_defaults(command="python -m benchmarks.peers")
    return parser


if __name__ == "__main__":
    sys.exit(main())

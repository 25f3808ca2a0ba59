"""What callers see of a rolling restart and of a kill, behind each of what can balance two replicas.

    python -m benchmarks.balancing [--page docs/balancing.md] [--ways haproxy envoy "round robin"] [--quick]

Two real servers; the configurations of deploy/. Callers call at a steady pace: four by the Python client, four that try
nothing again, and one stream. Each replica in turn is asked to stop and started again, as a rolling update does; then
one after the other is killed, and started again two seconds later. Traffic is even when each replica has had a quarter
of the photos of a second. What balancing itself takes is measured without other load, with calls in turns.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

import numpy as np

from benchmarks.balancers import ENVOY, HAPROXY, Kind, balanced
from benchmarks.balancing_callers import Audience, Seen, calling, raw_channel, shares
from benchmarks.load import percentile
from benchmarks.pages import put
from benchmarks.processes import usage
from benchmarks.replicas import Replica, all_of, replicas
from impasto import images
from impasto.images import Format
from impasto.machine import machine, table
from impasto.v1 import stylizer_pb2 as pb
from impasto.v1.stylizer_pb2_grpc import StylizerStub

_DRAIN_DELAY = 5.0  # s, as the configurations ask for
_DEAD = 2.0  # s, from a kill to the next start
_SETTLING = 2.0  # s, between two events
_SMALL = (96, 64)  # px
_LARGE = (1200, 900)  # px, of noise: as many bytes as a camera's photo
_CALLS = 400  # each way, of the small photo
_LARGE_CALLS = 60
_LOOK_EVERY = 0.25  # s
_LOOKS = 4  # over so many of which traffic is even or not
_EVEN = 1 / 4  # of the photos, at least: a balancer that counts calls sees the stream as one
_LOOK_FOR = 20.0  # s
_STYLE = "great-wave"
_ROUND_ROBIN = "round robin"
_KINDS = {HAPROXY.name: HAPROXY, ENVOY.name: ENVOY}
_NEVER = float("inf")


@dataclass
class Event:
    """What happened once or several times, and what was seen of it.

    Attributes:
        seconds: that it took, all times together.
        audience: what callers saw meanwhile.
        gaps: s, each time, the longest between two answers of the stream.
        even_after: s, each time, from the moment a replica was ready again until traffic was even.
    """

    seconds: float = 0.0
    audience: Audience = field(default_factory=Audience)
    gaps: list[float] = field(default_factory=list)
    even_after: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Cost:
    """What a call takes more than a call without anything between.

    Attributes:
        median, late: s, at the 50th and the 99th percentile.
        cpu: s, of the balancer's processor time.
    """

    median: float
    late: float
    cpu: float


@dataclass(frozen=True)
class Way:
    """What was seen behind one thing that balances.

    Attributes:
        name: for people.
        usual, restarts, kills: what was seen while nothing happened, and while these did.
        costs: of a small photo and a large one; none where nothing is between.
    """

    name: str
    usual: Event
    restarts: Event
    kills: Event
    costs: Sequence[Cost]


@dataclass(frozen=True)
class Stage:
    """Two replicas behind something: how callers reach it, and its process if it has one."""

    servers: list[Replica]
    target: str
    pid: int | None


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    ways = []
    for name in options.ways:
        with tempfile.TemporaryDirectory() as folder, _set(Path(folder), name, options.quick) as stage:
            ways.append(asyncio.run(_measured(name, stage, options.quick)))
    text = _report(ways, options)
    print(text, flush=True)
    if options.page:
        put(options.page, "balancing", "python -m benchmarks.balancing", text)


@contextmanager
def _set(folder: Path, name: str, quick: bool) -> Iterator[Stage]:
    """Start replicas, and what is before them."""
    delay = _SETTLING if quick else _DRAIN_DELAY
    with replicas(folder, 2, "--drain-delay-seconds", f"{delay:g}") as servers:
        kind: Kind | None = _KINDS.get(name)
        with balanced(kind, folder, servers) if kind else nullcontext() as balancer:
            yield Stage(servers, balancer.target if balancer else all_of(servers), balancer.pid if balancer else None)


async def _measured(name: str, stage: Stage, quick: bool) -> Way:
    costs = await _costs(stage, quick) if stage.pid else []
    async with calling(stage.target, _photo(*_SMALL), _STYLE) as audience:
        await asyncio.sleep(_SETTLING)
        usual = await _seen(audience, Event(), lambda: asyncio.sleep(_SETTLING if quick else 3 * _SETTLING))
        restarts, kills = Event(), Event()
        for server in stage.servers:
            await _seen(audience, restarts, lambda: _restart(server, stage, restarts))  # noqa: B023
        for server in stage.servers * (1 if quick else 2):
            await _seen(audience, kills, lambda: _kill(server, stage, kills))  # noqa: B023
    return Way(name, usual, restarts, kills, costs)


async def _seen(audience: Audience, event: Event, happen: Callable[[], Awaitable[None]]) -> Event:
    """Let something happen, note what was seen meanwhile, and wait until all has settled."""
    begun = perf_counter()
    await happen()
    ended = perf_counter()
    await asyncio.sleep(_SETTLING)
    event.seconds += ended - begun
    event.gaps.append(audience.stream.between(begun, ended).longest_gap)
    for kept, seen in zip(_kinds(event.audience), _kinds(audience), strict=True):
        kept.calls.extend(seen.between(begun, ended).calls)
    return event


def _kinds(audience: Audience) -> tuple[Seen, Seen, Seen]:
    return audience.patient, audience.raw, audience.stream


async def _restart(server: Replica, stage: Stage, event: Event) -> None:
    await asyncio.to_thread(server.terminate)
    await _start(server, stage, event)


async def _kill(server: Replica, stage: Stage, event: Event) -> None:
    await asyncio.to_thread(server.kill)
    await asyncio.sleep(_DEAD)
    await _start(server, stage, event)


async def _start(server: Replica, stage: Stage, event: Event) -> None:
    await asyncio.to_thread(server.start)
    event.even_after.append(await _until_even(stage))


async def _until_even(stage: Stage) -> float:
    """Return the seconds until traffic is even."""
    begun = perf_counter()
    looks: deque[tuple[float, list[float]]] = deque(maxlen=_LOOKS + 1)
    while perf_counter() - begun < _LOOK_FOR:
        looks.append((perf_counter() - begun, await _painted(stage)))
        since, before = looks[0]
        if len(looks) > _LOOKS and min(shares(before, looks[-1][1])) >= _EVEN:
            return since
        await asyncio.sleep(_LOOK_EVERY)
    return _NEVER


async def _painted(stage: Stage) -> list[float]:
    asked = (asyncio.to_thread(server.metric, "impasto_batch_pictures_count") for server in stage.servers)
    return list(await asyncio.gather(*asked))


async def _costs(stage: Stage, quick: bool) -> list[Cost]:
    small, large = _photo(*_SMALL), _noise(*_LARGE)
    counts = (_CALLS // 10, _LARGE_CALLS // 10) if quick else (_CALLS, _LARGE_CALLS)
    requests = (pb.StylizeRequest(image=small, style_id=_STYLE), pb.StylizeRequest(image=large, style_id=_STYLE))
    return [await _cost(stage, request, count) for request, count in zip(requests, counts, strict=True)]


async def _cost(stage: Stage, request: pb.StylizeRequest, count: int) -> Cost:
    """Compare calls through the balancer with such that go to the replicas, in turns, one at a time."""
    assert stage.pid
    async with raw_channel(stage.target) as through, raw_channel(all_of(stage.servers)) as past:
        stubs = [StylizerStub(channel) for channel in (through, past)]  # type: ignore[no-untyped-call]
        times: list[list[float]] = [[], []]
        spent = usage(stage.pid).cpu
        for _ in range(count):
            for stub, taken in zip(stubs, times, strict=True):
                begun = perf_counter()
                await stub.Stylize(request)
                taken.append(perf_counter() - begun)
        cpu = (usage(stage.pid).cpu - spent) / count
    median, late = (percentile(times[0], percent) - percentile(times[1], percent) for percent in (50, 99))
    return Cost(median, late, cpu)


def _photo(width: int, height: int) -> bytes:
    y, x = np.mgrid[0:height, 0:width]
    slopes = np.stack([x * 255 / width, y * 255 / height, (x + y) * 255 / (width + height)], axis=-1)
    return images.encode(slopes.astype(np.uint8), format=Format.PNG)


def _noise(width: int, height: int) -> bytes:
    return images.encode(np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8))


def _report(ways: Sequence[Way], options: argparse.Namespace) -> str:
    delay = _SETTLING if options.quick else _DRAIN_DELAY
    about = (
        f"{machine()}, shared by two servers, the balancer and the callers; nine callers at ten calls a second each; "
        f"`drain_delay_seconds` {delay:g}. A photo of {_SMALL[0]}x{_SMALL[1]} px, but for the large one, a JPEG of "
        f"{len(_noise(*_LARGE)) / 1e6:.1f} MB."
    )
    parts = ["## What callers see", about, _seen_table(ways)]
    if costs := [way for way in ways if way.costs]:
        parts += ["### What a balancer takes", _cost_table(costs)]
    return "\n\n".join(parts)


def _seen_table(ways: Sequence[Way]) -> str:
    header = ("behind", "what happens", "calls that failed", "p50, ms", "p99, ms", "slowest, ms", "without retries")
    others = ("photos of the stream", "its longest gap, ms", "even after, s")
    rows = []
    for way in ways:
        for what, event in (
            ("nothing", way.usual),
            ("2 restarts", way.restarts),
            (f"{len(way.kills.gaps)} kills", way.kills),
        ):
            patient, raw, stream = _kinds(event.audience)
            rows.append(
                (
                    way.name,
                    f"{what}, {event.seconds:.0f} s",
                    patient.failed,
                    *(_ms(patient.latency(percent)) for percent in (50, 99)),
                    _ms(patient.slowest),
                    raw.failed,
                    stream.failed,
                    _ms(max(event.gaps)),
                    " ".join(f"{seconds:.1f}" for seconds in event.even_after) or "-",
                )
            )
    return table((*header, *others), rows)


def _cost_table(ways: Sequence[Way]) -> str:
    rows = [
        (way.name, photo, _ms(cost.median), _ms(cost.late), f"{1e3 * cost.cpu:.2f}")
        for way in ways
        for photo, cost in zip(("small", "large"), way.costs, strict=True)
    ]
    return table(("balancer", "photo", "more at p50, ms", "more at p99, ms", "its CPU a call, ms"), rows)


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:.1f}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.balancing", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = (_ROUND_ROBIN, *_KINDS)
    parser.add_argument("--ways", nargs="+", choices=names, default=names, metavar="NAME", help="[all]")
    parser.add_argument("--quick", action="store_true", help="shorter: shows that it runs, measures little")
    parser.add_argument("--page", type=Path, metavar="FILE", help="a page to write the tables into")
    return parser


if __name__ == "__main__":
    main()

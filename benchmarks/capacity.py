"""From what a picture costs on this machine to pods for so many a second, and whether that holds under load.

    python -m benchmarks.capacity [--page docs/capacity.md] [--cores 1] [--target 0.5] [--rate 100] [--quick]

Two real servers have cores of their own, or one where there is no room for two. It measures what pictures of several
sizes cost while all are busy; the highest rate at which one replica keeps the latency, with calls at random moments;
and what a start takes. From these it works out pods, and then checks the plan: the replicas behind the client's own
balancing, at the rate that they were planned for, and above it. Callers run on cores of their own where some are left;
if not, what they take is a part of the plan for the check.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from statistics import fmean
from time import perf_counter

from benchmarks.capacity_jobs import jobs_table
from benchmarks.capacity_loads import Photos, Trial, confined, measure_cost, photos_of, try_rate
from benchmarks.capacity_plan import Cost
from benchmarks.capacity_report import Found, Given, check_table, cost_table, example, pods_table, trials_table
from benchmarks.pages import put
from benchmarks.processes import usage
from benchmarks.replicas import Replica, running
from benchmarks.serving import MIX, scaled, sources
from impasto.machine import machine

SIZES = (256, 512, 1024, 1280)  # px, both sides
_PLANNED = "512 px"
_WORKING_SIZE = 1280  # px, the server's default
_UTILISATIONS = (0.5, 0.6, 0.7, 0.8, 0.9)
_EDGE = 0.9  # of the highest that kept the target: at the edge, a small error in the cost is a queue
_LOADS = (1.0, 1.3)  # of the plan
_REPLICAS = 2


@dataclass(frozen=True)
class Stage:
    """Replicas, the cores of each and those that are left, and the s that a start took until it was ready."""

    servers: list[Replica]
    cores: list[set[int]]
    others: set[int]
    start: float


@dataclass(frozen=True)
class Work:
    """What is painted, and for how many seconds: of a cost's measurement, of a rate's, of a check's."""

    style: str
    cost: float
    rate: float
    check: float


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    given = Given(options.rate, options.target, options.cores, options.zones, options.notice)
    work = Work(options.style, 3, 5, 8) if options.quick else Work(options.style, 8, 25, 60)
    with tempfile.TemporaryDirectory() as folder:
        stage = _stage(Path(folder), given, options.provider)
        with running(stage.servers):
            measured = _measured(stage, list(_photos(options)), given, work)
    about = (
        f"{machine()}; provider {options.provider}; starter bundle, {options.style}; a replica has {options.cores} of "
        f"the cores and as many engine threads."
    )
    jobs = f"### Jobs\n\n{jobs_table(options.quick)}"
    text = "\n\n".join(["## Measured, planned, checked", about, measured, jobs])
    print(text, flush=True)
    if options.page:
        put(options.page, "capacity", "python -m benchmarks.capacity", text)


def _stage(folder: Path, given: Given, provider: str) -> Stage:
    """Give each replica cores, and start it once to see how long that takes."""
    there = sorted(os.sched_getaffinity(0))
    count = min(_REPLICAS, len(there) // given.cores)
    if not count:
        raise SystemExit(
            f"a replica cannot have {given.cores} cores of this machine's {len(there)}; give --cores fewer"
        )
    cores = [set(there[number * given.cores : (number + 1) * given.cores]) for number in range(count)]
    settings = ("--engine-threads", str(given.cores), "--provider", provider)
    servers = [Replica(folder / f"{number}", settings, cores=own) for number, own in enumerate(cores)]
    start = fmean(_seconds_to_start(server) for server in servers)
    return Stage(servers, cores, set(there).difference(*cores), start)


def _seconds_to_start(server: Replica) -> float:
    begun = perf_counter()
    server.start()
    taken = perf_counter() - begun
    server.terminate()
    return taken


def _photos(options: argparse.Namespace) -> Iterator[Photos]:
    found = sources(options.photos)
    for size in (int(_PLANNED.split()[0]),) if options.quick else SIZES:
        yield photos_of(f"{size} px", [scaled(source, (size, size)) for source in found], _WORKING_SIZE)
    if not options.quick:
        files = [scaled(source, size) for source, size in zip(cycle(found), MIX, strict=False)]
        yield photos_of("a mix of photos", files, _WORKING_SIZE)


def _measured(stage: Stage, every: list[Photos], given: Given, work: Work) -> str:
    """Measure, plan, check, and return what came of it."""
    costs = [measure_cost(stage.servers, photos, work.style, work.cost) for photos in every]
    memory = max(usage(server.pid).peak for server in stage.servers)
    photos, cost = next((photos, cost) for photos, cost in zip(every, costs, strict=True) if cost.name == _PLANNED)
    trials = _tried(stage, photos, cost, given, work)
    found = Found(cost, _EDGE * _highest(trials, cost, given), memory, stage.start)
    checks = _checked(stage, photos, found, given, work)
    return "\n\n".join(
        [
            f"### What a picture costs\n\n{len(stage.servers)} replicas, all busy. In the engine: of the clock's time.",
            cost_table(costs, given),
            "### How much one replica may be loaded",
            f"{_PLANNED}; calls at random moments for {work.rate:g} s. The target is that 99 of 100 calls take at most "
            f"{given.target:g} s, and none is refused. Utilisation is what the calls cost, of the replica's cores.",
            trials_table(trials, cost, given),
            f"### The plan\n\n{given.rate:g} pictures a second, of {_PLANNED}.",
            example(found, given),
            "With other sizes, at the same utilisation; the latency is then the target in proportion to the cost.",
            pods_table(costs, found.utilisation, given),
            f"### The plan under load\n\n{_about_check(stage, found, given, work)}",
            check_table(checks, given),
        ]
    )


def _tried(stage: Stage, photos: Photos, cost: Cost, given: Given, work: Work) -> list[Trial]:
    """Load one replica more and more, until it keeps the target no longer."""
    trials: list[Trial] = []
    elsewhere = os.sched_getaffinity(0) - stage.cores[0]
    for share in _UTILISATIONS:
        rate = share * given.cores / cost.cpu
        with confined(elsewhere):
            trials.append(try_rate(stage.servers[:1], photos, work.style, rate, work.rate, given.cores))
        if not trials[-1].holds(given.target):
            break
    return trials


def _highest(trials: Sequence[Trial], cost: Cost, given: Given) -> float:
    """Return the highest utilisation that kept the target.

    Raises:
        SystemExit: none did.
    """
    kept = [trial.rate * cost.cpu / given.cores for trial in trials if trial.holds(given.target)]
    if not kept:
        raise SystemExit(
            f"no rate kept {given.target:g} s; give a longer --target\n{trials_table(trials, cost, given)}"
        )
    return kept[-1]


def _checked(stage: Stage, photos: Photos, found: Found, given: Given, work: Work) -> list[tuple[float, Trial]]:
    rate = len(stage.servers) * given.cores * found.utilisation / _cost_here(stage, found.cost)
    with confined(stage.others):
        return [
            (share, try_rate(stage.servers, photos, work.style, share * rate, work.check, given.cores))
            for share in _LOADS
        ]


def _cost_here(stage: Stage, cost: Cost) -> float:
    """Return what a picture takes of the replicas' cores, its caller's part included where that runs on them."""
    return cost.cpu + (0.0 if stage.others else cost.caller)


def _about_check(stage: Stage, found: Found, given: Given, work: Work) -> str:
    count, cost = len(stage.servers), _cost_here(stage, found.cost)
    where = "on cores of their own" if stage.others else "on the same cores, so their part is in the cost"
    return (
        f"{count} replicas behind the Python client's channel, round robin, for {work.check:g} s each; callers run "
        f"{where}. The plan for them is {count} x {given.cores} x {found.utilisation:.2f} / {cost:.4f} = "
        f"{count * given.cores * found.utilisation / cost:.1f} pictures a second."
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.capacity", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cores", type=int, default=1, help="of a replica [%(default)s]")
    parser.add_argument("--target", type=float, default=0.5, help="s, for 99 of 100 calls [%(default)g]")
    parser.add_argument("--rate", type=float, default=100, help="pictures a second of the example [%(default)g]")
    parser.add_argument("--zones", type=int, choices=range(2, 10), default=3, metavar="N", help="[%(default)s]")
    parser.add_argument("--notice", type=float, default=60, help="s, until a new pod's process starts [%(default)g]")
    parser.add_argument("--photos", type=Path, nargs="+", metavar="FILE", help="[those that come with scikit-image]")
    parser.add_argument("--style", default="starry-night", help="[%(default)s]")
    parser.add_argument("--provider", default="auto", help="[%(default)s]")
    parser.add_argument("--quick", action="store_true", help="shorter: shows that it runs, measures little")
    parser.add_argument("--page", type=Path, metavar="FILE", help="a page to write the tables into")
    return parser


if __name__ == "__main__":
    main()

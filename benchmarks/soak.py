"""Mixed load with faults on real processes, for as long as it is told: is anything lost, and does anything grow?

    python -m benchmarks.soak [--minutes 30] [--report docs/reliability.md]

Two servers, reached by HAProxy where it is installed and by the client's own round robin; a worker with torch;
PostgreSQL where it is installed, else SQLite. The second server is killed and restarted again and again, the worker and
the database too; the first lives all the while, so that it can be seen whether it grows. It stops by itself, and the
exit status is 1 if any of what has to hold did not.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.balancers import HAPROXY, NotInstalled, balanced
from benchmarks.pages import put
from benchmarks.processes import open_files
from benchmarks.replicas import Replica, all_of
from benchmarks.soak_callers import CALLERS, Caller, Scene
from benchmarks.soak_faults import Faults, Painter
from benchmarks.soak_photos import Judge, photos
from benchmarks.soak_tally import Tally
from benchmarks.soak_vitals import Vitals
from impasto.machine import machine, table
from tests.client.proxies import faulty
from tests.postgres import Postgres, find_programs

_OPTIONS = ("--jobs", "on", "--workers", "0", "--drain-delay-seconds", "2", "--receive-seconds", "10")
_FAULTS_A_RUN = 24
_PAUSES = (8.0, 100.0)  # s, between two faults at least and at most
_SAMPLE_EVERY = 2.0  # s
_WINDING_UP = 400.0  # s, that callers may take to finish: more than any of their deadlines
_SETTLING = 25.0  # s, until connections that said nothing are let go
_MAY_GROW = 300.0  # MiB, from the second minute to the last
_SPARE_FILES = 8


@dataclass(frozen=True)
class Stage:
    """What is being soaked.

    Attributes:
        veteran: the server that lives all the while.
        database: of the jobs, in words.
        ways: how callers reach the servers, in words.
    """

    scene: Scene
    faults: Faults
    veteran: Replica
    database: str
    ways: str


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, _set(Path(folder)) as stage:
        vitals = Vitals(stage.veteran)
        files = open_files(stage.veteran.pid)
        asyncio.run(_play(stage, vitals, 60 * options.minutes))
        held = _held(stage, vitals, files, options.minutes)
        text = _report(stage, vitals, held, options.minutes)
    print(text, flush=True)
    if options.report:
        put(options.report, "soak", f"python -m benchmarks.soak --minutes {options.minutes:g}", text)
    return 0 if all(held.values()) else 1


@contextmanager
def _set(folder: Path) -> Iterator[Stage]:
    """Start everything."""
    with ExitStack() as stack:
        database = _database(stack)
        url = database.new_database() if database else f"sqlite:///{folder}/jobs.sqlite"
        store = ("--database", url, "--blobs", str(folder / "blobs"))
        servers = [Replica(folder / name, [*_OPTIONS, *store]) for name in ("veteran", "victim")]
        for server in servers:
            stack.callback(server.close)
            server.start()
        painter = Painter(folder, [*store, "--lease-seconds", "5", "--checkpoint-seconds", "1"])
        stack.callback(painter.kill)
        painter.start()
        proxy = stack.enter_context(faulty(servers[0].grpc))
        targets = [all_of(servers)]
        with suppress(NotInstalled):
            targets.append(stack.enter_context(balanced(HAPROXY, folder, servers)).target)
        tally = Tally()
        scene = Scene(targets, proxy, [server.target for server in servers], photos(), tally, Judge(tally))
        ways = "round robin in the client" + (" and HAProxy" if len(targets) > 1 else "")
        kind = "PostgreSQL" if database else "SQLite"
        yield Stage(scene, Faults(servers[1], painter, proxy, database), servers[0], kind, ways)


def _database(stack: ExitStack) -> Postgres | None:
    programs = find_programs()
    if programs is None:
        return None
    database = Postgres(programs)
    stack.callback(database.remove)
    database.start()
    return database


async def _play(stage: Stage, vitals: Vitals, seconds: float) -> None:
    """Let all callers call, and do harm meanwhile; then let them finish."""
    scene, begun = stage.scene, time.monotonic()
    pause = min(max(seconds / _FAULTS_A_RUN, _PAUSES[0]), _PAUSES[1])
    harm = threading.Thread(target=stage.faults.run, args=[pause])
    harm.start()
    calling = [asyncio.create_task(_guarded(caller, scene)) for caller in CALLERS]
    while (now := time.monotonic() - begun) < seconds:
        vitals.sample(now / 60)
        await asyncio.sleep(_SAMPLE_EVERY)
    stage.faults.stop()
    await asyncio.to_thread(harm.join)
    scene.over.set()
    _, unfinished = await asyncio.wait(calling, timeout=_WINDING_UP)
    for task in unfinished:
        scene.tally.fail(f"{task.get_name()} did not finish within {_WINDING_UP:g} s")
        task.cancel()
    scene.proxy.cut_all()
    await asyncio.sleep(_SETTLING)


async def _guarded(caller: Caller, scene: Scene) -> None:
    """Begin with a caller again if it breaks, after this was noted."""
    while not scene.over.is_set():
        try:
            await caller(scene)
        except Exception as error:
            scene.tally.fail(f"{caller.__name__} broke: {error!r}")
            await scene.rest(1)


def _held(stage: Stage, vitals: Vitals, files: int, minutes: float) -> dict[str, bool]:
    """Return what has to hold, and whether it did."""
    scene = stage.scene
    early, late = vitals.memory(*_second_minute(minutes)), vitals.memory(minutes - 1, minutes)
    left = open_files(stage.veteran.pid)
    return {
        f"no call ended otherwise than it should ({len(scene.tally.failures)} did)": not scene.tally.failures,
        f"no job was lost ({scene.jobs['lost']} of {scene.jobs['created']})": not scene.jobs["lost"],
        f"every fault could be injected, and every server came back ({stage.faults.error or 'all did'})": (
            stage.faults.error is None
        ),
        f"the server that lived all the while still lives, with nothing in the works ({vitals.in_flight():g})": (
            vitals.in_flight() == 0
        ),
        f"it grew by no more than {_MAY_GROW:g} MiB ({early:.0f} in minute 2, {late:.0f} in the last)": (
            late <= early + _MAY_GROW
        ),
        f"it has let go of files and sockets ({files} at first, {left} at last)": left <= files + _SPARE_FILES,
    }


def _second_minute(minutes: float) -> tuple[float, float]:
    return (1, 2) if minutes >= 2 else (0, minutes)


def _report(stage: Stage, vitals: Vitals, held: dict[str, bool], minutes: float) -> str:
    tally, jobs = stage.scene.tally, stage.scene.jobs
    about = (
        f"{machine()}; {minutes:g} minutes; two servers by {stage.ways}, jobs in {stage.database}, one worker; "
        f"{len(CALLERS)} callers at a time. {tally.calls} calls; {tally.checked} pictures looked at, {tally.compared} "
        f"of them held against an earlier one of the same request."
    )
    parts = [
        "## The last soak",
        about,
        "### What had to hold",
        table(("what", "held"), [(what, "yes" if did else "NO") for what, did in held.items()]),
        "### Calls",
        tally.table(),
        "### Jobs",
        table(("what", "jobs"), sorted(jobs.items())),
        "### Faults",
        table(("what", "times"), sorted(stage.faults.injected.items())),
        "### The server that lived all the while",
        vitals.table(minutes),
    ]
    if tally.failures:
        parts += ["### What went wrong", "\n".join(f"- {failure}" for failure in tally.told())]
    return "\n\n".join(parts)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=30, help="of load [%(default)g]")
    parser.add_argument("--report", type=Path, metavar="FILE", help="a page to write the report into")
    return parser


if __name__ == "__main__":
    sys.exit(main())

"""Worker processes beside the server, with small programs in the worker's place."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from impasto.logs import make_log
from impasto_server.config import Config
from impasto_server.jobs.supervisor import Supervisor, supervised_workers, worker_command, worker_environment
from impasto_worker import options as worker_options

WAITS_FOR_ITS_PARENT = "import sys; sys.stdin.read()"
DEVICES = ["cuda:0", "cuda:1", None]
IS_DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); open({!r}, 'x'); time.sleep(600)"


class Watched:
    """A supervisor, and what it says."""

    def __init__(self, program: str, count: int = 1, **others: Any) -> None:
        self.counts: list[int] = []
        self.log = io.StringIO()
        self.supervisor = Supervisor(
            [[sys.executable, "-c", program]] * count,
            {**os.environ},
            alive=self.counts.append,
            log=make_log(stream=self.log),
            **others,
        )

    def lines(self, event: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.log.getvalue().splitlines()]
        return [line for line in lines if line["event"] == event]

    async def until(self, event: str, times: int = 1) -> list[dict[str, Any]]:
        async with asyncio.timeout(60):
            while len(lines := self.lines(event)) < times:
                await asyncio.sleep(0.01)
        return lines


@asynccontextmanager
async def watched(program: str, count: int = 1, **others: Any) -> AsyncIterator[Watched]:
    one = Watched(program, count, **others)
    one.supervisor.start()
    try:
        yield one
    finally:
        await one.supervisor.stop(0)


def is_alive(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


async def test_as_many_run_as_were_asked_for_and_all_end_with_the_server() -> None:
    one = Watched(WAITS_FOR_ITS_PARENT, count=3)
    one.supervisor.start()
    started = await one.until("worker started", times=3)
    assert one.counts == [1, 2, 3]
    await one.supervisor.stop(30)
    assert not any(is_alive(line["pid"]) for line in started)
    assert one.lines("worker killed: it did not stop in time") == []


async def test_one_that_is_killed_is_started_again() -> None:
    async with watched(WAITS_FOR_ITS_PARENT, first_pause=0.01) as one:
        (first,) = await one.until("worker started")
        os.kill(first["pid"], signal.SIGKILL)
        *_, second = await one.until("worker started", times=2)
    assert first["pid"] != second["pid"]
    (ended,) = one.lines("worker ended")
    assert (ended["pid"], ended["status"]) == (first["pid"], -signal.SIGKILL)
    assert one.counts == [1, 0, 1]


async def test_one_that_dies_again_and_again_is_started_less_and_less_often() -> None:
    async with watched("raise SystemExit(3)", first_pause=0.01) as one:
        pauses = [line["seconds"] for line in await one.until("worker starts again", times=4)]
        statuses = {line["status"] for line in one.lines("worker ended")}
    assert pauses[:4] == [0.01, 0.02, 0.04, 0.08]
    assert statuses == {3}


async def test_one_that_does_not_stop_when_asked_is_killed(tmp_path: Path) -> None:
    sign = tmp_path / "deaf"
    async with watched(IS_DEAF.format(str(sign))) as one:
        (started,) = await one.until("worker started")
        async with asyncio.timeout(60):
            while not sign.exists():
                await asyncio.sleep(0.01)
        await one.supervisor.stop(0.2)
        assert not is_alive(started["pid"])
        assert one.lines("worker killed: it did not stop in time")


async def test_a_program_that_is_not_there_is_tried_again(tmp_path: Path) -> None:
    log = io.StringIO()
    missing = [str(tmp_path / "no-such-program")]
    supervisor = Supervisor([missing], {}, alive=lambda _: None, log=make_log(stream=log), first_pause=0.01)
    supervisor.start()
    async with asyncio.timeout(60):
        while log.getvalue().count("worker cannot start") < 2:
            await asyncio.sleep(0.01)
    await supervisor.stop(0)


async def test_each_runs_what_is_meant_for_it(tmp_path: Path) -> None:
    signs = [tmp_path / "one", tmp_path / "two"]
    commands = [[sys.executable, "-c", f"open({str(sign)!r}, 'x'); {WAITS_FOR_ITS_PARENT}"] for sign in signs]
    supervisor = Supervisor(commands, {**os.environ}, alive=lambda _: None, log=make_log(stream=io.StringIO()))
    supervisor.start()
    async with asyncio.timeout(60):
        while not all(sign.exists() for sign in signs):
            await asyncio.sleep(0.01)
    await supervisor.stop(30)


def test_a_worker_is_told_its_device_or_finds_one(tmp_path: Path) -> None:
    config = Config(state_dir=tmp_path, worker_devices=("cuda:0", "cuda:1"))
    told = [worker_options.load(worker_command(config, device)[3:], worker_environment(config)) for device in DEVICES]
    assert [options.device for options in told] == ["cuda:0", "cuda:1", "auto"]


def test_a_worker_beside_the_server_does_not_listen_where_the_server_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMPASTO_HTTP", "127.0.0.1:8501")
    monkeypatch.setenv("IMPASTO_PORTS_FILE", str(tmp_path / "ports.json"))
    config = Config(state_dir=tmp_path)
    told = worker_options.load(worker_command(config)[3:], worker_environment(config))
    assert (told.http, told.ports_file) == (None, None)


async def test_without_jobs_no_worker_runs() -> None:
    counts: list[int] = []
    config = Config(jobs="off", workers=2)
    supervisor = supervised_workers(config, alive=counts.append, log=make_log(stream=io.StringIO()))
    supervisor.start()
    await asyncio.sleep(0)
    await supervisor.stop(0)
    assert counts == []


@pytest.mark.parametrize(
    ("database", "blobs"), [("postgresql://me:secret@there/jobs", "s3://key:secret@bucket/jobs"), (None, None)]
)
def test_where_the_jobs_are_is_not_on_the_command_line_for_all_to_read(
    tmp_path: Path, database: str | None, blobs: str | None
) -> None:
    config = Config(state_dir=tmp_path, database=database, blobs=blobs, worker_memory="4GB", vgg_weights=Path("v.st"))
    command, environment = worker_command(config), worker_environment(config)
    assert "secret" not in " ".join(command)
    assert environment["IMPASTO_DATABASE"] == (database or f"sqlite:///{tmp_path}/jobs.sqlite")
    assert environment["IMPASTO_BLOBS"] == (blobs or f"{tmp_path}/blobs")
    assert command[command.index("--memory") + 1] == "4GB"
    assert command[command.index("--vgg-weights") + 1] == "v.st"
    assert "--stop-with-parent" in command


def test_a_worker_understands_what_it_is_told(tmp_path: Path) -> None:
    config = Config(
        state_dir=tmp_path, worker_memory="1.5 GiB", vgg_weights=Path("v.st"), drain_seconds=0, max_pixels=999
    )
    told = worker_options.load(worker_command(config)[3:], worker_environment(config))
    assert (told.database, told.blobs) == (config.database_url, config.blobs_url)
    assert (told.memory, told.vgg_weights, told.max_pixels) == (1.5 * 2**30, Path("v.st"), 999)
    assert (told.stop_with_parent, told.stop_seconds, told.log_level) == (True, 1.0, "info")

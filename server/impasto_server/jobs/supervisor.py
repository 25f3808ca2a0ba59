"""Worker processes beside the server: started, started again when they die, stopped with it."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from time import monotonic

from impasto.logs import Log
from impasto_server.config import Config

WORKER = "impasto_worker.main"
_OURS = ("IMPASTO_HTTP", "IMPASTO_PORTS_FILE")

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0  # s, before a worker that died is started again
_HEALTHY_AFTER = 60.0  # s; one that lived so long is started again after the first pause


class Supervisor:
    """Keeps workers running. To be used inside a running event loop.

    Args:
        commands: what to run.
        environment: of them.
        alive: told how many run, whenever that changes.
        log: of starts and ends.
        first_pause: s, before one that died is started again; twice as long each further time.
    """

    def __init__(
        self,
        commands: Sequence[Sequence[str]],
        environment: Mapping[str, str],
        *,
        alive: Callable[[int], None],
        log: Log,
        first_pause: float = _FIRST_PAUSE,
    ) -> None:
        self._commands = commands
        self._environment = environment
        self._tell = alive
        self._log = log
        self._first_pause = first_pause
        self._processes: set[Process] = set()
        self._keepers: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._keepers = [asyncio.create_task(self._keep(command)) for command in self._commands]

    async def stop(self, seconds: float) -> None:
        """End every worker: ask, and after `seconds` make sure."""
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        await asyncio.gather(*(self._end(process, seconds) for process in self._processes))

    async def _keep(self, command: Sequence[str]) -> None:
        """Run one worker for ever."""
        pause = self._first_pause
        while True:
            began = monotonic()
            await self._run(command)
            if monotonic() - began > _HEALTHY_AFTER:
                pause = self._first_pause
            self._log.info("worker starts again", seconds=pause)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _run(self, command: Sequence[str]) -> None:
        """Run one worker until it ends, or leave it running when this is cancelled."""
        try:
            process = await self._launch(command)
        except OSError as error:
            self._log.error("worker cannot start", reason=str(error))
            return
        status = await process.wait()
        self._processes.discard(process)
        self._tell(len(self._processes))
        self._log.warning("worker ended", pid=process.pid, status=status)

    async def _launch(self, command: Sequence[str]) -> Process:
        """Start a process that ends with this one: it holds the other end of its standard input.

        It has a session of its own, so that Ctrl-C at a terminal reaches the server alone, which then stops it.
        """
        process = await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=DEVNULL, env=self._environment, start_new_session=True
        )
        self._processes.add(process)
        self._tell(len(self._processes))
        self._log.info("worker started", pid=process.pid)
        return process

    async def _end(self, process: Process, seconds: float) -> None:
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), seconds)
        except TimeoutError:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            self._log.warning("worker killed: it did not stop in time", pid=process.pid)


def supervised_workers(config: Config, *, alive: Callable[[int], None], log: Log) -> Supervisor:
    """Return what keeps the workers that the configuration asks for."""
    devices = config.local_workers if config.serves_jobs else ()
    commands = [worker_command(config, device) for device in devices]
    return Supervisor(commands, worker_environment(config), alive=alive, log=log)


def worker_command(config: Config, device: str | None = None) -> list[str]:
    """Return how to run a worker; the store's URLs, which may hold passwords, are left to its environment.

    Args:
        config: the server's.
        device: where it computes; None leaves that to it.
    """
    command = [sys.executable, "-m", WORKER, "--stop-with-parent"]
    options = {
        "--device": device,
        "--memory": config.worker_memory,
        "--vgg-weights": config.vgg_weights,
        "--max-pixels": config.max_pixels,
        "--mark-results": str(config.mark_results).lower(),
        "--stop-seconds": max(1.0, config.drain_seconds),
        "--traces": config.traces,
        "--log-level": config.log_level,
        "--log-format": config.log_format,
    }
    return command + [str(part) for option in options.items() if option[1] is not None for part in option]


def worker_environment(config: Config) -> dict[str, str]:
    """Return what a worker finds: all that the server does, but for where the server itself listens."""
    inherited = {key: value for key, value in os.environ.items() if key not in _OURS}
    return {**inherited, "IMPASTO_DATABASE": config.database_url, "IMPASTO_BLOBS": config.blobs_url}

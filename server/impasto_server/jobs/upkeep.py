"""What the server does for the job store in the background: counting jobs, and deleting those that have expired."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

from impasto.errors import StoreUnavailable
from impasto.jobs import Jobs, State
from impasto.logs import Log
from impasto_server.jobs.store import Store

_COUNT_EVERY = 5.0  # s
_SWEEP_EVERY = 60.0  # s


class Upkeep:
    """Runs until stopped. To be used inside a running event loop.

    Args:
        store: where the jobs are.
        counted: told how many jobs are in each state, and how many s the oldest of those that wait has waited.
        reached: told, of each look into the store, whether it was there.
        log: of what was deleted.
    """

    def __init__(
        self,
        store: Store,
        *,
        counted: Callable[[Mapping[State, int], float], None],
        reached: Callable[[bool], None],
        log: Log,
    ) -> None:
        self._store = store
        self._counted = counted
        self._reached = reached
        self._log = log
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        for work, seconds in ((self._count, _COUNT_EVERY), (self._sweep, _SWEEP_EVERY)):
            self._tasks.append(asyncio.create_task(self._every(seconds, work)))

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _every(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                with suppress(StoreUnavailable):  # which the store has logged
                    await work()
            except Exception as error:
                self._log.error("unexpected error", exc_info=error)
            await asyncio.sleep(seconds)

    async def _count(self) -> None:
        try:
            counts, oldest = await self._store.ask(_look)
        except StoreUnavailable:
            self._reached(False)
            raise
        self._reached(True)
        self._counted(counts, oldest)

    async def _sweep(self) -> None:
        if deleted := await self._store.ask(Jobs.sweep):
            self._log.info("expired jobs deleted", jobs=deleted)


def _look(jobs: Jobs) -> tuple[Mapping[State, int], float]:
    """Return what the store holds, or raise StoreUnavailable where its database or its pictures cannot be reached."""
    jobs.ping()
    return jobs.counts(), jobs.longest_wait()

"""The job store as the event loop sees it: on threads of its own, and away now and then."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from time import monotonic
from typing import Concatenate, ParamSpec, TypeVar

from impasto.errors import InvalidInput, StoreUnavailable
from impasto.jobs import Jobs
from impasto.logs import Log

P = ParamSpec("P")
T = TypeVar("T")

THREAD_NAME = "impasto-store"
_THREADS = 8
_TRY_AGAIN_AFTER = 1.0  # s, between two tries to open a store that is away
_CLOSE_WITHIN = 5.0  # s


class Store:
    """Opens the job store when it can be reached, and asks it.

        job = await store.ask(Jobs.get, id, owner)

    Args:
        open: opens it.
        log: where it says that the store has gone, or come back.
    """

    def __init__(self, open: Callable[[], Jobs], log: Log) -> None:
        self._open = open
        self._log = log
        self._threads = ThreadPoolExecutor(_THREADS, THREAD_NAME)
        self._opening = threading.Lock()
        self._jobs: Jobs | None = None
        self._refusal: StoreUnavailable | None = None
        self._refused_at = -_TRY_AGAIN_AFTER
        self._away = False
        self._begun = False

    async def ask(self, question: Callable[Concatenate[Jobs, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a method of Jobs on a thread.

        Raises:
            StoreUnavailable: it cannot be reached.
            ImpastoError: what the method raises, or what opening it does: jobs are not served, a bad URL.
        """
        try:
            answer = await self._on_thread(lambda: question(self._opened(), *args, **kwargs))
        except StoreUnavailable as error:
            self._note(away=True, reason=str(error))
            raise
        self._note(away=False)
        return answer

    async def begin(self) -> None:
        """Open it for the first time, or raise what `ask` raises.

        Raises:
            InvalidInput: it is not to be opened as it is. Found later, that is one more way to be away.
        """
        try:
            await self.open()
        finally:
            self._begun = True

    async def open(self) -> None:
        """Open it, if that has not been done, or raise what `ask` raises."""
        if self._jobs is None:
            await self.ask(lambda _: None)

    async def close(self) -> None:
        """Let go of it; a call that has begun goes on to its end."""
        jobs, self._jobs = self._jobs, None
        if jobs is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._on_thread(jobs.close), _CLOSE_WITHIN)
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _on_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _opened(self) -> Jobs:
        """Return the store; who finds it away just after someone else did is told so without another try."""
        if self._jobs is not None:
            return self._jobs
        with self._opening:
            if self._jobs is None:
                self._jobs = self._try_to_open()
            return self._jobs

    def _try_to_open(self) -> Jobs:
        if self._refusal is not None and monotonic() < self._refused_at + _TRY_AGAIN_AFTER:
            raise self._refusal
        try:
            return self._open()
        except StoreUnavailable as error:
            self._refusal, self._refused_at = error, monotonic()
            raise
        except InvalidInput as error:
            if not self._begun:
                raise
            self._refusal, self._refused_at = StoreUnavailable("the job store", str(error)), monotonic()
            raise self._refusal from error

    def _note(self, *, away: bool, reason: str = "") -> None:
        """Log the first of a row of failures, and the end of the row."""
        if away and not self._away:
            self._log.warning("job store away", reason=reason)
        elif self._away and not away:
            self._log.info("job store back")
        self._away = away

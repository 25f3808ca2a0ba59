"""Jobs as they change: one poller a watched job, however many watch it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

from impasto.errors import ImpastoError, StoreUnavailable
from impasto.jobs import Job

_POLL_EVERY = 0.25  # s
_POLL_EVERY_WHILE_AWAY = 1.0  # s

ReadJob = Callable[[str, str], Awaitable[Job]]


class Feeds:
    """Follows jobs.

    Args:
        read: asks the store for a job by id and owner.
    """

    def __init__(self, read: ReadJob) -> None:
        self._read = read
        self._feeds: dict[tuple[str, str], _Feed] = {}
        self._closed_by: ImpastoError | None = None

    async def follow(self, id: str, owner: str) -> AsyncGenerator[Job, None]:
        """Yield a job as it is, after each change, and last when it has ended.

        A reader that is slower than the changes gets the latest of them.

        Raises:
            JobNotFound: there is none, or it has been deleted.
            StoreUnavailable: it cannot be asked for at first; once the first state is known, this waits.
            ImpastoError: what `close` was given.
        """
        if self._closed_by is not None:
            raise self._closed_by
        feed = self._feed(id, owner)
        feed.readers += 1
        try:
            async for job in feed.changes():
                yield job
        finally:
            feed.readers -= 1
            if not feed.readers:
                feed.stop()
                if self._feeds.get((id, owner)) is feed:
                    del self._feeds[id, owner]

    def close(self, error: ImpastoError) -> None:
        """End everyone's following, now and from now on, with an error."""
        self._closed_by = error
        for feed in self._feeds.values():
            feed.end(error)

    def _feed(self, id: str, owner: str) -> _Feed:
        feed = self._feeds.get((id, owner))
        if feed is None or feed.ended:
            feed = self._feeds[id, owner] = _Feed(lambda: self._read(id, owner))
        return feed


class _Feed:
    """One job's latest state, and who waits for the next."""

    def __init__(self, read: Callable[[], Awaitable[Job]]) -> None:
        self.readers = 0
        self._read = read
        self._latest: Job | None = None
        self._error: BaseException | None = None
        self._changed = asyncio.Event()
        self._polling = asyncio.create_task(self._poll())

    @property
    def ended(self) -> bool:
        return self._polling.done() or self._error is not None

    async def changes(self) -> AsyncGenerator[Job, None]:
        seen = None
        while seen is None or not seen.state.ended:
            changed = self._changed
            if self._latest is not None and self._latest is not seen:
                seen = self._latest
                yield seen
            elif self._error is not None:
                raise self._error
            else:
                await changed.wait()

    def end(self, error: BaseException) -> None:
        self._error = error
        self.stop()
        self._announce()

    def stop(self) -> None:
        self._polling.cancel()

    async def _poll(self) -> None:
        try:
            while self._latest is None or not self._latest.state.ended:
                await asyncio.sleep(await self._look())
        except Exception as error:
            self._error = error
            self._announce()

    async def _look(self) -> float:
        """Ask for the job, and return how long to wait before the next time, in s."""
        try:
            job = await self._read()
        except StoreUnavailable:
            if self._latest is None:
                raise
            return _POLL_EVERY_WHILE_AWAY
        if job != self._latest:
            self._latest = job
            self._announce()
        return _POLL_EVERY

    def _announce(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

"""Files that are read again when they change, while the server runs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Generic, TypeVar

from impasto.errors import ImpastoError
from impasto.logs import Log

_LOOK_EVERY = 1.0  # s

_Content = TypeVar("_Content")


class Reloading(Generic[_Content]):
    """What some files say. Where they come to say something wrong, what they said before stays in force.

    Attributes:
        current: what is in force.
    """

    def __init__(self, what: str, files: Sequence[Path], read: Callable[[], _Content], log: Log) -> None:
        """Read the files.

        Args:
            what: they hold, for the log.
            files: to look at.
            read: reads them; called from another thread later.
            log: told of each time that they have changed.

        Raises:
            ImpastoError: what `read` raises.
        """
        self._what = what
        self._files = files
        self._read = read
        self._log = log
        self._seen = _signatures(files)
        self._complaint = ""
        self.current = read()

    def refresh(self) -> None:
        """Read the files again if they have changed, or were wrong; a log has one line for each state of them."""
        seen = _signatures(self._files)
        if seen == self._seen and not self._complaint:
            return
        try:
            self.current = self._read()
        except ImpastoError as error:
            if (seen, str(error)) != (self._seen, self._complaint):
                self._log.error(f"{self._what} not reloaded", reason=f"{error}; what was read before stays in force")
            self._complaint = str(error)
        else:
            self._complaint = ""
            self._log.info(f"{self._what} reloaded")
        self._seen = seen


class Watcher:
    """Looks once a second whether files have changed, so that no call has to."""

    def __init__(self, reloadings: Sequence[Reloading[Any]], log: Log) -> None:
        self._reloadings = reloadings
        self._log = log
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        if self._task:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _watch(self) -> None:
        while self._reloadings:
            await asyncio.sleep(_LOOK_EVERY)
            for reloading in self._reloadings:
                try:
                    await asyncio.to_thread(reloading.refresh)
                except Exception as error:
                    self._log.error("unexpected error", exc_info=error)


def _signatures(files: Sequence[Path]) -> list[tuple[int, int, int] | None]:
    """Return what changes when a file does: a link in the way may, as well as what it leads to."""
    return [_signature(file) for file in files]


def _signature(file: Path) -> tuple[int, int, int] | None:
    try:
        status = os.stat(file)  # noqa: PTH116
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size

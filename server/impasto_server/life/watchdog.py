"""What looks for work that will probably never end. A native thread cannot be killed: only its process can."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from impasto.logs import Log

_LOOK_EVERY = 1.0  # s
_LOOKS = 3  # in a row that must find the same: the clock jumps for a process that was stopped, and its work goes on


@dataclass(frozen=True)
class Overdue:
    """Work that takes far longer than it should.

    Attributes:
        what: it is, for people.
        key: tells it from other work.
        facts: for the log.
        give_up: tells whoever waits for it that it will not come to an end.
    """

    what: str
    key: object = field(repr=False)
    facts: Mapping[str, object]
    give_up: Callable[[], None] = lambda: None


class Watchdog:
    """Looks every second, in a task of its own. To be used inside a running event loop.

    Args:
        looks: each returns what is overdue now, if anything.
        found: told once of what was.
        log: too.
        every: s, between two looks.
    """

    def __init__(
        self,
        looks: Sequence[Callable[[], Overdue | None]],
        *,
        found: Callable[[Overdue], None],
        log: Log,
        every: float = _LOOK_EVERY,
    ) -> None:
        self._looks = looks
        self._found = found
        self._log = log
        self._every = every
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _watch(self) -> None:
        sightings = 0
        last: object = None
        while sightings < _LOOKS:
            await asyncio.sleep(self._every)
            overdue = next((found for look in self._looks if (found := look())), None)
            key = overdue.key if overdue else None
            sightings = 0 if overdue is None else sightings + 1 if key == last else 1
            last = key
        assert overdue is not None
        self._log.critical(f"{overdue.what} is stuck; shutting down, to be started anew", **overdue.facts)
        self._found(overdue)

"""SIGINT and SIGTERM, where what is under way should end in good order."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event
from types import FrameType


@dataclass
class Stop:
    """Whether to stop.

    Attributes:
        event: set once it is time to.
        number: of the signal that said so; 0 before.
    """

    event: Event = field(default_factory=Event)
    number: int = 0

    @property
    def status(self) -> int:
        """What the program ends with then, as shells have it."""
        return 128 + self.number

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if self.number:
            raise KeyboardInterrupt
        self.number = number
        self.event.set()


@contextmanager
def stopped_by_signals() -> Iterator[Stop]:
    """Note SIGINT and SIGTERM in the block instead of ending at once; the second one does not wait.

    Raises:
        KeyboardInterrupt: at the second signal.
    """
    stop = Stop()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    heeded = [
        number for number, handler in before.items() if handler is not signal.SIG_IGN
    ]  # as in a shell's background
    for number in heeded:
        signal.signal(number, stop._note)
    try:
        yield stop
    finally:
        for number in heeded:
            signal.signal(number, before[number])

"""Being told to stop: heard at once, obeyed between two steps, so that nothing learnt is lost."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)
_STANDARD_ERROR = 2  # file descriptor


class Interrupted(Exception):
    """A signal asked to stop.

    Attributes:
        signal: which.
    """

    def __init__(self, signal: signal.Signals) -> None:
        super().__init__(signal)
        self.signal = signal

    @property
    def status(self) -> int:
        """The exit status that shells know a signal by."""
        return 128 + self.signal


@contextmanager
def stoppable() -> Iterator[Callable[[], int]]:
    """Put SIGINT and SIGTERM off while the block lasts; for the main thread alone.

    Yields:
        A function that returns the number of the signal that has come, or 0: to be asked where it is safe to stop. A
        second signal ends the process at once.
    """
    received: list[signal.Signals] = []

    def note(number: int, _: FrameType | None) -> None:
        received.append(signal.Signals(number))
        for each in SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        # Not print: the signal may have come in the middle of one.
        os.write(_STANDARD_ERROR, b"\nfinishing this step; once more to end at once\n")

    def asked() -> int:
        return received[0] if received else 0

    earlier = {each: signal.signal(each, note) for each in SIGNALS}
    try:
        yield asked
    finally:
        for each, handler in earlier.items():
            signal.signal(each, handler)

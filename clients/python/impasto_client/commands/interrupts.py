"""Ctrl-C, where it must not come at once."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interrupted_later(warn: Callable[[], None]) -> Iterator[None]:
    """Let a Ctrl-C wait for the end of the block. A second one does not wait.

    Args:
        warn: called at the first one.

    Raises:
        KeyboardInterrupt: at the end of the block, if there was one; or in it, at the second.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:  # ignored, as in a shell's background
        yield
        return
    interrupted = False

    def note(_number: int, _frame: FrameType | None) -> None:
        nonlocal interrupted
        if interrupted:
            raise KeyboardInterrupt
        interrupted = True
        warn()

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if interrupted:
        raise KeyboardInterrupt

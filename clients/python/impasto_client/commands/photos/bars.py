"""How far the painting of several photos is, on standard error: a bar on a terminal, nothing elsewhere."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Protocol, TextIO

from impasto_client.commands.progress import duration

_COLUMNS, _ROWS = 80, 24  # where a terminal does not say
LINE_SECONDS = 5.0  # between two lines, where there is a terminal but nothing to draw a bar with


class Bar(Protocol):
    """Shows how far it is."""

    def advance(self, failed: int) -> None:
        """Note that one more photo is done with, and how many have failed so far."""
        ...

    def print(self, text: str, stream: TextIO | None) -> None:
        """Write a line to this stream, which may be the same terminal, or closed: None, as in Python."""
        ...

    def close(self) -> None:
        """Show no more."""
        ...


def bar(total: int, *, quiet: bool = False, stream: TextIO | None = None) -> Bar:
    """Return what suits a stream, standard error by default, and so many photos."""
    stream = stream or sys.stderr
    if quiet or total < 2 or not stream.isatty():
        return NoBar()
    if os.environ.get("TERM") == "dumb" or find_spec("tqdm") is None:
        return Lines(total, stream)
    return Drawn(total, stream)


class NoBar:
    """Shows nothing."""

    def advance(self, failed: int) -> None:
        pass

    def print(self, text: str, stream: TextIO | None) -> None:
        if stream is not None:
            stream.write(f"{text}\n")
            stream.flush()

    def close(self) -> None:
        pass


class Lines(NoBar):
    """A line every few seconds.

    Args:
        total: photos.
        stream: where to.
        now: a clock, in s.
    """

    def __init__(self, total: int, stream: TextIO, now: Callable[[], float] = time.monotonic) -> None:
        self._total = total
        self._stream = stream
        self._now = now
        self._done = 0
        self._began = now()
        self._due = self._began + LINE_SECONDS

    def advance(self, failed: int) -> None:
        self._done += 1
        now = self._now()
        if now >= self._due:
            self._due = now + LINE_SECONDS
            left = (now - self._began) / self._done * (self._total - self._done)
            lost = f", {failed:,} failed" if failed else ""
            self.print(f"impasto: {self._done:,} of {self._total:,} photos{lost}, {duration(left)} left", self._stream)


class Drawn:
    """A bar, by tqdm, which takes no colour of its own.

    Args:
        total: photos.
        stream: a terminal.
    """

    def __init__(self, total: int, stream: TextIO) -> None:
        from tqdm import tqdm

        told = _columns(stream)
        self._bar = tqdm(
            total=total,
            file=stream,
            unit=" photos",
            ncols=None if told else _COLUMNS,
            nrows=None if told else _ROWS,
            dynamic_ncols=bool(told),
            mininterval=0,  # s; or the last of several photos that come at once would show when the next one does
            miniters=1,
            leave=False,
        )

    def advance(self, failed: int) -> None:
        if failed:
            self._bar.set_postfix_str(f"{failed:,} failed", refresh=False)
        self._bar.update()

    def print(self, text: str, stream: TextIO | None) -> None:
        if stream is not None:
            self._bar.write(text, file=stream)
            stream.flush()

    def close(self) -> None:
        self._bar.close()


def _columns(stream: TextIO) -> int:
    """Return how many a terminal has; 0 where it does not say."""
    try:
        return os.get_terminal_size(stream.fileno()).columns
    except OSError:
        return 0

"""How far bulk work is, on standard error: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from threading import RLock
from typing import TYPE_CHECKING, Protocol, TextIO

from impasto.errors import MissingDependency
from impasto_client.commands.progress import duration

if TYPE_CHECKING:
    from impasto_client.bulk import Progress

LINE_SECONDS = 10.0  # between two lines, as a pod's log has them


class Display(Protocol):
    """Shows how far a run is. Several threads may say something."""

    def show(self, progress: Progress) -> None:
        """Show how far it is."""
        ...

    def say(self, text: str) -> None:
        """Write a line."""
        ...

    def close(self) -> None:
        """Show no more."""
        ...


def display(stream: TextIO | None = None, *, silent: bool = False) -> Display:
    """Return what suits a stream, standard error by default, or what shows nothing.

    Raises:
        MissingDependency: tqdm, which draws the bar.
    """
    if silent:
        return Silence()
    stream = stream or sys.stderr
    return Bar(stream) if stream.isatty() else Lines(stream)


class Silence:
    """Shows and says nothing."""

    def show(self, progress: Progress) -> None:
        pass

    def say(self, text: str) -> None:
        pass

    def close(self) -> None:
        pass


class Bar:
    """A bar, by tqdm. It has no end before all photos have been counted, and so no time left."""

    def __init__(self, stream: TextIO) -> None:
        try:
            from tqdm import tqdm
        except ImportError as error:
            raise MissingDependency("tqdm", "bulk") from error
        self._lock = RLock()
        self._bar = tqdm(file=stream, unit=" photos", dynamic_ncols=True, smoothing=0.05, miniters=1, leave=False)

    def show(self, progress: Progress) -> None:
        bar = self._bar
        with self._lock:
            bar.total = progress.left if progress.counted else None
            bar.set_description_str("" if progress.counted else f"counting {progress.left:,}", refresh=False)
            bar.set_postfix_str(f"{progress.failed:,} failed" if progress.failed else "", refresh=False)
            if not bar.update(progress.painted + progress.failed - bar.n):
                bar.refresh()  # what is counted changes while nothing is painted, and so does the time

    def say(self, text: str) -> None:
        with self._lock:
            self._bar.write(f"impasto: {text}", file=self._bar.fp)

    def close(self) -> None:
        with self._lock:
            self._bar.close()


class Lines:
    """A line every few seconds, once painting has begun.

    Args:
        stream: where to.
        now: a clock, in s.
    """

    def __init__(self, stream: TextIO, now: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._now = now
        self._lock = RLock()
        self._due = now() + LINE_SECONDS

    def show(self, progress: Progress) -> None:
        if self._now() >= self._due:
            self._due = self._now() + LINE_SECONDS
            self.say(words(progress))

    def say(self, text: str) -> None:
        with self._lock:
            self._stream.write(f"impasto: {text}\n")
            self._stream.flush()

    def close(self) -> None:
        pass


def words(progress: Progress) -> str:
    """Return how far a run is, in a line."""
    of = f" of {progress.left:,}" if progress.counted else ""
    parts = [f"{progress.painted:,}{of} painted"]
    if progress.failed:
        parts.append(f"{progress.failed:,} failed")
    parts.append(f"{progress.rate:.1f} photos/s")
    if not progress.counted:
        parts.append(f"{progress.left:,} to paint counted so far")
    if progress.seconds_left is not None:
        parts.append(f"{duration(progress.seconds_left)} left")
    return ", ".join(parts)

"""How far a job is, on standard error: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import TextIO

from impasto_client.jobs import Job, JobState

_LONGEST_BAR = 30  # characters
_SHORTEST_BAR = 8  # characters; where there is no room for so many, there is no bar
_COLUMNS = 80  # where a terminal does not say
_LINE_EVERY = 0.1  # of the way, where there is no terminal


class Display:
    """Shows one job's states as they come, and what else is to be said meanwhile.

    Args:
        stream: standard error by default.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty()
        self._drawn = False
        self._last: tuple[JobState, int] | None = None

    def show(self, job: Job) -> None:
        """Redraw the bar, or, where there is no terminal, say a line now and then."""
        if self._live:
            self._write(f"\r{_line(job, self._columns() - 1)}\x1b[K")
            self._drawn = True
        else:
            mark = (job.state, int(job.progress.fraction / _LINE_EVERY + 1e-9))
            if mark != self._last:
                self.say(_words(job))
            self._last = mark

    def say(self, text: str) -> None:
        """Write a line; the bar goes on below it."""
        self._clear()
        self._write(f"impasto: {text}\n")

    def say_notes(self, notes: Iterable[str]) -> None:
        """Write what was done otherwise than asked for, a line for each."""
        for note in notes:
            self.say(f"note: {note}")

    def close(self) -> None:
        """Take the bar away."""
        self._clear()

    def __enter__(self) -> Display:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _clear(self) -> None:
        if self._drawn:
            self._write("\r\x1b[K")
        self._drawn = False

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()

    def _columns(self) -> int:
        try:
            return os.get_terminal_size(self._stream.fileno()).columns or _COLUMNS
        except OSError:
            return _COLUMNS


class NoDisplay(Display):
    """Shows and says nothing."""

    def show(self, job: Job) -> None:
        pass

    def say(self, text: str) -> None:
        pass


def job_display(*, quiet: bool) -> Display:
    """Return what shows a job on standard error, or nothing."""
    return NoDisplay() if quiet else Display()


def progress_words(job: Job) -> str:
    """Return how far a job is, in a few characters: `120/200 60%`; empty before it has begun."""
    progress = job.progress
    return f"{progress.step}/{progress.total_steps} {progress.fraction:.0%}" if progress.total_steps else ""


def duration(seconds: float) -> str:
    """Return it as people say it: `34 s`, `2 min 5 s`, `1 h 3 min`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 48:
        return f"{hours // 24} d"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _line(job: Job, room: int) -> str:
    """Return a bar and words, in so many characters; where they are too few, the losses go first."""
    words = _words(job)
    length = min(_LONGEST_BAR, room - len(words) - len("[] "))
    if job.state is not JobState.RUNNING or length < _SHORTEST_BAR:
        return words[:room]
    done = int(job.progress.fraction * length)
    return f"[{'#' * done}{'.' * (length - done)}] {words}"


def _words(job: Job) -> str:
    if job.state is JobState.QUEUED:
        return "waiting for a worker"
    if job.state is not JobState.RUNNING:
        return str(job.state.value)
    progress = job.progress
    if not progress.total_steps:
        return "a worker begins"
    words = [progress_words(job)]
    if progress.seconds_left is not None:
        words.append(f"{duration(progress.seconds_left)} left")
    words.append(f"{progress.size[0]}x{progress.size[1]} px")
    words += [f"content {progress.content_loss:.3g}", f"style {progress.style_loss:.3g}"]
    return "  ".join(words)

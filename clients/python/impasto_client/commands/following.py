"""Following a job on the terminal, up to the file that it makes."""

from __future__ import annotations

import time
from pathlib import Path

from impasto_client.calling import checked_timeout
from impasto_client.client import Client
from impasto_client.commands import files
from impasto_client.commands.progress import Display
from impasto_client.errors import (
    DeadlineExceeded,
    ImpastoClientError,
    InvalidRequest,
    JobEnded,
    JobUnknown,
    ServerUnavailable,
)
from impasto_client.jobs import Job, JobState
from impasto_client.results import Stylized

_PREVIEW_EVERY = 2.0  # s
_CANCEL_EVERY = 1.0  # s, while the server is away
_CANCEL_TRY = 5.0  # s; a line that died without a word is not waited for as long as other calls may
_CANCELLED_WITHIN = 10.0  # s


class Clock:
    """What is left of the time that a command may take; without limit where that is None."""

    def __init__(self, timeout: float | None) -> None:
        timeout = checked_timeout(timeout)
        self._end = None if timeout is None else time.monotonic() + timeout

    def left(self) -> float | None:
        """Return seconds, above 0."""
        return None if self._end is None else max(1e-3, self._end - time.monotonic())


def follow(client: Client, name: str, clock: Clock, display: Display, preview: Path | None = None) -> Job:
    """Show a job's states until it has ended, however long the server may be away meanwhile, and return it so."""
    away = False

    def lost(error: ImpastoClientError) -> None:
        nonlocal away
        if not away:
            display.say(f"{error}; trying again until it is back")
        away = True

    interval = _PREVIEW_EVERY if preview else None
    for update in client.watch(name, preview_interval=interval, timeout=clock.left(), on_lost=lost):
        away = False
        display.show(update.job)
        if preview and update.preview:
            files.write(preview, update.preview)
    display.close()
    job = client.wait(name, timeout=clock.left(), on_lost=lost)
    display.say_notes(job.notes)
    return job


def fetch(client: Client, job: Job, out: Path, clock: Clock, *, overwrite: bool) -> Stylized:
    """Write a job's result, and return it.

    Raises:
        JobError: it has none.
        InvalidRequest: `out` is named as a file of another format, or has come to be there and is not to be replaced.
    """
    told = files.SUFFIXES.get(out.suffix.lower())
    if job.result and told and told != job.result.format:
        raise InvalidRequest("--out", f"{out.name} is named as a {told}, but the result is a {job.result.format}")
    painted = client.result(job.name, timeout=clock.left())
    files.check_free(out, overwrite=overwrite)
    files.write(out, painted.image)
    return painted


def cancel(client: Client, name: str, display: Display) -> None:
    """Cancel a job, whenever the server is there again, and say what became of it."""
    display.say(f"cancelling {name}; Ctrl-C again leaves at once")
    try:
        _cancel(client, name)
        job = client.wait(name, timeout=_CANCELLED_WITHIN)
    except (JobEnded, JobUnknown) as error:
        display.say(str(error))
    except DeadlineExceeded:
        display.say(f"{name} has been told to stop, and has not yet")
    except KeyboardInterrupt:
        display.say(f"left; {name} may go on: impasto jobs cancel {name}")
        raise
    else:
        ended = "is cancelled" if job.state is JobState.CANCELLED else f"has {job.state.value} before"
        display.say(f"{name} {ended}")


def _cancel(client: Client, name: str) -> None:
    while True:
        try:
            return client.cancel(name, timeout=_CANCEL_TRY)
        except (ServerUnavailable, DeadlineExceeded):
            time.sleep(_CANCEL_EVERY)

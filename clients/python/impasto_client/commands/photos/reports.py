"""What is told while photos are painted, and at the end: to people, or to programs as JSON."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import Any, Protocol

from impasto_client.commands import complaints
from impasto_client.commands.documents import as_line
from impasto_client.commands.photos import outcomes
from impasto_client.commands.photos.bars import Bar, bar
from impasto_client.commands.photos.targets import Plan, Task
from impasto_client.commands.pictures import picture_words
from impasto_client.commands.progress import duration
from impasto_client.results import Stylized

MANY = 1000
"""Photos, above which `impasto bulk` is the better way."""

_MOST_LISTED = 10  # pictures that are there already; the summary counts the others, too


class Report(Protocol):
    """Tells of each photo as it is done with."""

    def painted(self, task: Task, painted: Stylized, seconds: float, job: str | None = None) -> None:
        """Tell of a picture that has been written."""
        ...

    def queued(self, task: Task, job: str) -> None:
        """Tell of a job that is left to itself."""
        ...

    def left(self, task: Task) -> None:
        """Tell of a photo whose picture was there."""
        ...

    def failed(self, task: Task, error: Exception) -> None:
        """Tell of a photo that could not be painted."""
        ...

    def end(self) -> int:
        """Tell what became of all, and return the status to end with."""
        ...

    def broken_off(self) -> None:
        """Tell what became of all up to an error that stops the rest, and that is told after it."""
        ...


def report(plan: Plan, *, as_json: bool, quiet: bool) -> Report:
    """Return what tells of a plan's photos, and have it tell of those that are left as they are."""
    count = len(plan.tasks)
    shown = bar(count, quiet=quiet)
    made = ForPrograms(count, shown) if as_json else ForPeople(count, shown, quiet=quiet)
    for task in plan.left:
        made.left(task)
    if count > MANY and not as_json:
        made.say(f"{count:,} photos: `impasto bulk` paints so many in runs that can go on where they were stopped")
    return made


@dataclass(frozen=True)
class _Failure:
    """What is told of a photo that could not be painted. The error itself is not kept: its traceback holds the photo.

    Attributes:
        task: whose photo it is.
        reason: what is wrong, in a line.
        status: that the program would end with because of it alone.
        facts: as programs read them.
    """

    task: Task
    reason: str
    status: int
    facts: dict[str, Any]

    @classmethod
    def of(cls, task: Task, error: Exception) -> _Failure:
        return cls(task, complaints.reason_of(error), complaints.status_of(error), complaints.facts_of(error))


class _Counting:
    """Counts what becomes of photos."""

    def __init__(self, count: int, shown: Bar) -> None:
        self._count = count
        self._bar = shown
        self._began = time.monotonic()
        self._painted = 0
        self._queued = 0
        self._left = 0
        self._failures: list[_Failure] = []

    def _note_painted(self) -> None:
        self._painted += 1
        self._bar.advance(len(self._failures))

    def _note_queued(self) -> None:
        self._queued += 1
        self._bar.advance(len(self._failures))

    def _note_failed(self, task: Task, error: Exception) -> _Failure:
        self._failures.append(_Failure.of(task, error))
        self._bar.advance(len(self._failures))
        return self._failures[-1]

    def _summary(self) -> str:
        parts = []
        if self._queued:
            parts = [f"{self._queued:,} of {self._count:,} queued"]
        elif self._count:
            parts = [f"{self._painted:,} of {self._count:,} painted in {duration(time.monotonic() - self._began)}"]
        if self._failures:
            parts.append(f"{len(self._failures):,} failed")
        if rest := self._count - self._painted - self._queued - len(self._failures):
            parts.append(f"{rest:,} not begun or not finished")
        if self._left:
            parts.append(f"{self._left:,} not painted, as their pictures are there already (--overwrite replaces them)")
        return ", ".join(parts)

    @property
    def _only(self) -> _Failure | None:
        """What is wrong with the photo, where there is no other."""
        return self._failures[0] if self._failures and self._count + self._left == 1 else None

    def _status(self) -> int:
        if self._only:
            return self._only.status
        statuses = {failure.status for failure in self._failures}
        if statuses - {complaints.REFUSED}:
            return complaints.FAILED
        return complaints.SOME_FAILED if statuses else complaints.DONE


class ForPeople(_Counting):
    """A line for each picture on standard output; what is wrong, and a summary of several, on standard error.

    Args:
        count: photos to paint.
        shown: the bar above which it is written.
        quiet: whether only what is wrong is told.
    """

    def __init__(self, count: int, shown: Bar, *, quiet: bool) -> None:
        super().__init__(count, shown)
        self._quiet = quiet

    def painted(self, task: Task, painted: Stylized, seconds: float, job: str | None = None) -> None:
        self._note_painted()
        taken = f"painted in {duration(seconds)}" if job else f"{seconds:.2f} s"
        if task.out and not self._quiet:
            self._bar.print(picture_words(task.out, painted, taken), sys.stdout)
        if not job:  # the display of a job has told them
            for note in painted.notes:
                self.say(f"{task.source}: note: {note}")

    def queued(self, task: Task, job: str) -> None:  # noqa: ARG002
        self._note_queued()
        self._bar.print(job, sys.stdout)

    def left(self, task: Task) -> None:
        self._left += 1
        if self._left <= _MOST_LISTED:
            self.say(f"{task.out} is there already; {task.source} is not painted")

    def failed(self, task: Task, error: Exception) -> None:
        self._note_failed(task, error)

    def end(self) -> int:
        self._bar.close()
        for failure in self._failures:
            whose = "" if str(failure.task.source) in failure.reason else f"{failure.task.source}: "
            print(f"impasto: {whose}{failure.reason}", file=sys.stderr)
        if self._count + self._left > 1:
            self.say(self._summary())
        return self._status()

    def broken_off(self) -> None:
        self.end()

    def say(self, text: str) -> None:
        """Write a line to standard error, unless asked to be quiet."""
        if not self._quiet:
            self._bar.print(f"impasto: {text}", sys.stderr)


class ForPrograms(_Counting):
    """A line of JSON for each photo on standard output; if some failed, one error on standard error."""

    def painted(self, task: Task, painted: Stylized, seconds: float, job: str | None = None) -> None:
        self._note_painted()
        self._print(outcomes.painted_facts(task, painted, seconds, job))

    def queued(self, task: Task, job: str) -> None:
        self._note_queued()
        self._print(outcomes.queued_facts(task, job))

    def left(self, task: Task) -> None:
        self._left += 1
        self._print(outcomes.left_facts(task))

    def failed(self, task: Task, error: Exception) -> None:
        failure = self._note_failed(task, error)
        self._print(outcomes.failed_facts(task, failure.facts))

    def end(self) -> int:
        self._bar.close()
        status = self._status()
        if self._only:
            complaints.print_error(self._only.facts)
        elif self._failures:
            complaints.print_error(complaints.some_failed(self._summary(), status))
        return status

    def broken_off(self) -> None:
        self._bar.close()

    def say(self, text: str) -> None:
        """Say nothing: it is for people."""

    def _print(self, facts: dict[str, Any]) -> None:
        self._bar.print(as_line(facts), sys.stdout)

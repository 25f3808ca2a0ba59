"""From a painter's steps to the store: progress, previews and checkpoints, each at its own pace."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from impasto.errors import LeaseLost, StoreUnavailable
from impasto.jobs import Claim, Progress
from impasto.logs import Log
from impasto.tracing import Stage, current_span
from impasto_worker.heartbeat import Heartbeat
from impasto_worker.painting import Painted
from impasto_worker.saved import Saved
from impasto_worker.stopping import Stop

_REPORT_SECONDS = 0.3
_TIMES = 20  # as long as something took, at least, pass until it is done again: 5 % of the time at most go into it


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How often what is told to the store, s."""

    preview_seconds: float = 2.0
    checkpoint_seconds: float = 10.0


class Interval:
    """Says when something is due again."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._next = time.monotonic()

    @property
    def due(self) -> bool:
        return time.monotonic() >= self._next

    def put_off(self) -> None:
        """Let it be due in a while."""
        self._next = time.monotonic() + self._seconds

    def pull_up(self) -> None:
        """Let it be due now."""
        self._next = time.monotonic()

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Do it in this block."""
        begin = time.monotonic()
        try:
            yield
        finally:
            end = time.monotonic()
            self._next = end + max(self._seconds, _TIMES * (end - begin))


class Reporter:
    """What a painter tells of its steps; when to stop is asked here, too.

    Attributes:
        progress: the newest; it may not have been reported.
        notes: the worker's own and the painter's.
    """

    def __init__(
        self,
        claim: Claim,
        heartbeat: Heartbeat,
        stop: Stop,
        *,
        pace: Pace,
        preview: Callable[[Painted], bytes],
        seconds_before: float,
        notes: tuple[str, ...],
        log: Log,
    ) -> None:
        """Set up.

        Args:
            claim: told of everything.
            heartbeat: knows whether the job is still wanted, and ours.
            stop: knows whether this process is to end.
            pace: see there.
            preview: makes a preview's file.
            seconds_before: of painting in earlier attempts.
            notes: the worker's own.
            log: told of checkpoints that could not be saved, and at debug level of every step and checkpoint.
        """
        self.progress = Progress()
        self.notes = notes
        self._own_notes = notes
        self._claim = claim
        self._heartbeat = heartbeat
        self._stop = stop
        self._preview = preview
        self._log = log
        self._begin = time.monotonic() - seconds_before
        self._reports = Interval(_REPORT_SECONDS)
        self._previews = Interval(pace.preview_seconds)
        self._checkpoints = Interval(pace.checkpoint_seconds)
        self._checkpoints.put_off()
        self._away = False
        self._left = False
        self._steps = 0

    @property
    def facts(self) -> dict[str, object]:
        """For the log: the step that was reached, of how many, and how many of them this attempt made."""
        return {"step": self.progress.step, "total_steps": self.progress.total_steps, "steps": self._steps}

    @property
    def seconds(self) -> float:
        """Of painting so far, over all attempts."""
        return time.monotonic() - self._begin

    def interrupted(self) -> bool:
        """Return whether the painter has to stop now.

        Where only this process is to end, the step in hand is finished first, and saved, if it does not take too long.
        """
        if self._heartbeat.lost or self._heartbeat.cancelled:
            return True
        return self._stop.asked and (self._left or self._stop.pressing)

    def __call__(self, painted: Painted) -> None:
        """Take a step to the store as far as that is due."""
        self._note(painted)
        if self._stop.asked:
            self._save(painted)
            self._left = True
        elif self._heartbeat.reachable:
            self._tell(painted)
        else:
            self._away = True  # every try may take seconds: let the heartbeat do the waiting

    def finish(self) -> None:
        """Report the last step, whether due or not."""
        self._report(None)

    def _tell(self, painted: Painted) -> None:
        if self._away:
            self._away = False
            for each in (self._checkpoints, self._previews):
                each.pull_up()
        if self._checkpoints.due:
            self._save(painted)
        if self._previews.due:
            self._report(painted)
        elif self._reports.due:
            self._report(None)

    def _note(self, painted: Painted) -> None:
        self._steps += 1
        self._log.debug("step", step=painted.step)
        self.notes = (*self._own_notes, *painted.notes)
        self.progress = Progress(
            step=painted.step,
            total_steps=painted.total_steps,
            size=painted.size,
            content=painted.content,
            style=painted.style,
            total=painted.total,
            seconds_left=painted.seconds_left,
        )

    def _save(self, painted: Painted) -> None:
        with self._checkpoints.timed(), self._tolerant("checkpoint"):
            begin, begun = self.seconds, time.perf_counter()
            state = Saved(begin, painted.checkpoint()).to_bytes()
            self._claim.save_checkpoint(state, self.progress)
            facts = {"step": painted.step, "bytes": len(state)}
            current_span().add([Stage("checkpoint", begun, time.perf_counter(), facts)])
            self._log.debug("checkpoint", step=painted.step, bytes=len(state), seconds=round(self.seconds - begin, 4))

    def _report(self, painted: Painted | None) -> None:
        pace = self._reports if painted is None else self._previews
        with self._reports.timed(), pace.timed(), self._tolerant("progress"):
            preview = None if painted is None else self._preview(painted)
            self._claim.report(self.progress, preview=preview, notes=self.notes)

    @contextmanager
    def _tolerant(self, what: str) -> Iterator[None]:
        """Let the painting go on where the store does not take something just now."""
        try:
            yield
        except LeaseLost:
            self._heartbeat.lose()
        except StoreUnavailable as error:
            self._log.warning("not saved, painting on", what=what, reason=str(error))

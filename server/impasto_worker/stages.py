"""What an attempt goes through, timed: for its spans, and for its line in the log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter

from impasto.images import Size
from impasto.jobs import Claim, Job
from impasto.tracing import Kind, Span, Stage, Tracing
from impasto_worker.painting import Painted


class Stages:
    """The stages of one attempt.

    Args:
        span: the attempt's.
    """

    def __init__(self, span: Span) -> None:
        self._span = span
        self._seconds: dict[str, float] = {}

    @property
    def facts(self) -> dict[str, object]:
        """For the log: `decode_ms` and so on, of the stages that were begun."""
        return {f"{name}_ms": milliseconds(seconds) for name, seconds in self._seconds.items()}

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Time a block."""
        begun, error = perf_counter(), ""
        try:
            yield
        except BaseException as reason:
            error = type(reason).__name__
            raise
        finally:
            stage = Stage(name, begun, perf_counter(), error=error)
            self._seconds[name] = self._seconds.get(name, 0.0) + stage.seconds
            self._span.add([stage])


class Scales:
    """Hears of a painter's steps, tells of them on, and makes a span of each scale.

    A scale has begun when the one before had made its last step, so that what the painter does in between counts to it.

    Args:
        span: whose children they are.
        then: told of each step.
    """

    def __init__(self, span: Span, then: Callable[[Painted], None]) -> None:
        self._span = span
        self._then = then
        self._size: Size | None = None
        self._steps = 0
        self._begun = self._latest = perf_counter()

    def __call__(self, painted: Painted) -> None:
        if painted.size != self._size:
            self.end()
            self._size = painted.size
        self._steps += 1
        self._latest = perf_counter()
        self._then(painted)

    def end(self) -> None:
        """End the scale in hand, if there is one."""
        if self._size is not None:
            width, height = self._size
            facts = {"width": width, "height": height, "steps": self._steps}
            self._span.add([Stage("scale", self._begun, self._latest, facts)])
        self._size, self._steps, self._begun = None, 0, self._latest


def attempt_span(claim: Claim, tracing: Tracing, begun: float) -> Span:
    """Return an attempt's span, beside one of the wait that has ended with it: children of what made the job.

    An attempt that goes on with what another has left has waited for nothing that is known here.
    """
    parent = claim.job.traceparent
    if claim.attempt == 1:
        tracing.add([Stage("queue", begun - waited(claim.job), begun)], traceparent=parent)
    known = {"job": claim.job.id, "attempt": claim.attempt}
    return tracing.begin("attempt", kind=Kind.CONSUMER, traceparent=parent, facts=known)


def waited(job: Job) -> float:
    """Return for how many s a job waited until it was begun first; both times are the database's."""
    return (job.started - job.created).total_seconds() if job.started else 0.0


def milliseconds(seconds: float) -> float:
    """Return s as the log has them."""
    return round(seconds * 1e3, 1)


def text(size: Size) -> str:
    """Return a size, in px, as the log has it."""
    return "{}x{}".format(*size)

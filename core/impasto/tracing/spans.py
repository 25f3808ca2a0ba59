"""What everybody uses of traces, and the spans that do nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from enum import Enum
from types import MappingProxyType
from typing import NamedTuple

Facts = Mapping[str, object]
"""By name; one without a dot is ours, and is recorded under `impasto.`; one with a dot is OpenTelemetry's."""


class Kind(Enum):
    """On which side of what a span is."""

    INTERNAL = "internal"
    SERVER = "server"
    CLIENT = "client"
    CONSUMER = "consumer"


_NONE: Facts = MappingProxyType({})


class Stage(NamedTuple):
    """Something that was done, to be made a span of afterwards.

    Attributes:
        name: of what was done.
        begun, ended: as `perf_counter` tells it.
        facts: what to record of it.
        error: why it did not come to its end; empty where it did.
    """

    name: str
    begun: float
    ended: float
    facts: Facts = _NONE
    error: str = ""

    @property
    def seconds(self) -> float:
        return self.ended - self.begun


class Span:
    """One that does nothing; those that record inherit from it. Its methods may be called from any thread.

    Attributes:
        traceparent: what makes others' spans its children, by W3C's trace context; empty where there is nothing.
        notes: for each line of the log: `trace_id`, where it is recorded.
        headers: the metadata of a call to another server.
    """

    traceparent: str = ""
    notes: Mapping[str, str] = MappingProxyType({})
    headers: tuple[tuple[str, str], ...] = ()

    def tell(self, facts: Callable[[], Facts]) -> None:
        """Record facts; they are asked for only if it is recorded."""

    def begin(self, name: str) -> Span:  # noqa: ARG002
        """Return a child that begins now."""
        return self

    def add(self, stages: Iterable[Stage]) -> None:
        """Make a child of each."""

    def link(self, traceparent: str) -> None:
        """Let it point at a span of another trace, however often; what is no traceparent is ignored."""

    def end(self, error: str = "", *, failed: bool = False) -> None:
        """End it now.

        Args:
            error: what went wrong.
            failed: whether that is to be counted as an error, even where there are no words for it.
        """


class Tracing:
    """Begins traces; this one does nothing, and those that record inherit from it."""

    def begin(
        self,
        name: str,  # noqa: ARG002
        *,
        kind: Kind = Kind.INTERNAL,  # noqa: ARG002
        traceparent: str = "",  # noqa: ARG002
        facts: Facts | None = None,  # noqa: ARG002
    ) -> Span:
        """Return a span that begins now.

        Args:
            name: of what is done.
            kind: on which side of it this is.
            traceparent: whose child it is; where that is empty, or none by W3C's trace context, it has no parent.
            facts: known from the start, so that a sampler can see them.
        """
        return NO_SPAN

    def add(self, stages: Iterable[Stage], *, traceparent: str) -> None:
        """Make a child of each, for a span that somebody else has begun."""

    def close(self, seconds: float) -> None:
        """Send what has not been sent, within so many seconds, and begin no more."""


NO_SPAN = Span()
OFF = Tracing()

_current: ContextVar[Span] = ContextVar("span", default=NO_SPAN)


def use(span: Span) -> None:
    """Let this be the current span of the task or thread that asks, and of the tasks that it begins."""
    _current.set(span)


def current_span() -> Span:
    return _current.get()

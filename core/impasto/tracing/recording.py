"""Spans that are recorded, by OpenTelemetry's API: whose provider it is decides what becomes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from time import perf_counter_ns, time_ns

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from typing_extensions import override

from impasto.tracing.spans import NO_SPAN, Facts, Kind, Span, Stage, Tracing

_KINDS = {
    Kind.INTERNAL: trace.SpanKind.INTERNAL,
    Kind.SERVER: trace.SpanKind.SERVER,
    Kind.CLIENT: trace.SpanKind.CLIENT,
    Kind.CONSUMER: trace.SpanKind.CONSUMER,
}
_W3C = TraceContextTextMapPropagator()
_PARENT = "traceparent"
_LONGEST = 100  # characters of a traceparent; W3C's have 55, and later versions may add to that
_LONGEST_TEXT = 1000  # characters of a fact


class Clock:
    """Tells when something was that `perf_counter` timed; the same for a span and its children, so that they fit."""

    def __init__(self) -> None:
        self._offset = time_ns() - perf_counter_ns()

    def at(self, seconds: float) -> int:
        """Return ns since 1970."""
        return round(seconds * 1e9) + self._offset

    def now(self) -> int:
        return perf_counter_ns() + self._offset


class RecordedSpan(Span):
    """A span that is recorded."""

    def __init__(self, tracer: trace.Tracer, span: trace.Span, clock: Clock) -> None:
        self._tracer = tracer
        self._span = span
        self._clock = clock
        self._links: set[str] = set()
        self.headers = tuple(_headers(span).items())
        self.traceparent = dict(self.headers)[_PARENT]
        self.notes = {"trace_id": trace.format_trace_id(span.get_span_context().trace_id)}

    @override
    def tell(self, facts: Callable[[], Facts]) -> None:
        self._span.set_attributes(_attributes(facts()))

    @override
    def begin(self, name: str) -> Span:
        return _begun(self._tracer, name, Kind.INTERNAL, _within(self._span), {}, self._clock)

    @override
    def add(self, stages: Iterable[Stage]) -> None:
        _add(self._tracer, stages, _within(self._span), self._clock)

    @override
    def link(self, traceparent: str) -> None:
        other = trace.get_current_span(_context_of(traceparent)).get_span_context()
        if other.is_valid and traceparent not in self._links:
            self._links.add(traceparent)
            self._span.add_link(other)

    @override
    def end(self, error: str = "", *, failed: bool = False) -> None:
        if error or failed:
            self._span.set_status(trace.StatusCode.ERROR, error[:_LONGEST_TEXT] or None)
        self._span.end(self._clock.now())


class PassedOn(Span):
    """A span that a sampler left out: nothing is recorded, and others are told so."""

    def __init__(self, span: trace.Span) -> None:
        self.headers = tuple(_headers(span).items())
        self.traceparent = dict(self.headers)[_PARENT]


class RecordingTracing(Tracing):
    """Begins spans that are recorded.

    Args:
        tracer: makes them.
        context: whose child a span is for which no parent is named; None for what is the current span when it begins.
    """

    def __init__(self, tracer: trace.Tracer, context: Context | None) -> None:
        self._tracer = tracer
        self._context = context

    @override
    def begin(
        self, name: str, *, kind: Kind = Kind.INTERNAL, traceparent: str = "", facts: Facts | None = None
    ) -> Span:
        context = _context_of(traceparent) if traceparent else self._context
        return _begun(self._tracer, name, kind, context, facts or {}, Clock())

    @override
    def add(self, stages: Iterable[Stage], *, traceparent: str) -> None:
        context = _context_of(traceparent)
        if trace.get_current_span(context).get_span_context().is_valid:
            _add(self._tracer, stages, context, Clock())


def _begun(tracer: trace.Tracer, name: str, kind: Kind, context: Context | None, facts: Facts, clock: Clock) -> Span:
    span = tracer.start_span(name, context, _KINDS[kind], _attributes(facts), start_time=clock.now())
    if span.is_recording():
        return RecordedSpan(tracer, span, clock)
    return PassedOn(span) if span.get_span_context().is_valid else NO_SPAN


def _add(tracer: trace.Tracer, stages: Iterable[Stage], context: Context, clock: Clock) -> None:
    for stage in stages:
        span = tracer.start_span(
            stage.name, context, attributes=_attributes(stage.facts), start_time=clock.at(stage.begun)
        )
        if stage.error:
            span.set_status(trace.StatusCode.ERROR, stage.error[:_LONGEST_TEXT])
        span.end(clock.at(stage.ended))


def _within(span: trace.Span) -> Context:
    return trace.set_span_in_context(span, Context())


def _context_of(traceparent: str) -> Context:
    """Return the context that a caller has sent, or an empty one where it is malformed."""
    if len(traceparent) > _LONGEST:
        return Context()
    return _W3C.extract({_PARENT: traceparent}, Context())


def _headers(span: trace.Span) -> dict[str, str]:
    headers: dict[str, str] = {}
    _W3C.inject(headers, _within(span))
    return headers


def _attributes(facts: Facts) -> Mapping[str, str | bool | int | float]:
    """Return facts as OpenTelemetry takes them."""
    return {_name(name): _value(value) for name, value in facts.items() if value is not None}


def _name(name: str) -> str:
    return name if "." in name else f"impasto.{name}"


def _value(value: object) -> str | bool | int | float:
    if isinstance(value, bool | int | float):
        return value
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return text[:_LONGEST_TEXT]

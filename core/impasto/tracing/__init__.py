"""Traces: what a call or a job goes through, span by span, for those who look at many of them.

Everything speaks to a `Span` and a `Tracing` that may do nothing: `NO_SPAN` and `OFF`, which is what there is unless
traces were asked for. Nothing but this package knows OpenTelemetry, and only what records imports it.

- spans: what everybody uses, and the spans that do nothing
- recording: those that record, by OpenTelemetry's API
- otlp: what sends them to a collector
- opening: `open_tracing`, which chooses
- ambient: the tracing that an application has set up by itself, for the client
"""

from impasto.tracing.spans import NO_SPAN, OFF, Kind, Span, Stage, Tracing, current_span, use

__all__ = ["NO_SPAN", "OFF", "Kind", "Span", "Stage", "Tracing", "current_span", "use"]

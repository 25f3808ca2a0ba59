"""Traces, or none."""

from __future__ import annotations

from impasto.errors import MissingDependency
from impasto.logs import Log
from impasto.tracing.spans import OFF, Tracing

TRACES = ("off", "otlp")
"""What can be asked for; the first unless it is."""


def open_tracing(traces: str, service: str, log: Log) -> Tracing:
    """Return what records traces, or what does nothing; only for the former OpenTelemetry is imported.

    Args:
        traces: one of TRACES.
        service: the name of what they come from.
        log: told that they cannot be sent.

    Raises:
        MissingDependency: of the extra `tracing`.
        InvalidInput: a variable of OpenTelemetry's that cannot be used.
    """
    if traces == "off":
        return OFF
    try:
        from impasto.tracing.otlp import OtlpTracing
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("opentelemetry"):
            raise
        raise MissingDependency(error.name or "opentelemetry", "tracing") from error
    return OtlpTracing(service, log)

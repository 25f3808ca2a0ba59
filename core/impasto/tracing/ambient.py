"""The tracing that an application has set up by itself: a library in its process joins in, and sets up nothing."""

from __future__ import annotations

import sys

from impasto.tracing.spans import OFF, Tracing

_API = "opentelemetry.trace"


def ambient_tracing(library: str, version: str) -> Tracing:
    """Return what records spans with the application's tracer provider, or what does nothing.

    Who has set one up has imported OpenTelemetry's API, so where nobody has, nothing is imported here either.

    Args:
        library: which the spans come from.
        version: its.
    """
    api = sys.modules.get(_API)
    if api is None:
        return OFF
    from impasto.tracing.recording import RecordingTracing

    return RecordingTracing(api.get_tracer(library, version), None)

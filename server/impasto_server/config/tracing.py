"""Traces: whether they are sent."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class TracingOptions(BaseModel, frozen=True):
    """Traces."""

    traces: Literal["off", "otlp"] = Field(
        "off",
        description="otlp sends a trace of each call to a collector, by OTLP over gRPC, as OTEL_EXPORTER_OTLP_ENDPOINT "
        "and OpenTelemetry's other variables say; needs the extra `tracing`; see observability.md",
    )

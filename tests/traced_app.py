"""An application that traces by OpenTelemetry and has photos painted: each thing that it does is a trace of its own."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from impasto_client import AsyncClient, Client, Painting, StyleUnknown
from tests.server.support import photo

SERVICE = "app"
STEPS = 6


@contextmanager
def _provided() -> Iterator[trace.Tracer]:
    """Set up the tracer provider, as an application does at its start, and send all at its end."""
    provider = TracerProvider(resource=Resource.create({"service.name": SERVICE}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    try:
        yield trace.get_tracer(SERVICE)
    finally:
        provider.shutdown()


async def _paint(target: str) -> None:
    async with AsyncClient(target) as client:
        await client.stylize(photo(), "ink")


async def _stream(target: str) -> None:
    async with AsyncClient(target) as client:
        async for _ in client.stylize_stream([photo()] * 2, "ink"):
            pass


def main(target: str) -> None:
    with _provided() as tracer, Client(target) as client:
        with tracer.start_as_current_span("paints"):
            client.stylize(photo(), "ink")
        with tracer.start_as_current_span("paints by asyncio"):
            asyncio.run(_paint(target))
        with tracer.start_as_current_span("streams"):
            for _ in client.stylize_stream([photo(), b"no photo", photo(32, 32)], "ink"):
                pass
        with tracer.start_as_current_span("streams by asyncio"):
            asyncio.run(_stream(target))
        with tracer.start_as_current_span("errs"), suppress(StyleUnknown):
            client.stylize(photo(), "unheard-of")
        with tracer.start_as_current_span("makes a job"):
            job = client.create_job(photo(), Painting(photo()), optimization={"steps": STEPS})
        with tracer.start_as_current_span("waits"):
            client.wait(job.name, timeout=100)


if __name__ == "__main__":
    main(sys.argv[1])

"""A collector of traces on a port of this machine: what is sent to it by OTLP over gRPC, as it was sent."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SentSpan
from opentelemetry.proto.trace.v1.trace_pb2 import Status
from typing_extensions import override

WAIT = 60.0  # s, far more than anything here takes


@dataclass(frozen=True)
class ReceivedSpan:
    """A span as it was received.

    Attributes:
        service: the resource that it comes from.
        trace, id, parent: in hex; a root's parent is empty.
        kind: `server`, `client`, `internal` or `consumer`.
        begun, ended: ns since 1970.
        failed: whether its status is an error.
        error: what the status says.
        links: the ids of the spans that it points at.
    """

    name: str
    service: str
    trace: str
    id: str
    parent: str
    kind: str
    begun: int
    ended: int
    facts: dict[str, Any]
    failed: bool
    error: str
    links: tuple[str, ...]


@dataclass
class Collector:
    """What has been received.

    Attributes:
        port: where it listens, on 127.0.0.1.
        resources: what the spans' senders say of themselves.
        text: all that was sent, as text.
    """

    port: int = 0
    spans: list[ReceivedSpan] = field(default_factory=list)
    resources: list[dict[str, Any]] = field(default_factory=list)
    text: str = ""

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which a process finds it, and sends often."""
        return environment(self.port)

    @property
    def names(self) -> list[str]:
        return [span.name for span in self.spans]

    def named(self, name: str) -> list[ReceivedSpan]:
        return [span for span in self.spans if span.name == name]

    def the(self, name: str) -> ReceivedSpan:
        """Return the only span of a name."""
        (span,) = self.named(name)
        return span

    def children(self, parent: ReceivedSpan) -> list[ReceivedSpan]:
        """Return the spans right below one, in the order of their beginnings."""
        return sorted((span for span in self.spans if span.parent == parent.id), key=lambda span: span.begun)

    def wait_for(self, name: str, count: int = 1) -> list[ReceivedSpan]:
        """Return the spans of a name, once there are so many."""
        deadline = time.monotonic() + WAIT
        while len(found := self.named(name)) < count:
            assert time.monotonic() < deadline, f"waited {WAIT:g} s for {count} spans {name!r} in {self.names}"
            time.sleep(0.02)
        return found


def environment(port: int) -> dict[str, str]:
    """Return the variables by which a process sends to a port of this machine, and often."""
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}", "OTEL_BSP_SCHEDULE_DELAY": "100"}


@contextmanager
def collecting() -> Iterator[Collector]:
    """Run a collector."""
    collector = Collector()
    with ThreadPoolExecutor(2) as threads:
        server = grpc.server(threads, options=[("grpc.so_reuseport", 0)])
        add_TraceServiceServicer_to_server(_Servicer(collector), server)  # type: ignore[no-untyped-call]
        collector.port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield collector
        finally:
            server.stop(None).wait()


class _Servicer(TraceServiceServicer):
    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    @override
    def Export(self, request: ExportTraceServiceRequest, context: Any) -> ExportTraceServiceResponse:
        self._collector.text += str(request)
        for group in request.resource_spans:
            resource = _facts(group.resource.attributes)
            self._collector.resources.append(resource)
            for scope in group.scope_spans:
                self._collector.spans += [_received(span, resource["service.name"]) for span in scope.spans]
        return ExportTraceServiceResponse()


def _received(span: SentSpan, service: str) -> ReceivedSpan:
    return ReceivedSpan(
        name=span.name,
        service=service,
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        kind=SentSpan.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
        begun=span.start_time_unix_nano,
        ended=span.end_time_unix_nano,
        facts=_facts(span.attributes),
        failed=span.status.code == Status.STATUS_CODE_ERROR,
        error=span.status.message,
        links=tuple(link.span_id.hex() for link in span.links),
    )


def _facts(attributes: Sequence[KeyValue]) -> dict[str, Any]:
    return {attribute.key: _value(attribute.value) for attribute in attributes}


def _value(value: AnyValue) -> Any:
    return getattr(value, value.WhichOneof("value") or "string_value")

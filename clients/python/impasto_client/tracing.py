"""Spans of calls, where the application traces with OpenTelemetry: it is joined, and neither needed nor set up here.

A span lasts as long as what the application called, tries and pauses included, and each try carries it to the server as
`traceparent`. Of a watch and of a stream of photos it lasts until they have ended.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import grpc
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from impasto import __version__
from impasto.tracing import Kind, Span
from impasto.tracing.ambient import ambient_tracing
from impasto_client.errors import ImpastoClientError

_LIBRARY = "impasto_client"


@contextmanager
def traced(request: Message) -> Iterator[Span]:
    """Make a span of a block that calls the method which takes this request; its `headers` go with the call."""
    service, method = _method_of(request.DESCRIPTOR)
    span = ambient_tracing(_LIBRARY, __version__).begin(
        f"{service}/{method}",
        kind=Kind.CLIENT,
        facts={"rpc.system": "grpc", "rpc.service": service, "rpc.method": method},
    )
    code, error = grpc.StatusCode.OK, ""
    try:
        yield span
    except ImpastoClientError as failure:
        code, error = failure.status, str(failure)
        raise
    except BaseException:  # whoever called went away
        code, error = grpc.StatusCode.CANCELLED, "given up"
        raise
    finally:
        span.tell(lambda: {"rpc.grpc.status_code": code.value[0]})
        span.end(error)


@cache
def _method_of(request: Descriptor) -> tuple[str, str]:
    """Return service and method; no two methods take requests of one type."""
    return next(
        (service.full_name, method.name)
        for service in request.file.services_by_name.values()
        for method in service.methods
        if method.input_type.full_name == request.full_name
    )

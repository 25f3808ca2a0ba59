"""The methods that browsers may call, from the descriptors of our services, for Connect and gRPC-Web alike."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from connectrpc.method import IdempotencyLevel, MethodInfo, StreamType
from connectrpc.request import RequestContext
from connectrpc.server import ConnectASGIApplication, Endpoint
from google.longrunning import operations_pb2 as lro
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from typing_extensions import override

from impasto.v1 import stylizer_pb2 as pb
from impasto_server.studio.codecs import Binary, Json, Packed
from impasto_server.studio.tunnel import Tunnel

_SERVICES = (pb.DESCRIPTOR.services_by_name["Stylizer"], lro.DESCRIPTOR.services_by_name["Operations"])
_METHODS = {
    f"/{service.full_name}/{method.name}": method
    for service in _SERVICES
    for method in service.methods
    if not method.client_streaming  # which browsers cannot do
}

PATHS = frozenset(_METHODS)
"""`/package.Service/Method` of each that browsers may call."""


class Calls(ConnectASGIApplication[Tunnel]):
    """Answers calls by asking the gRPC server.

    Args:
        tunnel: to it.
        max_message_bytes: the largest request.
    """

    def __init__(self, tunnel: Tunnel, max_message_bytes: int) -> None:
        super().__init__(
            service=tunnel,
            endpoints=lambda tunnel: dict(_endpoints(tunnel)),
            read_max_bytes=max_message_bytes,
            compressions=(),  # pictures do not get smaller, and what unpacks to gigabytes does not come in
            codecs=(Binary(), Json()),
        )

    @property
    @override
    def path(self) -> str:
        return "/"


def _endpoints(tunnel: Tunnel) -> Iterator[tuple[str, Any]]:
    for path, method in _METHODS.items():
        kinds = GetMessageClass(method.input_type), GetMessageClass(method.output_type)
        make = _streaming if method.server_streaming else _unary
        yield path, make(tunnel, path, *kinds)


def _unary(tunnel: Tunnel, path: str, request_kind: type[Message], kind: type[Message]) -> Endpoint[Any, Any]:
    async def call(request: Packed, context: RequestContext[Any, Any]) -> Packed:
        return Packed(kind, await tunnel.ask(path, request, context))

    return Endpoint.unary(_info(path, request_kind, kind, StreamType.UNARY), call)


def _streaming(tunnel: Tunnel, path: str, request_kind: type[Message], kind: type[Message]) -> Endpoint[Any, Any]:
    async def call(request: Packed, context: RequestContext[Any, Any]) -> AsyncIterator[Packed]:
        async for data in tunnel.follow(path, request, context):
            yield Packed(kind, data)

    return Endpoint.server_stream(_info(path, request_kind, kind, StreamType.SERVER_STREAM), call)


def _info(path: str, request_kind: type[Message], kind: type[Message], stream: StreamType) -> MethodInfo[Any, Any]:
    _, service, name = path.split("/")
    return MethodInfo(
        name=name,
        service_name=service,
        input=request_kind,
        output=kind,
        idempotency_level=IdempotencyLevel.UNKNOWN,
        stream_type=stream,
    )

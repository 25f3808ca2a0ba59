"""Browsers that call a studio: over Connect, by the client of its makers, and in plain HTTP."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from connectrpc.client import ConnectClient
from connectrpc.compat import google_protobuf_binary_codec
from connectrpc.errors import ConnectError
from connectrpc.method import IdempotencyLevel, MethodInfo, StreamType
from connectrpc.protocol import ProtocolType
from google.longrunning import operations_pb2 as lro
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc.error_details_pb2 import ErrorInfo

from impasto.v1 import stylizer_pb2 as pb
from impasto_server.server import Server

ON: dict[str, Any] = {"studio": True, "studio_listen": "127.0.0.1:0"}
STYLIZER = "/impasto.v1.Stylizer"
PROTO = {"content-type": "application/proto"}
PATIENCE = 60.0  # s, far more than anything here takes

_SERVICES = (pb.DESCRIPTOR.services_by_name["Stylizer"], lro.DESCRIPTOR.services_by_name["Operations"])
_METHODS = {method.name: method for service in _SERVICES for method in service.methods}


def url(server: Server, path: str = "", scheme: str = "http") -> str:
    return f"{scheme}://{server.studio_address}{path}"


class Browser:
    """Calls methods by name, over Connect unless another protocol is given.

    Args:
        headers: names with _ for -.
    """

    def __init__(self, server: Server, protocol: ProtocolType = ProtocolType.CONNECT, **headers: str) -> None:
        self._headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self._client = ConnectClient(
            url(server), codec=google_protobuf_binary_codec(), protocol=protocol, send_compression=None
        )

    async def call(self, name: str, request: Message, timeout_ms: int | None = None) -> Any:
        ask = self._client.execute_unary(
            request=request, method=_info(name), headers=self._headers, timeout_ms=timeout_ms
        )
        async with asyncio.timeout(PATIENCE):
            return await ask

    def stream(self, name: str, request: Message) -> AsyncIterator[Any]:
        return self._client.execute_server_stream(request=request, method=_info(name), headers=self._headers)


@asynccontextmanager
async def http(source: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> AsyncIterator[aiohttp.ClientSession]:
    """Return what makes plain requests from an address of this machine."""
    connector = aiohttp.TCPConnector(local_addr=(source, 0), ssl=tls or True)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(PATIENCE)) as session:
        yield session


async def post(
    session: aiohttp.ClientSession, server: Server, name: str, data: Any = b"", **headers: str
) -> tuple[int, Any]:
    """Call a method that has one answer; return its status and body: bytes, or an error's JSON."""
    service = _METHODS[name].containing_service.full_name
    sent = {**PROTO, **headers}
    async with session.post(url(server, f"/{service}/{name}"), data=data, headers=sent) as response:
        is_json = response.content_type == "application/json"
        return response.status, await (response.json() if is_json else response.read())


async def refusal(call: Awaitable[Any]) -> ConnectError:
    """Return what a call failed with."""
    with pytest.raises(ConnectError) as caught:
        await call
    return caught.value


def detail(error: ConnectError, kind: type[Message]) -> Any:
    """Return one of an error's google.rpc details, or None."""
    packed = {one.type_name: one.message_bytes for one in error.details}.get(kind.DESCRIPTOR.full_name)
    return None if packed is None else kind.FromString(packed)


def reason(error: ConnectError) -> str:
    reason: str = detail(error, ErrorInfo).reason
    return reason


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not true():
            await asyncio.sleep(0.02)


def _info(name: str) -> MethodInfo[Any, Any]:
    method = _METHODS[name]
    return MethodInfo(
        name=name,
        service_name=method.containing_service.full_name,
        input=GetMessageClass(method.input_type),
        output=GetMessageClass(method.output_type),
        idempotency_level=IdempotencyLevel.UNKNOWN,
        stream_type=StreamType.SERVER_STREAM if method.server_streaming else StreamType.UNARY,
    )

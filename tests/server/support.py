"""A real server in the test's own event loop, on free ports, with a fake engine and a client."""

from __future__ import annotations

import asyncio
import io
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import grpc
import pytest
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from grpc_health.v1 import health_pb2_grpc
from grpc_status import rpc_status

from impasto import images
from impasto.bundle import Bundle
from impasto.codes import Codes
from impasto.engine import Cancellation, FakeEngine
from impasto.images import Format, Pixels, Planes
from impasto.logs import make_log
from impasto.v1 import stylizer_pb2 as pb
from impasto.v1.stylizer_pb2_grpc import StylizerStub
from impasto_server.config import Config
from impasto_server.server import Server, running
from tests.support import gradient


@dataclass
class Served:
    """A running server and what talks to it."""

    server: Server
    channel: grpc.aio.Channel
    log: io.StringIO = field(repr=False)

    def __post_init__(self) -> None:
        self.stub: Any = StylizerStub(self.channel)  # type: ignore[no-untyped-call]
        self.health: Any = health_pb2_grpc.HealthStub(self.channel)

    @property
    def lines(self) -> list[dict[str, Any]]:
        """What has been logged."""
        return [json.loads(line) for line in self.log.getvalue().splitlines()]

    async def stylize(self, **fields: Any) -> pb.StylizeResponse:
        """Paint as ink, unless the fields say otherwise, and return a PNG."""
        fields = {"image": photo(), "format": pb.IMAGE_FORMAT_PNG, **fields}
        if not fields.keys() & {"style_id", "blend", "style_images"}:
            fields["style_id"] = "ink"
        response: pb.StylizeResponse = await self.stub.Stylize(pb.StylizeRequest(**fields))
        return response

    async def get(self, path: str) -> tuple[int, str]:
        """Return status and text of a page of the HTTP port."""
        return await fetch(self.server, path)


def options(*bundles: Bundle, **others: Any) -> Config:
    """Return a configuration with free ports, and without jobs unless they are asked for."""
    paths = tuple(bundle.path for bundle in bundles)
    return Config(**{"listen": "127.0.0.1:0", "http": "127.0.0.1:0", "bundles": paths, "jobs": "off", **others})


@asynccontextmanager
async def serving(*bundles: Bundle, engine: FakeEngine | None = None, **others: Any) -> AsyncIterator[Served]:
    """Serve bundles, each with this engine."""
    log = io.StringIO()
    painter = engine or FakeEngine()
    config = options(*bundles, **others)
    async with (
        running(config, open_engine=lambda _: painter, log=make_log(config.log_level, stream=log)) as server,
        connect(server) as channel,
    ):
        yield Served(server, channel, log)


def connect(server: Server) -> grpc.aio.Channel:
    return grpc.aio.insecure_channel(str(server.address), options=[("grpc.max_receive_message_length", -1)])


async def fetch(server: Server, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(f"http://{server.http_address}{path}") as response:
        return response.status, await response.text()


class Held(FakeEngine):
    """An engine that, once told to, holds every picture until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.holding = False
        self.entered = threading.Event()
        self.release = threading.Event()

    def run(self, images: Planes, codes: Codes, cancellation: Cancellation | None = None) -> Planes:
        if self.holding:
            self.entered.set()
            assert self.release.wait(60)
        return super().run(images, codes, cancellation)

    async def until_entered(self) -> None:
        assert await asyncio.to_thread(self.entered.wait, 60)


class Broken(FakeEngine):
    """An engine that, once told to, fails with an error of its own."""

    error: Exception | None = None

    def run(self, images: Planes, codes: Codes, cancellation: Cancellation | None = None) -> Planes:
        if self.error is not None:
            raise self.error
        return super().run(images, codes, cancellation)


def photo(width: int = 64, height: int = 48, format: Format = Format.PNG) -> bytes:
    return images.encode(gradient(width, height), format=format)


def read(response: pb.StylizeResponse) -> Pixels:
    return images.decode(response.image, limits=images.Limits(min_side=1))


async def refusal(call: Awaitable[Any]) -> grpc.aio.AioRpcError:
    """Return what a call failed with."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value


def detail(error: grpc.aio.AioRpcError, kind: type[Message]) -> Any:
    """Return one of an error's google.rpc details, or None."""
    status = rpc_status.from_call(error)  # type: ignore[arg-type]
    for packed in status.details if status else ():
        message = kind()
        if packed.Unpack(message):
            return message
    return None


def fields(error: grpc.aio.AioRpcError) -> list[str]:
    """Return the fields that an error names."""
    found = detail(error, BadRequest)
    return [violation.field for violation in found.field_violations] if found else []


def reason(error: grpc.aio.AioRpcError) -> str | None:
    found = detail(error, ErrorInfo)
    return f"{found.domain}/{found.reason}" if found else None


def blend(parts: Iterable[tuple[str, float]]) -> pb.Blend:
    return pb.Blend(parts=[pb.Blend.Part(style_id=style, weight=weight) for style, weight in parts])

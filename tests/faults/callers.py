"""Callers of a server that is being harmed: those who do it, and those who must not notice."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any

import grpc
import numpy as np

from impasto import images
from impasto.images import Format
from impasto.v1 import stylizer_pb2 as pb
from impasto.v1.stylizer_pb2_grpc import StylizerStub
from impasto_client import Client, ImpastoClientError
from tests.faults.replicas import PATIENCE, until
from tests.support import gradient

STYLE = "great-wave"
PHOTO = images.encode(gradient(96, 64), format=Format.PNG)
_NOISE = np.random.default_rng(0).integers(0, 256, (128, 128, 3), np.uint8)
BULKY = images.encode(_NOISE, format=Format.PNG)  # 49 KB
REQUEST = pb.StylizeRequest(image=PHOTO, style_id=STYLE)
BULKY_REQUEST = pb.StylizeRequest(image=BULKY, style_id=STYLE, strength=0, format=pb.IMAGE_FORMAT_PNG)
"""Of which as much comes back as goes in."""


@asynccontextmanager
async def stubs(target: str, number: int) -> AsyncIterator[list[Any]]:
    """Yield stubs with a connection each, over which a photo has been painted. They retry nothing.

    What is not read of a call is not sent for, either: gRPC would have megabytes sent ahead on a line as quick as this.
    """
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0), ("grpc.http2.bdp_probe", 0)]
    async with AsyncExitStack() as stack:
        channels = [await stack.enter_async_context(grpc.aio.insecure_channel(target, options)) for _ in range(number)]
        made = [StylizerStub(channel) for channel in channels]  # type: ignore[no-untyped-call]
        await asyncio.gather(*(stub.Stylize(REQUEST) for stub in made))
        yield made


async def code_of(call: Awaitable[Any]) -> grpc.StatusCode:
    """Return how a call ended."""
    try:
        async with asyncio.timeout(PATIENCE):
            await call
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


class Calls:
    """What became of the calls under a load.

    Attributes:
        painted: how many were.
        errors: of those that were not.
    """

    def __init__(self) -> None:
        self.painted = 0
        self.errors: list[Exception] = []
        self.ended = threading.Event()

    def more(self, number: int = 10) -> None:
        """Wait until so many more photos have been painted."""
        enough = self.painted + number
        until(lambda: self.painted >= enough, f"{number} more photos; errors so far: {self.errors}")

    @contextmanager
    def one(self) -> Iterator[None]:
        """Count a call."""
        try:
            yield
            self.painted += 1
        except (ImpastoClientError, AssertionError) as error:
            self.errors.append(error)


@contextmanager
def painting(target: str) -> Iterator[Calls]:
    """Have photos painted, one after the other, while the block lasts, and check that each of them was."""
    calls = Calls()

    def paint() -> None:
        with Client(target, timeout=PATIENCE) as client:
            while not calls.ended.is_set():
                with calls.one():
                    assert images.decode(client.stylize(PHOTO, STYLE).image).shape == (64, 96, 3)

    thread = threading.Thread(target=paint)
    thread.start()
    try:
        yield calls
        calls.more()
    finally:
        calls.ended.set()
        thread.join()
    assert not calls.errors, calls.errors

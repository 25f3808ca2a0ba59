"""The asyncio client."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Any, TypeVar

import grpc

from impasto.v1 import stylizer_pb2 as pb
from impasto.v1.stylizer_pb2_grpc import StylizerStub
from impasto_client.building import get_style_request, stylize_request
from impasto_client.calling import DEFAULT_TIMEOUT, Patience
from impasto_client.channel import DEFAULT_TARGET, channel_options
from impasto_client.results import Style, Stylized

_Reply = TypeVar("_Reply")


class AsyncClient:
    """A connection to an Impasto server for one event loop: make it in a coroutine, once, and keep it.

    Arguments, results and errors are those of `impasto_client.Client`.
    """

    def __init__(
        self,
        target: str = DEFAULT_TARGET,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        credentials: grpc.ChannelCredentials | None = None,
    ) -> None:
        """Prepare a connection as `Client` does.

        Raises:
            RuntimeError: no event loop is running.
        """
        asyncio.get_running_loop()
        self._target = target
        self._timeout = timeout
        if credentials:
            self._channel = grpc.aio.secure_channel(target, credentials, channel_options())
        else:
            self._channel = grpc.aio.insecure_channel(target, channel_options())
        self._stub = StylizerStub(self._channel)  # type: ignore[no-untyped-call]

    async def stylize(
        self,
        photo: bytes,
        style: str | Mapping[str, float],
        *,
        strength: float | None = None,
        working_size: int | None = None,
        width: int | None = None,
        height: int | None = None,
        format: str | None = None,
        quality: int | None = None,
        timeout: float | None = None,
    ) -> Stylized:
        """Have a photo painted, as `Client.stylize` does."""
        request = stylize_request(
            photo,
            style,
            strength=strength,
            working_size=working_size,
            width=width,
            height=height,
            format=format,
            quality=quality,
        )
        return Stylized.from_proto(await self._call(self._stub.Stylize, request, self._patience(timeout)))

    async def styles(self, *, thumbnails: bool = False, timeout: float | None = None) -> list[Style]:
        """Return every style, as `Client.styles` does."""
        request = pb.ListStylesRequest(include_thumbnails=thumbnails)
        patience = self._patience(timeout)
        found: list[Style] = []
        while True:
            page = await self._call(self._stub.ListStyles, request, patience)
            found += map(Style.from_proto, page.styles)
            if not page.next_page_token:
                return found
            request.page_token = page.next_page_token

    async def style(self, name: str, *, timeout: float | None = None) -> Style:
        """Return one style, as `Client.style` does."""
        request = get_style_request(name)
        return Style.from_proto(await self._call(self._stub.GetStyle, request, self._patience(timeout)))

    async def close(self) -> None:
        """End the connection, and every call that is still under way."""
        await self._channel.close()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _patience(self, timeout: float | None) -> Patience:
        return Patience(self._target, self._timeout if timeout is None else timeout)

    async def _call(self, method: Callable[..., Awaitable[_Reply]], request: Any, patience: Patience) -> _Reply:
        while True:
            try:
                return await method(request, timeout=patience.left())
            except grpc.RpcError as error:
                await asyncio.sleep(patience.pause_after(error))

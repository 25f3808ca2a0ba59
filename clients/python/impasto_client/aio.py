"""The asyncio client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from types import TracebackType
from typing import Any, TypeVar

import grpc
from google.longrunning.operations_pb2 import CancelOperationRequest, DeleteOperationRequest, GetOperationRequest
from google.longrunning.operations_pb2_grpc import OperationsStub

from impasto.optimization import Optimization
from impasto.v1 import stylizer_pb2 as pb
from impasto.v1.stylizer_pb2_grpc import StylizerStub
from impasto_client.access import Access, PathLike
from impasto_client.aio_streaming import AsyncStreamingClient
from impasto_client.building import StyleLike, create_request, get_style_request, list_request, stylize_request
from impasto_client.calling import DEFAULT_TIMEOUT, Metadata, OnLost, Patience
from impasto_client.channel import DEFAULT_TARGET, channel_options
from impasto_client.following import Download, Following, Watch
from impasto_client.jobs import Job, JobUpdate, operation_name
from impasto_client.masks import MaskLike
from impasto_client.paintings import Painting
from impasto_client.results import Style, Stylized
from impasto_client.tracing import traced

_Reply = TypeVar("_Reply")
_Item = TypeVar("_Item")


class AsyncClient(AsyncStreamingClient):
    """A connection to an Impasto server for one event loop: make it in a coroutine, once, and keep it.

    Arguments, results and errors are those of `impasto_client.Client`.
    """

    def __init__(
        self,
        target: str = DEFAULT_TARGET,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        credentials: grpc.ChannelCredentials | None = None,
        token: str | None = None,
        tls: bool = False,
        ca: PathLike | None = None,
        certificate: PathLike | None = None,
        key: PathLike | None = None,
        insecure: bool = False,
    ) -> None:
        """Prepare a connection as `Client` does.

        Raises:
            RuntimeError: no event loop is running.
            InvalidRequest: as there.
        """
        asyncio.get_running_loop()
        access = Access.to(
            target,
            credentials=credentials,
            token=token,
            tls=tls,
            ca=ca,
            certificate=certificate,
            key=key,
            insecure=insecure,
        )
        super().__init__(target, timeout, access.metadata)
        if access.credentials:
            self._channel = grpc.aio.secure_channel(target, access.credentials, channel_options(target))
        else:
            self._channel = grpc.aio.insecure_channel(target, channel_options(target))
        self._stub = StylizerStub(self._channel)  # type: ignore[no-untyped-call]
        self._operations = OperationsStub(self._channel)

    async def stylize(
        self,
        photo: bytes,
        style: StyleLike,
        *,
        strength: float | None = None,
        working_size: int | None = None,
        width: int | None = None,
        height: int | None = None,
        format: str | None = None,
        quality: int | None = None,
        metadata: str | None = None,
        mask: MaskLike | None = None,
        optimization: Optimization | Mapping[str, Any] | None = None,
        request_id: str | None = None,
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
            metadata=metadata,
            mask=mask,
            optimization=optimization,
            request_id=request_id,
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

    async def create_job(
        self,
        photo: bytes,
        paintings: Painting | Sequence[Painting],
        *,
        strength: float | None = None,
        working_size: int | None = None,
        width: int | None = None,
        height: int | None = None,
        format: str | None = None,
        quality: int | None = None,
        metadata: str | None = None,
        mask: MaskLike | None = None,
        optimization: Optimization | Mapping[str, Any] | None = None,
        priority: int = 0,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> Job:
        """Queue a job, as `Client.create_job` does."""
        request = create_request(
            stylize_request(
                photo,
                paintings,
                strength=strength,
                working_size=working_size,
                width=width,
                height=height,
                format=format,
                quality=quality,
                metadata=metadata,
                mask=mask,
                optimization=optimization,
                request_id=request_id,
            ),
            priority,
        )
        return Job.from_operation(await self._call(self._stub.CreateStylization, request, self._patience(timeout)))

    async def job(self, name: str, *, timeout: float | None = None) -> Job:
        """Return a job, as `Client.job` does."""
        return Job.from_operation(await self._on_job(self._operations.GetOperation, GetOperationRequest, name, timeout))

    async def jobs(self, *, ended: bool | None = None, timeout: float | None = None) -> AsyncIterator[Job]:
        """Iterate over the caller's jobs, as `Client.jobs` does."""
        request = list_request(ended)
        while True:
            page = await self._call(self._operations.ListOperations, request, self._patience(timeout))
            for operation in page.operations:
                yield Job.from_operation(operation)
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def watch(
        self,
        name: str,
        *,
        preview_interval: float | None = None,
        timeout: float | None = None,
        on_lost: OnLost | None = None,
    ) -> AsyncIterator[JobUpdate]:
        """Iterate over a job's states, as `Client.watch` does."""
        watch = Watch(name, preview_interval)
        return self._follow(self._stub.WatchStylization, watch, self._holding_on(name, timeout, on_lost))

    async def wait(self, name: str, *, timeout: float | None = None, on_lost: OnLost | None = None) -> Job:
        """Return a job once it has ended, as `Client.wait` does."""
        patience = self._holding_on(name, timeout, on_lost)
        async for _ in self._follow(self._stub.WatchStylization, Watch(name), patience):
            pass
        return await self._get(name, patience)

    async def result(self, name: str, *, timeout: float | None = None) -> Stylized:
        """Return what a job has made, as `Client.result` does."""
        patience = self._holding_on(name, timeout)
        download = Download(await self._get(name, patience))
        async for _ in self._follow(self._stub.ReadStylization, download, patience):
            pass
        return download.stylized()

    async def cancel(self, name: str, *, timeout: float | None = None) -> None:
        """Cancel a job, as `Client.cancel` does."""
        await self._on_job(self._operations.CancelOperation, CancelOperationRequest, name, timeout)

    async def delete(self, name: str, *, timeout: float | None = None) -> None:
        """Delete all of a job, as `Client.delete` does."""
        await self._on_job(self._operations.DeleteOperation, DeleteOperationRequest, name, timeout)

    async def close(self) -> None:
        """End the connection, and every call that is still under way."""
        await self._channel.close()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _get(self, name: str, patience: Patience) -> Job:
        request = GetOperationRequest(name=operation_name(name))
        return Job.from_operation(await self._call(self._operations.GetOperation, request, patience))

    async def _on_job(
        self, method: Callable[..., Awaitable[_Reply]], request: Callable[..., Any], name: str, timeout: float | None
    ) -> _Reply:
        operation = operation_name(name)
        return await self._call(method, request(name=operation), self._patience(timeout, operation))

    async def _call(self, method: Callable[..., Awaitable[_Reply]], request: Any, patience: Patience) -> _Reply:
        with traced(request) as span:
            while True:
                try:
                    return await method(request, timeout=patience.left(), metadata=self._metadata(span))
                except grpc.RpcError as error:
                    await asyncio.sleep(patience.pause_after(error))

    async def _follow(
        self, method: Callable[..., Any], following: Following[_Item], patience: Patience
    ) -> AsyncGenerator[_Item, None]:
        with traced(following.request) as span:
            async with aclosing(self._followed(method, following, patience, self._metadata(span))) as items:
                async for item in items:
                    yield item

    async def _followed(
        self, method: Callable[..., Any], following: Following[_Item], patience: Patience, metadata: Metadata
    ) -> AsyncGenerator[_Item, None]:
        while True:
            stream = method(following.request, timeout=patience.left(), metadata=metadata)
            try:
                async for reply in stream:
                    patience.met()
                    for item in following.take(reply):
                        yield item
                following.close()
                pause = patience.pause()
            except grpc.RpcError as error:
                pause = 0.0 if following.complete else patience.pause_after(error)
            finally:
                stream.cancel()
            if following.complete:
                return
            await asyncio.sleep(pause)

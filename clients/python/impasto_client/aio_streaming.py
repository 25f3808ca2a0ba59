"""Streams of photos, for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from typing import Any

import grpc

from impasto.v1 import stylizer_pb2 as pb
from impasto_client.building import stream_config
from impasto_client.calling import Caller, Metadata, OnLost, checked_timeout
from impasto_client.errors import ServerUnavailable
from impasto_client.exchange import DEFAULT_WINDOW, Exchange
from impasto_client.masks import MaskLike
from impasto_client.photos import PhotoLike, StreamResult, TrainedStyle
from impasto_client.tracing import traced

_END: Any = object()


class AsyncStreamingClient(Caller):
    """What an asyncio client does with streams."""

    _stub: Any

    def stylize_stream(
        self,
        photos: Iterable[PhotoLike] | AsyncIterable[PhotoLike],
        style: TrainedStyle | None = None,
        *,
        strength: float | None = None,
        working_size: int | None = None,
        width: int | None = None,
        height: int | None = None,
        format: str | None = None,
        quality: int | None = None,
        metadata: str | None = None,
        mask: MaskLike | None = None,
        ordered: bool = True,
        window: int = DEFAULT_WINDOW,
        timeout: float | None = None,
        on_lost: OnLost | None = None,
    ) -> AsyncGenerator[StreamResult, None]:
        """Have photos painted, and iterate over the results, as `Client.stylize_stream` does.

        The photos of an iterable that is not asynchronous are asked for in a thread, since it may take its time. A loop
        that is left early ends the stream when the generator is closed: at once with `contextlib.aclosing`, otherwise
        when Python gets round to it.
        """
        config = stream_config(
            style,
            strength=strength,
            working_size=working_size,
            width=width,
            height=height,
            format=format,
            quality=quality,
            metadata=metadata,
            mask=mask,
            ordered=ordered,
            window=window,
        )
        patience = self._timeout if timeout is None else timeout
        checked_timeout(patience)
        exchange = Exchange(self._target, config, patience, on_lost)
        return _Stream(exchange, self._stub.StylizeStream, self._authorization, photos).results()


class _Changes:
    """Wakes whoever waits for something to change."""

    def __init__(self) -> None:
        self._waiters: set[asyncio.Future[None]] = set()

    def tell(self) -> None:
        """Wake all."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def one(self, timeout: float | None = None) -> None:
        """Wait for a change, or so many seconds."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            await asyncio.wait([waiter], timeout=timeout)
        finally:
            self._waiters.discard(waiter)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition holds."""
        while not condition():
            await self.one()


class _Stream:
    """One stream, in tasks of its own that end with it."""

    def __init__(
        self,
        exchange: Exchange,
        method: Callable[..., Any],
        metadata: Metadata,
        photos: Iterable[PhotoLike] | AsyncIterable[PhotoLike],
    ) -> None:
        self._exchange = exchange
        self._method = method
        self._metadata = metadata
        self._photos = photos
        self._changes = _Changes()

    async def results(self) -> AsyncGenerator[StreamResult, None]:
        """Yield the results."""
        with traced(self._exchange.opening) as span:
            self._metadata = (*self._metadata, *span.headers)
            async with aclosing(self._results()) as results:
                async for result in results:
                    yield result

    async def _results(self) -> AsyncGenerator[StreamResult, None]:
        tasks = [asyncio.create_task(self._feed()), asyncio.create_task(self._talk())]
        try:
            while result := await self._next():
                yield result
        finally:
            self._exchange.closed = True
            await _end(tasks)

    async def _next(self) -> StreamResult | None:
        while not (result := self._exchange.pop()):
            if self._exchange.finished:
                return None
            await self._changes.one(self._exchange.time_left)
        self._changes.tell()
        return result

    async def _feed(self) -> None:
        """Take photos as there is room for them."""
        error = None
        try:
            async with aclosing(_each(self._photos)) as photos:
                while await self._feed_one(photos):
                    pass
        except BaseException as raised:
            error = raised
            if isinstance(raised, asyncio.CancelledError):
                raise
        finally:
            self._exchange.end(error)
            self._changes.tell()

    async def _feed_one(self, photos: AsyncGenerator[PhotoLike, None]) -> bool:
        exchange = self._exchange
        await self._changes.until(lambda: exchange.has_room or exchange.over)
        photo = _END if exchange.over else await anext(photos, _END)
        if photo is _END:
            return False
        exchange.add(photo)
        self._changes.tell()
        return True

    async def _talk(self) -> None:
        """Keep a line to the server while there is something to say."""
        try:
            while await self._has_work():
                await self._run_line()
        except Exception as error:
            self._exchange.fail(error)
            self._changes.tell()

    async def _has_work(self) -> bool:
        exchange = self._exchange
        await self._changes.until(lambda: exchange.waits or exchange.over)
        return not exchange.over

    async def _run_line(self) -> None:
        """Send photos and take answers until the line ends, and wait as long as it is right before the next."""
        line = self._exchange.begin()
        call = self._method(metadata=self._metadata)
        sending = asyncio.create_task(self._send(call, line))
        error: grpc.RpcError | ServerUnavailable | None = None
        try:
            while (response := await call.read()) is not grpc.aio.EOF:
                self._exchange.take(response)
                self._changes.tell()
        except (grpc.RpcError, ServerUnavailable) as lost:
            error = lost
        finally:
            call.cancel()
            await _end([sending])
        pause = self._exchange.lost(error)
        self._changes.tell()
        await asyncio.sleep(pause)

    async def _send(self, call: Any, line: int) -> None:
        try:
            await call.write(self._exchange.opening)
            while message := await self._outgoing(line):
                await call.write(message)
            await call.done_writing()
        except (grpc.RpcError, asyncio.InvalidStateError):
            pass  # the line is lost; whoever reads the answers is told why

    async def _outgoing(self, line: int) -> pb.StylizeStreamRequest | None:
        await self._changes.until(lambda: self._exchange.can_go_on(line))
        return self._exchange.outgoing(line)


async def _each(photos: Iterable[PhotoLike] | AsyncIterable[PhotoLike]) -> AsyncGenerator[PhotoLike, None]:
    """Yield each, without keeping the event loop waiting for it."""
    if isinstance(photos, AsyncIterable):
        async for photo in photos:
            yield photo
        return
    loop = asyncio.get_running_loop()
    thread = ThreadPoolExecutor(1, thread_name_prefix="impasto-photos")
    try:
        iterator = await loop.run_in_executor(thread, iter, photos)
        while (photo := await loop.run_in_executor(thread, next, iterator, _END)) is not _END:
            yield photo
    finally:
        thread.shutdown(wait=False, cancel_futures=True)


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

"""Streams of photos, for threads.

Three threads work for a stream besides the caller's: one asks for the photos, since the caller's iterable may take its
time; one reads the answers; one, which is gRPC's, sends. All end with it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from threading import Condition, Thread
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

_SOURCE_TIME = 1.0  # s that the caller's iterable, which nothing can interrupt, has to return when the stream ends

_END: Any = object()


class StreamingClient(Caller):
    """What a synchronous client does with streams."""

    _stub: Any

    def stylize_stream(
        self,
        photos: Iterable[PhotoLike],
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
    ) -> Generator[StreamResult, None, None]:
        """Have photos painted, as many as there are, and iterate over the results.

        Nothing is asked of `photos` before the first result is asked for, and then no more than the window: however
        many there are, the memory that they take stays the same. A photo that cannot be painted has an error for its
        result, and the others go on. Where the connection breaks, photos without an answer are sent again.

        Leaving the loop, or closing the generator, ends the stream.

        Args:
            photos: the bytes of picture files; or `(id, bytes)`; or `Photo(image, ...)`, whose options win over those
                given here. They are asked for from another thread.
            style: a trained style's id, or a blend, `{"starry-night": 2, "the-scream": 1}`.
            strength, working_size, width, height, format, quality, metadata: as for `stylize`.
            mask: as for `stylize`, over each photo that has none of its own; all of these have its size.
            ordered: whether the results come as the photos came, or as they are done.
            window: the most photos under way: asked for, and their results not yet taken.
            timeout: seconds that the server may be silent, or away, while photos wait for it; the client's by default.
            on_lost: called with the error each time that the server could not be reached, or was lost.

        Raises:
            InvalidRequest: a value is not allowed.
            DeadlineExceeded, ServerUnavailable: the server was silent, or away, for too long.
            ImpastoClientError: the server refused the stream as a whole.
            Exception: what `photos` raised, once the results of the photos before have been taken.
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


class _Stream:
    """One stream, on its threads. Every change of the exchange is made, and awaited, under one condition."""

    def __init__(
        self, exchange: Exchange, method: Callable[..., Any], metadata: Metadata, photos: Iterable[PhotoLike]
    ) -> None:
        self._exchange = exchange
        self._method = method
        self._metadata = metadata
        self._photos = photos
        self._changed = Condition()
        self._call: Any = None

    def results(self) -> Generator[StreamResult, None, None]:
        """Yield the results."""
        with traced(self._exchange.opening) as span:
            self._metadata = (*self._metadata, *span.headers)
            yield from self._results()

    def _results(self) -> Generator[StreamResult, None, None]:
        feeding = Thread(target=self._feed, name="impasto-photos", daemon=True)
        talking = Thread(target=self._talk, name="impasto-answers", daemon=True)
        feeding.start()
        talking.start()
        try:
            while result := self._next():
                yield result
        finally:
            self._close()
            talking.join()
            feeding.join(_SOURCE_TIME)

    def _next(self) -> StreamResult | None:
        with self._changed:
            while not (result := self._exchange.pop()):
                if self._exchange.finished:
                    return None
                self._changed.wait(self._exchange.time_left)
            self._changed.notify_all()
            return result

    def _close(self) -> None:
        with self._changed:
            self._exchange.closed = True
            self._changed.notify_all()
        if self._call:
            self._call.cancel()

    def _feed(self) -> None:
        """Take photos as there is room for them."""
        error = None
        try:
            photos = iter(self._photos)
            while self._feed_one(photos):
                pass
        except BaseException as raised:
            error = raised
        with self._changed:
            self._exchange.end(error)
            self._changed.notify_all()

    def _feed_one(self, photos: Iterator[PhotoLike]) -> bool:
        exchange = self._exchange
        with self._changed:
            self._changed.wait_for(lambda: exchange.has_room or exchange.over)
            if exchange.over:
                return False
        photo = next(photos, _END)
        if photo is _END:
            return False
        with self._changed:
            exchange.add(photo)
            self._changed.notify_all()
        return True

    def _talk(self) -> None:
        """Keep a line to the server while there is something to say."""
        try:
            while self._has_work():
                self._run_line()
        except BaseException as error:
            with self._changed:
                self._exchange.fail(error)
                self._changed.notify_all()

    def _has_work(self) -> bool:
        exchange = self._exchange
        with self._changed:
            self._changed.wait_for(lambda: exchange.waits or exchange.over)
            return not exchange.over

    def _run_line(self) -> None:
        """Send photos and take answers until the line ends, and wait as long as it is right before the next."""
        with self._changed:
            if self._exchange.closed:
                return
            self._call = self._method(self._requests(self._exchange.begin()), metadata=self._metadata)
        error: grpc.RpcError | ServerUnavailable | None = None
        try:
            for response in self._call:
                self._take(response)
        except (grpc.RpcError, ServerUnavailable) as lost:
            error = lost
        finally:
            self._call.cancel()
        with self._changed:
            pause = self._exchange.lost(error)
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._exchange.closed, pause)

    def _take(self, response: pb.StylizeStreamResponse) -> None:
        with self._changed:
            self._exchange.take(response)
            self._changed.notify_all()

    def _requests(self, line: int) -> Iterator[pb.StylizeStreamRequest]:
        """Yield what is to be sent on a line; gRPC asks for it from a thread of its own."""
        yield self._exchange.opening
        while message := self._outgoing(line):
            yield message

    def _outgoing(self, line: int) -> pb.StylizeStreamRequest | None:
        with self._changed:
            self._changed.wait_for(lambda: self._exchange.can_go_on(line))
            return self._exchange.outgoing(line)

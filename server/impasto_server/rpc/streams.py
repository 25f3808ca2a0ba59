"""Photos over a stream: each has an answer of its own, whatever becomes of the others."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, closing
from dataclasses import dataclass, replace

import grpc

from impasto.errors import InvalidInput
from impasto.logs import Log, note
from impasto.masks import Mask
from impasto.v1 import stylizer_pb2 as pb
from impasto_server.bundles.shelf import Shelf
from impasto_server.callers import Caller
from impasto_server.fast.painter import Paints
from impasto_server.metrics import Metrics
from impasto_server.rpc import facts, messages
from impasto_server.rpc.budget import Budget, Share
from impasto_server.rpc.facts import Totals
from impasto_server.rpc.idleness import Idleness
from impasto_server.rpc.incoming import Incoming
from impasto_server.rpc.items import status_told, told_of
from impasto_server.rpc.requests import read_mask, read_order
from impasto_server.rpc.windowed import windowed

METHOD = "StylizeStream"


@dataclass(frozen=True)
class StreamConfig:
    """How a stream goes.

    Attributes:
        ordered: answers come in the order of the photos.
        window: photos in the works at once.
        defaults: what every photo's request has in common, but for the mask.
        mask: of every photo without one of its own; its bytes are there once, however many are in the works.
    """

    ordered: bool
    window: int
    defaults: pb.StylizeRequest
    mask: Mask | None


class Streams:
    """Paints streams.

    Args:
        shelf: where the styles are; each photo is painted with those that are there when its turn comes.
        painter: what paints each photo.
        metrics: told of each.
        window: the most photos of one stream in the works.
        incoming: reads what their callers send.
        budget: what the photos and answers of all streams take, but for one of each stream.
        idle_seconds: after which a stream ends of which nothing is in the works and no photo comes.
        max_working_size, max_pixels: as for single requests.
        log: where unexpected errors go, and a line a photo at debug level.
    """

    def __init__(
        self,
        shelf: Shelf,
        painter: Paints,
        metrics: Metrics,
        log: Log,
        *,
        window: int,
        incoming: Incoming,
        budget: Budget,
        idle_seconds: float,
        max_working_size: int,
        max_pixels: int,
    ) -> None:
        self._shelf = shelf
        self._painter = painter
        self._metrics = metrics
        self._log = log
        self._window = window
        self._incoming = incoming
        self._budget = budget
        self._idle_seconds = idle_seconds
        self._limits = {"max_working_size": max_working_size, "max_pixels": max_pixels}

    async def paint(
        self, requests: AsyncIterator[pb.StylizeStreamRequest], caller: Caller, totals: Totals
    ) -> AsyncGenerator[pb.StylizeStreamResponse, None]:
        """Yield the answer to each photo.

        Args:
            requests: a configuration, then photos.
            caller: whose they are.
            totals: told of each photo.

        Raises:
            InvalidInput: a message that is not what it should be; what came before has been answered.
            ShuttingDown: the server stops; so has what came before.
            StreamIdle: no photo has come for long; so has what came before.
        """
        idleness = Idleness(self._idle_seconds)
        received = self._incoming.read(requests, idleness)
        async with aclosing(received):
            config = self._read_config(await anext(received, None))

            share = self._budget.share()

            async def paint(item: pb.StylizeStreamItem) -> pb.StylizeStreamResponse:
                answer = await told_of(lambda: self._answer(item, config, caller, totals), totals, self._log)
                share.change(answer.ByteSize() - item.ByteSize())
                return answer

            items = _items(received, idleness, share)
            answers = windowed(items, paint, window=config.window, ordered=config.ordered)
            with closing(share):
                async with aclosing(items), aclosing(answers):
                    async for answer in answers:
                        yield answer
                        idleness.answered()
                        share.change(-answer.ByteSize())

    def _read_config(self, first: pb.StylizeStreamRequest | None) -> StreamConfig:
        if first is None or not first.HasField("config"):
            raise InvalidInput("config", "is missing; send it as the stream's first message")
        config = first.config
        if config.order not in pb.StylizeStreamConfig.Order.values():
            raise InvalidInput("config.order", f"{config.order} is no order; give ORDERED or AS_COMPLETED")
        if config.window < 0:
            raise InvalidInput("config.window", f"{config.window} is out of range; give 1 or more, or leave it out")
        if config.defaults.image:
            raise InvalidInput("config.defaults.image", "is set; send each photo in an item")
        return StreamConfig(
            ordered=config.order != pb.StylizeStreamConfig.AS_COMPLETED,
            window=min(config.window or self._window, self._window),
            defaults=_without_mask(config.defaults),
            mask=read_mask(config.defaults),
        )

    async def _answer(
        self, item: pb.StylizeStreamItem, config: StreamConfig, caller: Caller, totals: Totals
    ) -> tuple[pb.StylizeStreamResponse, grpc.StatusCode]:
        try:
            response = await self._paint(item.request, config, caller, totals)
        except Exception as error:
            status, code = status_told(error, self._metrics, self._log)
            return pb.StylizeStreamResponse(id=item.id, error=status), code
        self._metrics.item("OK")
        return pb.StylizeStreamResponse(id=item.id, response=response), grpc.StatusCode.OK

    async def _paint(
        self, photo: pb.StylizeRequest, config: StreamConfig, caller: Caller, totals: Totals
    ) -> pb.StylizeResponse:
        request = _completed(photo, config.defaults)
        if request.WhichOneof("style") == "style_images":
            raise InvalidInput("style", "has style_images, which take a job; a stream paints trained styles")
        order = read_order(request, **self._limits)
        order = replace(order, mask=order.mask or config.mask)
        brush = self._shelf.library.brush(order.style, order.strength)
        note(**facts.of_order(order, brush))
        painting = await self._painter.paint(order, brush, caller, patient=True)
        self._metrics.painted(painting, METHOD)
        totals.painted(len(order.photo), painting)
        note(**facts.of_painting(painting))
        return messages.painted(painting)


async def _items(
    requests: AsyncIterator[pb.StylizeStreamRequest], idleness: Idleness, share: Share
) -> AsyncGenerator[pb.StylizeStreamItem, None]:
    await share.room()
    async for request in requests:
        if not request.HasField("item"):
            raise InvalidInput("item", "is missing; after the configuration every message carries one")
        idleness.begun()
        share.change(request.item.ByteSize())
        yield request.item
        await share.room()


def _completed(request: pb.StylizeRequest, defaults: pb.StylizeRequest) -> pb.StylizeRequest:
    """Return a request with what it leaves out taken from the defaults."""
    whole = pb.StylizeRequest()
    whole.CopyFrom(defaults)
    if request.HasField("blend"):
        whole.ClearField("blend")  # or two blends would be mixed
    whole.MergeFrom(request)
    return whole


def _without_mask(defaults: pb.StylizeRequest) -> pb.StylizeRequest:
    rest = pb.StylizeRequest()
    rest.CopyFrom(defaults)
    rest.ClearField("mask")
    return rest

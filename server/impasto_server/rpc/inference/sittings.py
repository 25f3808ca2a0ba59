"""The photos of one request, painted at once, by the way that every photo takes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from time import perf_counter

from impasto.bundle import Bundle
from impasto.inference import open_inference_pb2 as pb
from impasto.logs import note
from impasto_server.callers import Caller
from impasto_server.fast.codec import Codec
from impasto_server.fast.painter import Paints
from impasto_server.metrics import Metrics
from impasto_server.painting import Painting
from impasto_server.rpc import facts
from impasto_server.rpc.facts import Totals
from impasto_server.rpc.inference.answers import answer
from impasto_server.rpc.inference.api_requests import naming
from impasto_server.rpc.inference.models import Models
from impasto_server.rpc.inference.orders import Asked, Bounds, read_request
from impasto_server.rpc.inference.statistics import Statistics


class Sittings:
    """Answers requests.

    Args:
        models: what there is to paint with.
        painter: what paints.
        codec: what reads requests, off the event loop.
        statistics: told of each request.
        metrics: told of each photo.
        bounds: of what a request may ask for.
        window: photos of one request in the works at once.
    """

    def __init__(
        self,
        models: Models,
        painter: Paints,
        codec: Codec,
        statistics: Statistics,
        metrics: Metrics,
        *,
        bounds: Bounds,
        window: int,
    ) -> None:
        self._models = models
        self._painter = painter
        self._codec = codec
        self._statistics = statistics
        self._metrics = metrics
        self._bounds = bounds
        self._window = window

    async def answer(
        self, request: pb.ModelInferRequest, caller: Caller, totals: Totals, *, method: str, patient: bool
    ) -> pb.ModelInferResponse:
        """Paint the photos of a request.

        Args:
            request: of one model.
            caller: whose it is.
            totals: told of each photo.
            method: that was called, for the metrics.
            patient: wait for a place where the server is full, rather than be refused.

        Raises:
            ModelNotFound, StyleNotFound, InvalidInput: the request will not do.
            ImpastoError: as `Paints.paint` says; of no photo there is an answer then.
        """
        begun = perf_counter()
        bundle = self._models.find(request.model_name, request.model_version)
        try:
            asked, paintings = await self._painted(request, bundle, caller, patient)
            message = answer(request.id, bundle, asked, paintings)
        except BaseException:
            self._statistics.failed(bundle, perf_counter() - begun)
            raise
        self._statistics.succeeded(bundle, paintings, perf_counter() - begun)
        for order, painting in zip(asked.orders, paintings, strict=True):
            self._metrics.painted(painting, method)
            totals.painted(len(order.photo), painting)
        note(**_facts(asked, paintings))
        return message

    async def _painted(
        self, request: pb.ModelInferRequest, bundle: Bundle, caller: Caller, patient: bool
    ) -> tuple[Asked, list[Painting]]:
        note(model=f"{bundle.name}@{bundle.version}")
        library = self._models.library
        asked = await self._codec.run(read_request, request, bundle, self._bounds)
        brushes = [library.brush(order.style, order.strength) for order in asked.orders]
        note(**facts.of_order(asked.orders[0], brushes[0]))
        if asked.seconds is not None:
            caller = _hurried(caller, asked.seconds)

        async def paint(index: int) -> Painting:
            with naming(asked.photos.name, index, len(brushes)):
                # the first is refused where the server is full, and with it the request; the others wait their turn
                return await self._painter.paint(
                    asked.orders[index], brushes[index], caller, patient=patient or index > 0
                )

        return asked, await _all(paint, len(brushes), self._window)


def _facts(asked: Asked, paintings: Sequence[Painting]) -> facts.Facts:
    """Return what is known of a request that was answered: of its photo, or of all its photos together."""
    known = {"photos": len(paintings), "output": asked.output.name}
    if len(paintings) == 1:
        return {**facts.of_painting(paintings[0]), **known}
    together = Totals()
    for order, painting in zip(asked.orders, paintings, strict=True):
        together.painted(len(order.photo), painting)
    return {**together.facts, **known}


def _hurried(caller: Caller, seconds: float) -> Caller:
    """Return a caller that gives up after so many seconds, if not before."""
    due = perf_counter() + seconds
    return replace(caller, due=due if caller.due is None else min(due, caller.due))


async def _all(paint: Callable[[int], Awaitable[Painting]], count: int, window: int) -> list[Painting]:
    """Return what becomes of all photos; the first that fails calls off the others."""
    if count == 1:
        return [await paint(0)]
    room = asyncio.Semaphore(window)

    async def in_turn(index: int) -> Painting:
        async with room:
            return await paint(index)

    tasks = [asyncio.create_task(in_turn(index)) for index in range(count)]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

"""The way of one photo through the server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Protocol

from impasto.images import Format, Limits, Size
from impasto_server import pictures
from impasto_server.admission import Admission
from impasto_server.callers import Caller
from impasto_server.codec import Codec
from impasto_server.forecast import Forecast
from impasto_server.library import Brush
from impasto_server.order import TrainedOrder
from impasto_server.pictures import Photo
from impasto_server.scheduler import Piece, Run, Scheduler


@dataclass(frozen=True)
class Painting:
    """A photo painted.

    Attributes:
        file: a picture file.
        format: its format.
        size: its size.
        working_size: what it was painted at.
        bundle: the name of the one whose transformer painted it.
        pixels: how many were painted now; 0 where the photo was wanted as it is, or the result was at hand.
        batch: how many photos were painted at once, this one included; 0 where none was.
        seconds: stage -> s: `decode`, `queue`, `engine`, `encode`, `total`; those that it went through.
    """

    file: bytes = field(repr=False)
    format: Format
    size: Size
    working_size: Size
    bundle: str
    pixels: int
    batch: int
    seconds: Mapping[str, float]


class Paints(Protocol):
    """What paints orders."""

    async def paint(self, order: TrainedOrder, brush: Brush, caller: Caller, *, patient: bool = False) -> Painting:
        """Paint one photo.

        Args:
            order: what is asked for.
            brush: what to paint with.
            caller: who asks.
            patient: wait for a place where the server is full, rather than be refused.

        Raises:
            Overloaded, TooLate: there is too much to do.
            InvalidInput: a photo that cannot be read, or a size that does not suit it.
            EngineError: the run failed.
            ShuttingDown: the server stops.
        """


class Painter:
    """Paints orders.

    Args:
        scheduler: what paints.
        admission: who may come in.
        forecast: who would come in vain.
        codec: what decodes, scales and encodes.
        default_working_size: px, the long side that larger photos are painted at.
        max_pixels: that a photo or a result may have.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        admission: Admission,
        forecast: Forecast,
        codec: Codec,
        *,
        default_working_size: int,
        max_pixels: int,
    ) -> None:
        self._scheduler = scheduler
        self._admission = admission
        self._forecast = forecast
        self._codec = codec
        self._default_working_size = default_working_size
        self._limits = Limits(max_pixels)

    async def paint(self, order: TrainedOrder, brush: Brush, caller: Caller, *, patient: bool = False) -> Painting:
        """Paint one photo, as `Paints` says."""
        async with self._place(caller, patient):
            begun = perf_counter()
            photo = await self._read(order, brush)
            seconds = {"decode": perf_counter() - begun}
            if brush.paints:
                run = await self._paint(photo, brush, caller)
                seconds |= {"queue": run.queued, "engine": run.painting}
                painted = perf_counter()
                file = await self._codec.run(pictures.write_painted, run.planes, photo, order)
            else:
                run, painted = None, perf_counter()
                file = await self._codec.run(pictures.write_unpainted, photo, order)
            done = perf_counter()
            seconds |= {"encode": done - painted, "total": done - begun}
        if run:
            self._forecast.note(run, seconds["decode"] + seconds["encode"])
        width, height = photo.working_size
        return Painting(
            file=file,
            format=order.format,
            size=photo.result,
            working_size=photo.working_size,
            bundle=brush.bundle,
            pixels=width * height if run else 0,
            batch=run.batch if run else 0,
            seconds=seconds,
        )

    @asynccontextmanager
    async def _place(self, caller: Caller, patient: bool) -> AsyncIterator[None]:
        if patient:
            async with self._admission.turn(caller.client):
                yield
        else:
            self._forecast.check(caller)
            with self._admission.admit(caller.client):
                yield

    async def _read(self, order: TrainedOrder, brush: Brush) -> Photo:
        with self._forecast.coming():
            return await self._codec.run(pictures.read, order, brush, self._limits, self._default_working_size)

    async def _paint(self, photo: Photo, brush: Brush, caller: Caller) -> Run:
        piece = Piece(photo.pixels, brush.transformer, brush.code, caller.client, caller.due)
        return await self._scheduler.paint(piece)

"""The way of one photo through the server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Protocol

from impasto.images import Limits
from impasto.tracing import current_span
from impasto_server.bundles.library import Brush
from impasto_server.callers import Caller
from impasto_server.fast.admission import Admission
from impasto_server.fast.codec import Codec
from impasto_server.fast.errand import Errand
from impasto_server.fast.forecast import Forecast
from impasto_server.fast.scheduler import Scheduler
from impasto_server.order import TrainedOrder
from impasto_server.painting import Painting


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
        mark: the XMP packet of what is painted; empty for none.
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
        mark: bytes,
    ) -> None:
        self._scheduler = scheduler
        self._admission = admission
        self._forecast = forecast
        self._codec = codec
        self._default_working_size = default_working_size
        self._limits = Limits(max_pixels)
        self._mark = mark

    async def paint(self, order: TrainedOrder, brush: Brush, caller: Caller, *, patient: bool = False) -> Painting:
        """Paint one photo, as `Paints` says."""
        async with self._place(caller, patient):
            outcome = _Outcome()
            errand = Errand(
                order,
                brush,
                caller,
                codec=self._codec,
                scheduler=self._scheduler,
                limits=self._limits,
                default_working_size=self._default_working_size,
                mark=self._mark,
                on_read=self._forecast.comes(),
                then=outcome.tell,
            )
            errand.start()
            error = ""
            try:
                painting = await outcome.told
            except asyncio.CancelledError:
                errand.call_off()
                error = "called off"
                raise
            except Exception as failure:
                error = str(failure) or type(failure).__name__
                raise
            finally:
                current_span().add(errand.stages(error))
        self._forecast.note(painting)
        return painting

    @asynccontextmanager
    async def _place(self, caller: Caller, patient: bool) -> AsyncIterator[None]:
        if patient:
            async with self._admission.turn(caller.client):
                yield
        else:
            self._forecast.check(caller)
            with self._admission.admit(caller.client):
                yield


class _Outcome:
    """What becomes of an errand, told on another thread to the event loop that waits for it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.told: asyncio.Future[Painting] = self._loop.create_future()

    def tell(self, outcome: Painting | Exception) -> None:
        with suppress(RuntimeError):  # the loop has ended: nobody waits any more
            self._loop.call_soon_threadsafe(self._set, outcome)

    def _set(self, outcome: Painting | Exception) -> None:
        if self.told.done():
            return
        if isinstance(outcome, Exception):
            self.told.set_exception(outcome)
        else:
            self.told.set_result(outcome)

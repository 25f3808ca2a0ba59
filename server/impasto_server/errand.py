"""One photo on its way over the server's threads.

Each thread hands it on to the next: a codec thread reads it, an engine's paints it, a codec thread writes it. The event
loop hears of its end alone, since each time that it is woken it keeps everyone else waiting.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from time import perf_counter

from impasto.images import Limits
from impasto_server import pictures
from impasto_server.callers import Caller
from impasto_server.codec import Codec
from impasto_server.library import Brush
from impasto_server.order import TrainedOrder
from impasto_server.painting import Painting
from impasto_server.pictures import Photo
from impasto_server.scheduler import Piece, Run, Scheduler


class Errand:
    """Paints one photo.

    Args:
        order: what is asked for.
        brush: what to paint with.
        caller: who asks.
        codec: what reads and writes.
        scheduler: what paints.
        limits: of the photo.
        default_working_size: px, the long side that larger photos are painted at.
        on_read: called when it waits for an engine, needs none, or has failed before.

    Attributes:
        done: the painting; cancel it to call the errand off.
    """

    def __init__(
        self,
        order: TrainedOrder,
        brush: Brush,
        caller: Caller,
        *,
        codec: Codec,
        scheduler: Scheduler,
        limits: Limits,
        default_working_size: int,
        on_read: Callable[[], None],
    ) -> None:
        self.done: Future[Painting] = Future()
        self._order = order
        self._brush = brush
        self._caller = caller
        self._codec = codec
        self._scheduler = scheduler
        self._limits = limits
        self._default_working_size = default_working_size
        self._on_read = on_read
        self._begun = perf_counter()
        self._seconds: dict[str, float] = {}

    def start(self) -> Future[Painting]:
        """Begin, and return `done`."""
        self._next(self._read)
        return self.done

    def _read(self) -> None:
        try:
            photo = pictures.read(self._order, self._brush, self._limits, self._default_working_size)
            self._seconds["decode"] = perf_counter() - self._begun
            run = self._queue(photo) if self._brush.paints else None
        finally:
            self._on_read()
        if run is None:
            self._write(photo, None)
            return
        self.done.add_done_callback(lambda done: run.cancel() if done.cancelled() else None)
        run.add_done_callback(lambda run: self._next(lambda: self._write(photo, run.result())))

    def _queue(self, photo: Photo) -> Future[Run]:
        brush, caller = self._brush, self._caller
        return self._scheduler.put(Piece(photo.pixels, brush.transformer, brush.code, caller.client, caller.due))

    def _write(self, photo: Photo, run: Run | None) -> None:
        begun = perf_counter()
        if run is None:
            file = pictures.write_unpainted(photo, self._order)
        else:
            self._seconds |= {"queue": run.queued, "engine": run.painting}
            file = pictures.write_painted(run.planes, photo, self._order)
        ended = perf_counter()
        self._seconds |= {"encode": ended - begun, "total": ended - self._begun}
        width, height = photo.working_size
        painting = Painting(
            file=file,
            format=self._order.format,
            size=photo.result,
            working_size=photo.working_size,
            bundle=self._brush.bundle,
            pixels=width * height if run else 0,
            batch=run.batch if run else 0,
            seconds=self._seconds,
        )
        if self.done.set_running_or_notify_cancel():
            self.done.set_result(painting)

    def _next(self, step: Callable[[], None]) -> None:
        """Have a step done on a codec thread, unless nobody waits any more."""

        def taken() -> None:
            if self.done.cancelled():
                return
            try:
                step()
            except Exception as error:
                self._fail(error)

        try:
            self._codec.begin(taken)
        except Exception as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        if self.done.set_running_or_notify_cancel():
            self.done.set_exception(error)

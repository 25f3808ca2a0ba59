"""One photo on its way over the server's threads.

Each thread hands it on to the next: a codec thread reads it, an engine's paints it, a codec thread writes it. The event
loop hears of its end alone, since each time that it is woken it keeps everyone else waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter

from impasto.images import Limits, Size, untouched
from impasto.tracing import Stage
from impasto_server.bundles.library import Brush
from impasto_server.callers import Caller
from impasto_server.errors import ShuttingDown
from impasto_server.fast import pictures
from impasto_server.fast.codec import Codec
from impasto_server.fast.pictures import Photo
from impasto_server.fast.scheduler import Piece, Run, Scheduler
from impasto_server.order import TrainedOrder
from impasto_server.painting import Painting

_SMALL = 128**2  # px, of a picture that the engine's own thread writes: to hand it on would take as long


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
        mark: the XMP packet of what is painted; empty for none.
        on_read: called when it waits for an engine, needs none, or has failed before.
        then: told the painting, or what went wrong, on another thread.
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
        mark: bytes,
        on_read: Callable[[], None],
        then: Callable[[Painting | Exception], None],
    ) -> None:
        self._order = order
        self._brush = brush
        self._caller = caller
        self._codec = codec
        self._scheduler = scheduler
        self._limits = limits
        self._default_working_size = default_working_size
        self._mark = mark
        self._on_read = on_read
        self._then = then
        self._called_off = False
        self._withdraw: Callable[[], None] | None = None
        self._begun = perf_counter()
        self._stages: list[Stage] = []
        self._under_way = ("decode", self._begun)

    def start(self) -> None:
        self._next(self._read)

    def call_off(self) -> None:
        """Go no further than the step that has begun; an engine that can be stopped stops."""
        self._called_off = True
        if self._withdraw is not None:
            self._withdraw()

    def stages(self, error: str = "") -> Sequence[Stage]:
        """Return what it went through.

        Args:
            error: why it went no further, if it did not: then what was under way is the last of them, `paint` where
                it may have waited for an engine or been with one.
        """
        if not error:
            return self._stages
        name, begun = self._under_way
        return [*self._stages, Stage(name, begun, perf_counter(), error=error)]

    def _read(self) -> None:
        try:
            photo = pictures.read(
                self._order,
                self._brush,
                self._limits,
                self._default_working_size,
                self._mark,
                self._suitable,
            )
            decoded = perf_counter()
            self._under_way = ("paint", decoded)
            self._stages.append(Stage("decode", self._begun, decoded))
            if photo.paints:
                self._queue(photo)
        finally:
            self._on_read()
        if not photo.paints:
            self._write(photo, None)

    def _suitable(self, size: Size) -> Size:
        """Return the size to paint at, once the photo's header is known, or refuse it before it is decoded."""
        suitable = self._scheduler.suitable(self._brush, size)
        self._scheduler.check(self._brush, suitable, self._caller)
        return suitable

    def _queue(self, photo: Photo) -> None:
        brush, caller = self._brush, self._caller
        piece = Piece(photo.pixels, brush.transformer, brush.code, caller.client, caller.due, brush.keeps)
        go_on = self._here if piece.size <= _SMALL and photo.retouch is untouched else self._next
        self._withdraw = self._scheduler.put(piece, lambda outcome: go_on(lambda: self._take(photo, outcome)))
        if self._called_off:  # meanwhile
            self._withdraw()

    def _take(self, photo: Photo, outcome: Run | Exception) -> None:
        if isinstance(outcome, Exception):
            raise outcome
        self._write(photo, outcome)

    def _write(self, photo: Photo, run: Run | None) -> None:
        begun = perf_counter()
        self._under_way = ("encode", begun)
        if run is None:
            file = pictures.write_unpainted(photo, self._order)
        else:
            self._painted(run, photo)
            file = pictures.write_painted(run.planes, photo, self._order)
        ended = perf_counter()
        self._stages.append(Stage("encode", begun, ended))
        width, height = photo.working_size
        self._then(
            Painting(
                file=file,
                format=self._order.format,
                size=photo.result,
                photo_size=photo.size,
                working_size=photo.working_size,
                bundle=self._brush.bundle,
                pixels=width * height if run else 0,
                batch=run.batch if run else 0,
                seconds={stage.name: stage.seconds for stage in self._stages} | {"total": ended - self._begun},
            )
        )

    def _painted(self, run: Run, photo: Photo) -> None:
        """Note where a run's time went."""
        width, height = photo.working_size
        facts = {
            "bundle": self._brush.bundle,
            "transformer": self._brush.transformer,
            "provider": run.provider,
            "precision": run.precision,
            "batch": run.batch,
            "width": width,
            "height": height,
        }
        self._stages.append(Stage("queue", run.begun - run.queued, run.begun))
        self._stages.append(Stage("engine", run.begun, run.begun + run.painting, facts))

    def _next(self, step: Callable[[], None]) -> None:
        """Have a step done on a codec thread, unless nobody waits any more."""
        try:
            self._codec.begin(lambda: self._here(step))
        except ShuttingDown as error:
            self._then(error)

    def _here(self, step: Callable[[], None]) -> None:
        """Do a step on this thread, likewise."""
        if self._called_off:
            return
        try:
            step()
        except Exception as error:
            self._then(error)

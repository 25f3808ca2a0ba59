"""A painter without torch: for tests and demonstrations of everything around the painting."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from impasto.errors import CheckpointError
from impasto.images import Pixels, Size
from impasto.optimization import Optimization
from impasto_worker.painting import Order, Painted, Picture, Stopped

_STEP_BYTES = 4
_NAP = 0.01  # s, between two looks at whether to stop


@dataclass(frozen=True)
class _Stage:
    step: int
    total_steps: int
    pixels: Pixels
    seconds_left: float
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> Size:
        return self.pixels.shape[1], self.pixels.shape[0]

    @property
    def content(self) -> float:
        return self.step / self.total_steps

    @property
    def style(self) -> float:
        return 1 - self.content

    @property
    def total(self) -> float:
        return self.content + self.style

    def picture(self) -> Pixels:
        return self.pixels

    def checkpoint(self) -> bytes:
        return self.step.to_bytes(_STEP_BYTES, "big") + self.pixels.tobytes()


@dataclass(frozen=True)
class SlowPaint:
    """Stirs the photo, in the optimization's number of steps, each of which takes a while.

    A step that is left out or done twice makes another picture.

    Attributes:
        step_seconds: how long a step takes.
        deaf: whether it goes on when interrupted, as a painter with a bug would.
        on_step: called at the beginning of every step, with its number.
    """

    step_seconds: float = 0.05
    deaf: bool = False
    on_step: Callable[[int], None] = lambda _: None

    def __call__(
        self, order: Order, *, on_progress: Callable[[Painted], None], interrupted: Callable[[], bool]
    ) -> Picture:
        stage = self._first(order)
        while stage.step < stage.total_steps:
            self.on_step(stage.step + 1)
            self._take_time(interrupted)
            stage = _stirred(stage, order, self.step_seconds)
            on_progress(stage)
        return Picture(pixels=stage.pixels, working_size=stage.size, steps=stage.step, notes=stage.notes)

    def _first(self, order: Order) -> _Stage:
        step, pixels = 0, order.photo
        if order.state is not None:
            step = int.from_bytes(order.state[:_STEP_BYTES], "big")
            values = np.frombuffer(order.state[_STEP_BYTES:], np.uint8)
            if values.size != order.photo.size:
                raise CheckpointError(f"holds {values.size} values, not {order.photo.size}")
            pixels = values.reshape(order.photo.shape)
        steps = order.optimization.steps
        return _Stage(step, steps, pixels, (steps - step) * self.step_seconds)

    def _take_time(self, interrupted: Callable[[], bool]) -> None:
        end = time.monotonic() + self.step_seconds
        while (left := end - time.monotonic()) > 0:
            if interrupted() and not self.deaf:
                raise Stopped
            time.sleep(min(_NAP, left))


def stirred(photo: Pixels, optimization: Optimization) -> Pixels:
    """Return what an uninterrupted `SlowPaint` makes of a photo."""
    order = Order(photo=photo, paintings=(), optimization=optimization, working_size=max(photo.shape))
    return SlowPaint(step_seconds=0)(order, on_progress=lambda _: None, interrupted=lambda: False).pixels


def _stirred(stage: _Stage, order: Order, seconds: float) -> _Stage:
    step = stage.step + 1
    mixed = (stage.pixels.astype(np.uint32) * 3 + np.roll(order.photo, step, axis=1) + step) % 256
    return _Stage(step, stage.total_steps, mixed.astype(np.uint8), (stage.total_steps - step) * seconds)

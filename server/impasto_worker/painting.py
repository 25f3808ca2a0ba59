"""The seam between running jobs and painting: what a painter is given, what it says meanwhile, what it gives back.

Nothing here imports torch, so that the rest of the worker can be tested in milliseconds, with `SlowPaint`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from impasto.images import Pixels, Size
from impasto.optimization import Optimization


class Stopped(Exception):
    """A painter stopped because it was told to."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """What to paint.

    Attributes:
        photo: [H, W, 3].
        paintings: with their weights.
        optimization: how.
        working_size: px, the long side to paint at.
        halvings: how often the memory that may be used is to be halved.
        state: a `Painted.checkpoint` to go on from.
    """

    photo: Pixels
    paintings: Sequence[tuple[Pixels, float]]
    optimization: Optimization
    working_size: int
    halvings: int = 0
    state: bytes | None = None


class Painted(Protocol):
    """How far a painter is; good until the call that it was handed to returns."""

    @property
    def step(self) -> int: ...
    @property
    def total_steps(self) -> int: ...
    @property
    def size(self) -> Size: ...
    @property
    def content(self) -> float: ...
    @property
    def style(self) -> float: ...
    @property
    def total(self) -> float: ...
    @property
    def seconds_left(self) -> float | None: ...
    @property
    def notes(self) -> tuple[str, ...]: ...

    def picture(self) -> Pixels:
        """Return the picture as it is now, [H, W, 3], at any size."""
        ...

    def checkpoint(self) -> bytes:
        """Return what `Order.state` takes, to go on from here to the same picture."""
        ...


@dataclass(frozen=True, kw_only=True)
class Picture:
    """What a painter has made.

    Attributes:
        pixels: [H, W, 3] at the photo's own size.
        working_size: that it was painted at.
        steps: that it took, over all attempts.
        notes: what was done otherwise than asked for.
    """

    pixels: Pixels
    working_size: Size
    steps: int
    notes: tuple[str, ...] = ()


class Paint(Protocol):
    """A painter."""

    def __call__(
        self, order: Order, *, on_progress: Callable[[Painted], None], interrupted: Callable[[], bool]
    ) -> Picture:
        """Paint, telling `on_progress` after every step.

        Raises:
            Stopped: soon after `interrupted` has become true.
            CheckpointError: the order's state cannot be gone on from.
            ImpastoError: the order cannot be painted; says why.
        """
        ...

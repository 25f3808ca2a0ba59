"""The engine that keeps a session of fixed shape, a bucket, for every shape that it is given."""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import numpy as np

from impasto.codes import Codes
from impasto.engine.base import Cancellation, checked
from impasto.engine.shapes import Shape, parts
from impasto.engine.staging import Staged, StagingPool
from impasto.engine.static import Place, StaticSession
from impasto.engine.transfer import PlainTransfer, Transfer
from impasto.errors import EngineError, RunCancelled
from impasto.images import Planes

MOST_BUCKETS = 32
MOST_PIXELS = 2**25
"""Of all buckets together: 32 pictures of 1024 px, or one bucket that is larger."""
_MOST_STAGED = 2**29  # bytes of host memory that wait for the next batch

Result = TypeVar("Result")


class DeviceThread:
    """The one thread that calls a device.

    A captured run belongs to the thread that captured it, and while one is captured no other thread of the process
    may ask the device for memory or give any back. So whatever has to do with a device happens here, one thing after
    the other: which is how a device works anyway.
    """

    def __init__(self, name: str) -> None:
        self._pool = ThreadPoolExecutor(1, name)

    def call(self, function: Callable[..., Result], *arguments: object) -> Result:
        """Call a function there, and return what it returns."""
        return self._pool.submit(function, *arguments).result()

    def later(self, function: Callable[..., object], *arguments: object) -> None:
        """Have it called there, unless the process is about to end."""
        with suppress(RuntimeError):
            self._pool.submit(function, *arguments)


class Buckets:
    """Sessions by shape; for the device's thread only.

    Args:
        open: opens one.
        most: how many to keep; those that were used last.
        most_pixels: of all of them together, as a measure of their memory.
    """

    def __init__(
        self, open: Callable[[Shape], StaticSession], most: int = MOST_BUCKETS, most_pixels: int = MOST_PIXELS
    ) -> None:
        self._open = open
        self._most = most
        self._most_pixels = most_pixels
        self._sessions: OrderedDict[Shape, StaticSession] = OrderedDict()

    @property
    def shapes(self) -> list[Shape]:
        """The shapes whose sessions are open, that of the last run last."""
        return list(self._sessions)

    def get(self, shape: Shape) -> StaticSession:
        """Return the session for a shape.

        Raises:
            EngineError: it cannot be opened, not even as the only one.
        """
        if shape not in self._sessions:
            self._make_room(shape)
            self._sessions[shape] = self._opened(shape)
        self._sessions.move_to_end(shape)
        return self._sessions[shape]

    def drop(self, shape: Shape) -> None:
        """Close the session for a shape, as after a failure, which may have left it of no use."""
        self._sessions.pop(shape, None)

    def clear(self) -> None:
        self._sessions.clear()

    def _make_room(self, shape: Shape) -> None:
        while self._sessions and (
            len(self._sessions) >= self._most
            or shape.pixels + sum(other.pixels for other in self._sessions) > self._most_pixels
        ):
            self._sessions.popitem(last=False)

    def _opened(self, shape: Shape) -> StaticSession:
        try:
            return self._open(shape)
        except EngineError:
            if not self._sessions:
                raise
        self.clear()  # they may hold the memory that it needs
        return self._open(shape)


class StaticEngine:
    """Paints by sessions of fixed shape, all of one graph.

    Args:
        graph: the transformer's.
        code_size: D.
        place: where to compute.
        thread: that calls the device.
        transfer: how pictures get there.
    """

    def __init__(
        self, graph: Path, code_size: int, place: Place, thread: DeviceThread, transfer: Transfer | None = None
    ) -> None:
        transfer = transfer or PlainTransfer()
        self._name = place.name
        self._code_size = code_size
        self._thread = thread
        self.buckets = Buckets(lambda shape: StaticSession(graph, shape, code_size, place, transfer))
        self._staging = StagingPool(
            lambda shape: thread.call(Staged.of, shape, code_size, transfer), most_bytes=_MOST_STAGED
        )
        weakref.finalize(self, thread.later, self.buckets.clear).atexit = False

    def run(self, images: Planes, codes: Codes, cancellation: Cancellation | None = None) -> Planes:
        """Paint, as an Engine does. A batch that is no power of two is painted in parts that are."""
        self._check(images, codes)
        painted = np.empty(images.shape, np.float32)
        begin = 0
        for count in parts(len(images)):
            rows = slice(begin, begin + count)
            self._run_part(images[rows], codes[rows], painted[rows], cancellation)
            begin += count
        return checked(painted, images, self._name)

    def _run_part(self, images: Planes, codes: Codes, painted: Planes, cancellation: Cancellation | None) -> None:
        count, _, height, width = images.shape
        with self._staging.borrowed(Shape(count, height, width)) as staged:
            staged.image[:] = images
            staged.style[:] = codes
            self._thread.call(self._paint, staged, cancellation)
            painted[:] = staged.painted

    def _paint(self, staged: Staged, cancellation: Cancellation | None) -> None:
        session = self.buckets.get(staged.shape)
        try:
            session.run(staged, cancellation)
        except RunCancelled:
            raise
        except EngineError:
            self.buckets.drop(staged.shape)
            raise

    def _check(self, images: Planes, codes: Codes) -> None:
        """Raise EngineError for shapes that no session is opened for."""
        if images.ndim != 4 or images.shape[1] != 3:
            raise EngineError(f"{self._name} takes photos [N, 3, H, W], not {list(images.shape)}")
        if codes.shape != (len(images), self._code_size):
            raise EngineError(
                f"{self._name} takes codes {[len(images), self._code_size]} with {len(images)} photos, "
                f"not {list(codes.shape)}"
            )

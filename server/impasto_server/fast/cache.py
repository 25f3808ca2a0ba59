"""Results that are asked for again."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from time import perf_counter

from impasto.tracing import Stage, current_span
from impasto_server.bundles.library import Brush
from impasto_server.callers import Caller
from impasto_server.fast.codec import Codec
from impasto_server.fast.painter import Paints
from impasto_server.order import TrainedOrder
from impasto_server.painting import Painting
from impasto_server.raw import RawPhoto

_OVERHEAD = 1000  # bytes that an entry takes beside its file


class Results:
    """The latest paintings asked for, in memory.

    Args:
        limit: bytes that they may take.

    Attributes:
        size: bytes that they take.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: OrderedDict[bytes, Painting] = OrderedDict()
        self.size = 0

    def get(self, key: bytes) -> Painting | None:
        """Return a painting, and count it as the latest asked for."""
        if key not in self._kept:
            return None
        self._kept.move_to_end(key)
        return self._kept[key]

    def put(self, key: bytes, painting: Painting) -> None:
        """Keep a painting, in the place of those that nobody has asked for the longest; not one over the limit."""
        if key in self._kept or _size(painting) > self._limit:
            return
        self._kept[key] = painting
        self.size += _size(painting)
        while self.size > self._limit:
            _, oldest = self._kept.popitem(last=False)
            self.size -= _size(oldest)


class CachingPainter:
    """Paints what it has not painted before.

    Args:
        painter: what paints.
        results: of which some are kept.
        codec: what digests photos.
        precision: by the transformer's digest, what its engine computes in: the same order in another one is another.
        asked: told of each order whether its result was at hand.
    """

    def __init__(
        self,
        painter: Paints,
        results: Results,
        codec: Codec,
        *,
        precision: Callable[[str], str],
        asked: Callable[[bool], None],
    ) -> None:
        self._painter = painter
        self._results = results
        self._codec = codec
        self._precision = precision
        self._asked = asked

    async def paint(self, order: TrainedOrder, brush: Brush, caller: Caller, *, patient: bool = False) -> Painting:
        """Paint one photo, as `Paints` says, or find it painted."""
        begun = perf_counter()
        key = await self._codec.run(_key, order, brush, self._precision(brush.transformer))
        found = self._results.get(key)
        if found is not None and _is_too_large(found, order):
            found = None  # which the painter says in words
        self._asked(found is not None)
        current_span().add([Stage("lookup", begun, perf_counter(), {"hit": found is not None})])
        if found is not None:
            return replace(found, pixels=0, batch=0, seconds={"total": perf_counter() - begun})
        painting = await self._painter.paint(order, brush, caller, patient=patient)
        self._results.put(key, painting)
        return painting


def _is_too_large(painting: Painting, order: TrainedOrder) -> bool:
    width, height = painting.size
    return order.max_result_pixels is not None and width * height > order.max_result_pixels


def _key(order: TrainedOrder, brush: Brush, precision: str) -> bytes:
    """Return a digest of everything that makes a painting what it is."""
    raw = order.photo if isinstance(order.photo, RawPhoto) else None  # of which repr tells all but the data
    size = (order.working_size, order.output_size)
    options = (*size, order.format, order.quality, order.metadata, order.raw, raw, order.mask)
    photo = order.photo if isinstance(order.photo, bytes) else order.photo.data
    mask = order.mask.file if order.mask else b""  # of which repr tells the rest
    parts = (photo, mask, brush.transformer.encode(), brush.code.tobytes(), precision.encode(), repr(options).encode())
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).digest()


def _size(painting: Painting) -> int:
    return len(painting.file) + _OVERHEAD

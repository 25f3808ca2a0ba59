"""Host memory that batches wait in, on their way to a device and back."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock

from impasto.codes import Codes
from impasto.engine.shapes import Shape
from impasto.engine.transfer import Transfer
from impasto.images import Planes


@dataclass(frozen=True, eq=False)
class Staged:
    """A batch: photos [N, 3, H, W] and codes [N, D] in, the painted photos [N, 3, H, W] out."""

    shape: Shape
    image: Planes
    style: Codes
    painted: Planes

    @classmethod
    def of(cls, shape: Shape, code_size: int, transfer: Transfer) -> Staged:
        picture = (shape.batch, 3, shape.height, shape.width)
        return cls(shape, transfer.array(picture), transfer.array((shape.batch, code_size)), transfer.array(picture))

    @property
    def bytes(self) -> int:
        return self.image.nbytes + self.style.nbytes + self.painted.nbytes


class StagingPool:
    """Keeps such memory for the next batch of its shape, since pinned memory is slow to get.

    Args:
        make: gets memory for a shape.
        most_bytes: to keep, or that of one batch which is larger; what waited longest is given up first.
    """

    def __init__(self, make: Callable[[Shape], Staged], most_bytes: int) -> None:
        self._make = make
        self._most_bytes = most_bytes
        self._waiting: OrderedDict[int, Staged] = OrderedDict()
        self._lock = Lock()

    @contextmanager
    def borrowed(self, shape: Shape) -> Iterator[Staged]:
        """Lend memory for a shape, to any thread. After an error it is not lent again: who knows who still writes."""
        staged = self._take(shape) or self._make(shape)
        yield staged
        self._keep(staged)

    def _take(self, shape: Shape) -> Staged | None:
        with self._lock:
            key = next((key for key, staged in reversed(self._waiting.items()) if staged.shape == shape), None)
            return None if key is None else self._waiting.pop(key)

    def _keep(self, staged: Staged) -> None:
        with self._lock:
            self._waiting[id(staged)] = staged
            while len(self._waiting) > 1 and sum(item.bytes for item in self._waiting.values()) > self._most_bytes:
                self._waiting.popitem(last=False)

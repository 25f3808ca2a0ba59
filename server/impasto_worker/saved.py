"""What a checkpoint's blob holds: the painter's state, and what the worker itself has to remember."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Self

from impasto.errors import CheckpointError

_HEADER = struct.Struct(">d")


@dataclass(frozen=True)
class Saved:
    """A checkpoint.

    Attributes:
        seconds: of painting that led to it, over all attempts.
        state: the painter's.
    """

    seconds: float
    state: bytes = field(repr=False)

    def to_bytes(self) -> bytes:
        return _HEADER.pack(self.seconds) + self.state

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Return what `to_bytes` wrote, or raise CheckpointError."""
        if len(data) < _HEADER.size:
            raise CheckpointError(f"a job's checkpoint has {len(data)} bytes, fewer than its header")
        (seconds,) = _HEADER.unpack_from(data)
        return cls(seconds, data[_HEADER.size :])

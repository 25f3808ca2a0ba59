"""Files of lines that are written bit by bit, and of which a killed process loses as little as the store allows."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol


class Log(Protocol):
    """One such file. Not for several threads at once."""

    def add(self, line: bytes) -> None:
        """Add a line."""
        ...

    def flush(self) -> None:
        """Make all lines last."""
        ...

    def close(self) -> None:
        """Flush, and add no more."""
        ...


class AppendedLog:
    """A file of a local folder, which has each line at once: nothing is lost with the process.

    Args:
        path: of a file that is not there yet.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
        self._flushed = True

    def add(self, line: bytes) -> None:
        os.write(self._descriptor, line)
        self._flushed = False

    def flush(self) -> None:
        if not self._flushed:
            os.fsync(self._descriptor)
            self._flushed = True

    def close(self) -> None:
        self.flush()
        os.close(self._descriptor)


class RewrittenLog:
    """An object of a store, which knows no appending: it is put again, whole, with each flush.

    Args:
        put: what writes it.
    """

    def __init__(self, put: Callable[[bytes], None]) -> None:
        self._put = put
        self._lines = bytearray()
        self._flushed = 0  # bytes

    def add(self, line: bytes) -> None:
        self._lines += line

    def flush(self) -> None:
        size = len(self._lines)
        if size > self._flushed:
            self._put(bytes(self._lines))
            self._flushed = size

    def close(self) -> None:
        self.flush()

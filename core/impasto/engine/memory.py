"""How much a process has grown, for engines whose runtime keeps what its largest picture needed."""

from __future__ import annotations

from threading import Lock

from impasto.machine import resident_bytes

MOST_KEPT = 384 * 2**20
"""Bytes that a process may have grown by before its engine gives memory back."""


class Growth:
    """Of this process since an engine was opened, or gave memory back."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._least = resident_bytes()

    def is_too_much(self) -> bool:
        """Tell whether it is more than MOST_KEPT, and then begin anew."""
        with self._lock:
            now = resident_bytes()
            self._least = min(self._least, now)  # what others have given back since was not the engine's
            if now - self._least <= MOST_KEPT:
                return False
            self._least = now
            return True

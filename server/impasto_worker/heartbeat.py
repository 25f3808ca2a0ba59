"""Keeping hold of a job while it is painted, and hearing of what happens to it meanwhile."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

from impasto.errors import LeaseLost, StoreUnavailable
from impasto.jobs import Claim
from impasto.logs import Log
from impasto_worker.vitals import Vitals

_MOST_SECONDS = 0.3  # between two beats: a cancelled job's device is free again within a second


class Heartbeat:
    """Renews a claim's lease from a thread of its own while its block lasts.

    While the store cannot be reached the job is painted on: it is ours until another worker has taken it, and that one
    would need the store as well.
    """

    def __init__(self, claim: Claim, *, lease_seconds: float, vitals: Vitals, log: Log) -> None:
        self._claim = claim
        self._vitals = vitals
        self._log = log
        self._pause = min(lease_seconds / 3, _MOST_SECONDS)
        self._ended = threading.Event()
        self._cancelled = threading.Event()
        self._lost = threading.Event()
        self._reachable = True
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    @property
    def cancelled(self) -> bool:
        """Whether the job's owner wants it no more."""
        return self._cancelled.is_set()

    @property
    def lost(self) -> bool:
        """Whether the job is no longer ours."""
        return self._lost.is_set()

    @property
    def reachable(self) -> bool:
        """Whether the store answered the last time."""
        return self._reachable

    def lose(self) -> None:
        """Note that the store has refused a write."""
        self._lost.set()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()

    def _beat(self) -> None:
        while not (self._ended.wait(self._pause) or self.lost):
            try:
                if self._claim.renew():
                    self._cancelled.set()
                if not self._reachable:
                    self._log.info("the store is back")
                self._reachable = True
                self._vitals.store_there()
            except LeaseLost:
                self.lose()
            except StoreUnavailable as error:
                self._vitals.store_away(str(error))
                if self._reachable:
                    self._log.warning("the store cannot be reached; painting on", reason=str(error))
                self._reachable = False
            except Exception:  # without this thread the job would be lost, and nobody could cancel it
                self._log.exception("a heartbeat failed; going on")

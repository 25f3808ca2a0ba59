"""How far a run is."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from threading import Lock

from impasto_client.bulk.records import HOPELESS, PAINTED


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes:
        photos: of the shard, counted so far; those that need no painting any more included.
        counted: whether these are all.
        left: of them, to be painted or tried by this run: so far, as long as not all are counted.
        painted: by this run.
        failed: in this run.
        seconds: since it began to paint; 0 before.
    """

    photos: int
    counted: bool
    left: int
    painted: int
    failed: int
    seconds: float

    @property
    def rate(self) -> float:
        """Photos a second, so far."""
        return (self.painted + self.failed) / self.seconds if self.seconds else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Until the end, as things go; None before all are counted, or any is done."""
        if not self.counted or not self.rate:
            return None
        return max(0, self.left - self.painted - self.failed) / self.rate


@dataclass(frozen=True)
class Report:
    """What a run has done.

    Attributes:
        painted: photos.
        failed: photos that could not be painted in this run.
        failed_before: photos that failed in an earlier run, are the same as then, and were not tried again.
        unlucky: of `failed`, those that the next run tries again by itself.
        done_before: photos whose pictures were there.
        stopped: whether it was stopped before its end.
        seconds: that it took.
        manifest: where the manifest of this shard is.
    """

    painted: int
    failed: int
    failed_before: int
    unlucky: int
    done_before: int
    stopped: bool
    seconds: float
    manifest: str


@dataclass
class Count:
    """Photos of a shard, as one listing finds them."""

    painted: int = 0
    hopeless: int = 0
    left: int = 0
    complete: bool = False

    def add(self, known: int) -> None:
        """Count a photo of which this is known."""
        self.painted += known == PAINTED
        self.hopeless += known == HOPELESS
        self.left += known not in (PAINTED, HOPELESS)

    @property
    def photos(self) -> int:
        return self.painted + self.hopeless + self.left


@dataclass
class Tally:
    """What a run counts. Its methods may be called by several threads.

    Attributes:
        count: of a listing that is made for its own sake, ahead of the painting.
        painted, failed, unlucky: photos of this run.
    """

    count: Count = field(default_factory=Count)
    painted: int = 0
    failed: int = 0
    unlucky: int = 0

    def __post_init__(self) -> None:
        self._lock = Lock()
        self._started = time.monotonic()
        self._begun: float | None = None

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started

    def begin(self) -> None:
        """Note that painting begins."""
        self._begun = time.monotonic()

    def note(self, *, failed: bool = False, unlucky: bool = False) -> None:
        """Count a photo of this run."""
        with self._lock:
            self.painted += not failed
            self.failed += failed
            self.unlucky += unlucky

    @property
    def progress(self) -> Progress:
        return Progress(
            photos=self.count.photos,
            counted=self.count.complete,
            left=self.count.left,
            painted=self.painted,
            failed=self.failed,
            seconds=0.0 if self._begun is None else time.monotonic() - self._begun,
        )

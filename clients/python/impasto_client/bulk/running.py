"""One run: photos read ahead, painted over streams, pictures written behind, and a manifest of it all.

One thread lists; a few read, and a few write, so that the store's latency holds nothing up; each stream has one that
takes its results, beside its own; one lists ahead, for the count alone. The caller's looks after them. No more photos
are in memory than the streams' windows hold, as many as one window again that have been read, and a few that are being
written.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread
from typing import Any

from impasto_client.bulk import outcomes
from impasto_client.bulk.crew import POLL_SECONDS, Crew
from impasto_client.bulk.listing import Listing
from impasto_client.bulk.manifest import Manifest
from impasto_client.bulk.names import output_of
from impasto_client.bulk.outcomes import Mishap
from impasto_client.bulk.places import File, Place
from impasto_client.bulk.records import Wish, done_entry, failed_entry
from impasto_client.bulk.tally import Count, Progress, Tally
from impasto_client.calling import OnLost
from impasto_client.client import Client
from impasto_client.errors import MessageTooLarge
from impasto_client.photos import Photo, StreamResult
from impasto_client.probe import PROBE
from impasto_client.results import Stylized

_READERS = 8  # threads
_WRITERS = 8  # threads
_PROBE_ID = "/"  # which is no path below a place

_Results = Generator[StreamResult, None, None]


@dataclass(frozen=True)
class Order:
    """What a run is to do.

    Attributes:
        source, out: where photos are, and pictures go.
        wish: how to paint.
        window: photos under way on each stream.
        streams: how many there are.
        timeout: seconds that the server may be away or silent.
        stop_seconds: that what is under way has to end once the run is to stop.
        on_progress: told several times a second.
        on_lost: told each time that the server could not be reached, or was lost.
    """

    source: Place
    out: Place
    wish: Wish
    window: int
    streams: int
    timeout: float
    stop_seconds: float
    on_progress: Callable[[Progress], None]
    on_lost: OnLost | None


class Run:
    """One run, which can be made once."""

    def __init__(self, client: Client, order: Order, listing: Listing, manifest: Manifest) -> None:
        self.tally = Tally()
        self.listed = Count()  # by the listing that is painted from
        self._counted = self.tally.count  # by the one that is ahead of it
        self._client = client
        self._order = order
        self._listing = listing
        self._manifest = manifest
        self._halted = Event()  # no more photos
        self._accepted = Event()  # the server paints as asked
        self._finished = Event()  # all photos have been listed, read, and given to a stream
        self._abandoned = False
        self._error: BaseException | None = None
        self._ready: SimpleQueue[tuple[File, bytes]] = SimpleQueue()
        self._painting: dict[str, File] = {}
        self._bundle = ""
        self._most_bytes = outcomes.MOST_BYTES
        self._unlucky_in_a_row = 0
        self._lock = Lock()

    def make(self, stop: Event) -> bool:
        """Paint until all is done, or until `stop` is set; return whether there is more to do.

        Raises:
            ImpastoClientError: the server refuses to paint as asked, or was away or failing for too long.
            StoreUnavailable: a store cannot be used.
        """
        streams = [self._stream(number) for number in range(self._order.streams)]  # refuses options before any thread
        self._readers = Crew(_READERS, max(self._order.window, _READERS), "impasto-read", self._halted)
        self._writers = Crew(_WRITERS, 2 * _WRITERS, "impasto-write", self._halted)
        takers = [_started(self._take, stream) for stream in streams]
        _started(self._list)
        _started(self._count)
        try:
            ended = self._look_after(takers, stop)
        finally:
            self._halted.set()
            self._abandoned = True
            self._readers.close()
            self._writers.close()
        if self._error:
            raise self._error
        return not (ended and self._finished.is_set())

    # The caller's thread

    def _look_after(self, takers: Sequence[Thread], stop: Event) -> bool:
        """Wait for the end, and return whether it came in time."""
        deadline = math.inf
        while not self._is_over(takers):
            self._keep_up()
            if stop.is_set() or self._error:
                self._halted.set()
                deadline = min(deadline, time.monotonic() + self._order.stop_seconds)
            if time.monotonic() > deadline:
                return False
        self._keep_up()
        return True

    def _is_over(self, takers: Sequence[Thread]) -> bool:
        """Wait for a moment, and tell whether every result has come and every picture been written."""
        for taker in takers:
            taker.join(POLL_SECONDS)
            if taker.is_alive():
                return False
        return self._writers.idle(POLL_SECONDS)

    def _keep_up(self) -> None:
        progress = self.tally.progress
        self._order.on_progress(progress)
        self._manifest.keep_up(progress)

    # Listing and reading

    def _list(self) -> None:
        with self._failing():
            if not self._is_accepted():
                return
            for file in self._listing.photos(self.listed.add):
                self._manifest.begin(self.tally.progress)  # not before there is a photo: IN might be a slip of the pen
                if not self._readers.take(partial(self._read, file)):
                    return
            self._manifest.begin(self.tally.progress)
            while not self._halted.is_set() and not self._finished.is_set():
                if self._readers.idle(POLL_SECONDS):
                    self.listed.complete = True
                    self.tally.count = self.listed
                    self._finished.set()

    def _count(self) -> None:
        if not self._is_accepted():
            return
        with suppress(Exception):  # the other listing meets it too, and tells
            for _ in self._listing.photos(self._counted.add):
                if self._halted.is_set():
                    return
            self._counted.complete = True

    def _read(self, file: File) -> None:
        with self._failing():
            mishap = outcomes.unreadable(file, self._most_bytes)
            data = b""
            if mishap is None:
                try:
                    data = self._order.source.read(file.path)
                    mishap = outcomes.unfit(len(data), self._most_bytes)
                except Exception as error:
                    mishap = outcomes.not_read(self._order.source, error)
            if mishap is None:
                self._ready.put((file, data))
                return
            self._readers.done()
            self._failed(file, mishap)

    # Painting

    def _stream(self, number: int) -> _Results:
        order = self._order
        return self._client.stylize_stream(
            self._photos(number),
            **order.wish.options,
            ordered=False,
            window=order.window,
            timeout=order.timeout,
            on_lost=order.on_lost,
        )

    def _photos(self, number: int) -> Iterator[Photo]:
        """Yield the photos of a stream: of the first one the probe, and once that has been painted, what was read."""
        if number == 0:
            yield Photo(PROBE, id=_PROBE_ID)
        if not self._is_accepted():
            return
        while not self._halted.is_set() and not self._finished.is_set():
            with suppress(Empty):
                file, data = self._ready.get(timeout=POLL_SECONDS)
                self._painting[file.path] = file
                self._readers.done()
                yield Photo(data, id=file.path)

    def _take(self, stream: _Results) -> None:
        with closing(stream), self._failing():  # which comes first: it ends the photos, and so the stream's threads
            for result in stream:
                if self._abandoned:
                    return
                self._settle(result)

    def _settle(self, result: StreamResult) -> None:
        if result.id == _PROBE_ID:
            result.get()
            self._bundle = self._bundles()
            self.tally.begin()
            self._accepted.set()
        elif file := self._painting.pop(result.id, None):
            if result.error is None:
                self._writers.take(partial(self._write, file, result.get()), always=True)
                return
            if isinstance(result.error, MessageTooLarge) and result.error.limit:
                self._most_bytes = min(self._most_bytes, result.error.limit)  # such a photo costs a connection
            self._failed(file, outcomes.not_painted(result.error))

    def _bundles(self) -> str:
        """Return which bundles the styles are of now, and their versions."""
        styles = map(self._client.style, self._order.wish.styles)
        return ", ".join(
            sorted({f"{style.name.split('/')[1].split('@')[0]}@{style.bundle_version}" for style in styles})
        )

    # Writing

    def _write(self, file: File, stylized: Stylized) -> None:
        with self._failing():
            try:
                output = output_of(file.path, self._order.wish.format)
                try:
                    self._order.out.write(output, stylized.image)
                except Exception as error:
                    self._failed(file, outcomes.not_written(self._order.out, error))
                    return
                self._manifest.add(done_entry(file, output, stylized, self._bundle))
                self.tally.note()
                self._unlucky_in_a_row = 0
            finally:
                self._writers.done()

    def _failed(self, file: File, mishap: Mishap) -> None:
        """Note that there is no picture of a photo, and fail if there will be none of others."""
        if self._abandoned:
            return
        self._manifest.add(failed_entry(file, mishap.reason, mishap.again))
        self.tally.note(failed=True, unlucky=mishap.again)
        if mishap.cause is None:
            return
        with self._lock:
            self._unlucky_in_a_row += 1
        if mishap.at_once or self._unlucky_in_a_row >= outcomes.UNLUCKY_IN_A_ROW:
            raise mishap.cause

    # The end

    def _is_accepted(self) -> bool:
        """Wait until the server has painted the probe; return False where it is time to stop."""
        while not self._accepted.wait(POLL_SECONDS):
            if self._halted.is_set():
                return False
        return True

    def _failing(self) -> _Failing:
        """Have the run fail of what is raised in a block."""
        return _Failing(self._fail)

    def _fail(self, error: BaseException) -> None:
        with self._lock:
            self._error = self._error or error
        self._halted.set()


class _Failing:
    def __init__(self, fail: Callable[[BaseException], None]) -> None:
        self._fail = fail

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        if error:
            self._fail(error)
        return True


def _started(task: Callable[..., None], *arguments: Any) -> Thread:
    thread = Thread(target=task, args=arguments, name=f"impasto-bulk{task.__name__}", daemon=True)
    thread.start()
    return thread

"""The manifest of one run, as it is written.

    OUT/_impasto/options.json               what all of OUT was painted by
    OUT/_impasto/shards/3-of-8/20261126T210842.123456Z-1a2b3c-00001.jsonl      entries
    OUT/_impasto/shards/3-of-8/summary.json how far the shard is

The entries of a run are in parts of its own, of a header and up to 2,000 entries: object stores know no appending, so
that the last part is put again and again until it is full.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from threading import Lock
from typing import Any
from uuid import uuid4

from impasto import __version__
from impasto.errors import ImpastoError, StoreUnavailable
from impasto_client.bulk.history import read_options
from impasto_client.bulk.listing import Shard
from impasto_client.bulk.logs import Log
from impasto_client.bulk.places import Place
from impasto_client.bulk.records import FORMAT, OPTIONS, SHARDS, SUMMARY, Wish, line, now
from impasto_client.bulk.tally import Progress
from impasto_client.errors import InvalidRequest

PART_ENTRIES = 2_000
FLUSH_SECONDS = 2.0  # what was done in them is forgotten with a killed process, where the store knows no appending
SUMMARY_SECONDS = 15.0


class Manifest:
    """What a run writes of itself. Entries may come from several threads; the rest is for one."""

    def __init__(self, place: Place, source: str, wish: Wish, shard: Shard) -> None:
        self._place = place
        self._wish = wish
        self._folder = f"{SHARDS}/{shard.number}-of-{shard.count}"
        self._about = {
            "impasto_bulk": FORMAT,
            "client": __version__,
            "shard": shard.number,
            "shards": shard.count,
            "source": source,
            "options": wish.options,
            "options_digest": wish.digest,
            "started": now(),
        }
        self._run = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}-{uuid4().hex[:6]}"
        self._parts = 0
        self._entries = 0  # of this part
        self._log: Log | None = None
        self._lock = Lock()
        self._flush_due = 0.0
        self._summary_due = time.monotonic() + SUMMARY_SECONDS
        self._claims = self._begun = self._closed = False

    def check(self, *, repaint: bool) -> None:
        """See what earlier runs have painted.

        Args:
            repaint: whether that may have been something else.

        Raises:
            InvalidRequest: it was something else.
            StoreUnavailable: see there.
        """
        before = read_options(self._place)
        if before is not None and not repaint:
            _compare(self._place.name, _asked(before), _asked(self._about))
        self._claims = before is None or _asked(before) != _asked(self._about)

    def begin(self, progress: Progress) -> None:
        """Note what is painted, and make ready for writing; once is enough. Nothing is written before.

        Raises:
            StoreUnavailable: it cannot be written.
        """
        if self._begun:
            return
        with _Unavailable(self._place):
            self._place.prepare()
        if self._claims:
            about = {key: self._about[key] for key in ("impasto_bulk", "client", "source", "options", "options_digest")}
            _put(self._place, OPTIONS, {**about, "time": now()})
        self._summarize(progress, "running")
        self._begun = True

    @property
    def name(self) -> str:
        """Where it is."""
        return f"{self._place.name}/{self._folder}"

    def add(self, entry: Mapping[str, Any]) -> None:
        """Add an entry; once the manifest is closed, none is added any more.

        Raises:
            StoreUnavailable: it cannot be written.
        """
        with self._lock, _Unavailable(self._place):
            if self._closed:
                return
            log = self._part()
            log.add(line(entry))
            self._entries += 1
            if self._entries >= PART_ENTRIES:
                log.close()
                self._log = None

    def keep_up(self, progress: Progress) -> None:
        """Make what has been added last, and say how far the run is, if it is time for that.

        Raises:
            StoreUnavailable: it cannot be written.
        """
        if not self._begun:
            return
        if time.monotonic() >= self._flush_due:
            self._flush()
            self._flush_due = time.monotonic() + FLUSH_SECONDS
        if time.monotonic() >= self._summary_due:
            self._summarize(progress, "running")
            self._summary_due = time.monotonic() + SUMMARY_SECONDS

    def give_up(self, progress: Progress, error: BaseException) -> None:
        """Write what can be written of a run that failed of this error."""
        with suppress(StoreUnavailable):
            self.close(progress, "failed", " ".join(str(error).split()) or type(error).__name__)

    def close(self, progress: Progress, state: str, error: str | None = None) -> None:
        """Write all that there is to write; nothing, where the run had not begun.

        Args:
            state: `done`, `stopped` or `failed`.
            error: what the run failed of.

        Raises:
            StoreUnavailable: it cannot be written.
        """
        if not self._begun:
            return
        with self._lock, _Unavailable(self._place):
            self._closed = True
            if self._log:
                self._log.close()
        self._summarize(progress, state, error)

    def _part(self) -> Log:
        if self._log is None:
            self._parts += 1
            self._entries = 0
            self._log = self._place.log(f"{self._folder}/{self._run}-{self._parts:05}.jsonl")
            self._log.add(line(self._about))
        return self._log

    def _flush(self) -> None:
        with self._lock, _Unavailable(self._place):
            if self._log:
                self._log.flush()

    def _summarize(self, progress: Progress, state: str, error: str | None = None) -> None:
        summary = {
            **self._about,
            "state": state,
            "error": error,
            "photos": progress.photos if progress.counted else None,
            "painted": progress.painted,
            "failed": progress.failed,
            "updated": now(),
            "ended": None if state == "running" else now(),
        }
        _put(self._place, f"{self._folder}/{SUMMARY}", summary)


class _Unavailable:
    """Raises what a store raises as StoreUnavailable."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, Exception) and not isinstance(error, ImpastoError):
            raise self._place.unavailable(error) from error


def _put(place: Place, path: str, record: Mapping[str, Any]) -> None:
    with _Unavailable(place):
        place.write(path, json.dumps(record, indent=2).encode() + b"\n")


def _asked(about: Mapping[str, Any]) -> dict[str, Any]:
    return {**about["options"], "source": about["source"]}


def _compare(name: str, before: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    """Refuse to paint by other options than before."""
    differing = sorted(key for key in {*before, *asked} if before.get(key) != asked.get(key))
    if differing:
        told = ", ".join(f"{key} {_told(before.get(key))}, not {_told(asked.get(key))}" for key in differing)
        raise InvalidRequest(
            "out", f"{name} was painted with {told}; give another place, or --repaint to paint anew what differs"
        )


def _told(value: Any) -> str:
    return "left out" if value is None else json.dumps(value)

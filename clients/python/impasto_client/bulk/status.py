"""How far all shards of a place are, from their manifests alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from impasto_client.bulk.history import entries, read_options, read_summaries
from impasto_client.bulk.listing import shard_number
from impasto_client.bulk.marks import Marks
from impasto_client.bulk.names import digest_of
from impasto_client.bulk.places import Place
from impasto_client.bulk.records import DONE, FAILED, Failure, failure_of
from impasto_client.errors import InvalidRequest


@dataclass(frozen=True)
class ShardStatus:
    """How far one shard is.

    Attributes:
        number: of the shard, from 0.
        state: of its latest run: `running`, also of one that was killed; `done`, `stopped`, `failed`, or `not begun`.
        photos: that it has; None until they have been counted.
        done: those whose pictures are there.
        failed: those that could not be painted.
        updated: when its run last wrote how far it was, in ISO 8601; empty for one that has not begun.
        error: what its latest run failed of; empty where it did not.
    """

    number: int
    state: str
    photos: int | None
    done: int
    failed: int
    updated: str
    error: str

    @property
    def left(self) -> int | None:
        """Photos that are neither done nor failed; None until they have been counted."""
        return None if self.photos is None else max(0, self.photos - self.done - self.failed)


@dataclass(frozen=True)
class Status:
    """How far a place is.

    Attributes:
        out: the place.
        source: where its photos are.
        options: how they are painted: those of `paint_folder` that were given.
        shards: as many as the latest run has.
        failures: of photos that have no picture, and of folders that could not be listed, sorted by their paths.
    """

    out: str
    source: str
    options: Mapping[str, Any]
    shards: tuple[ShardStatus, ...]
    failures: tuple[Failure, ...]


def status(out: str) -> Status:
    """Return how far the runs that paint into a place are. It reads the whole manifest: 10 s for a million photos.

    Args:
        out: what `paint_folder` was given.

    Raises:
        InvalidRequest: nothing was painted there.
        StoreUnavailable: it cannot be read.
    """
    place = Place.open(out, "out")
    painted = read_options(place)
    if painted is None:
        raise InvalidRequest("out", f"{place.name} has no manifest; give what was given to `impasto bulk` as OUT")
    summaries = read_summaries(place)
    current = [key for key, summary in summaries.items() if summary["options_digest"] == painted["options_digest"]]
    count = max(current, key=lambda key: str(summaries[key]["started"]), default=(0, 1))[1]
    latest = {number: summaries[number, count] for number, others in current if others == count}
    states = _States(count)
    for options, entry in entries(place, lambda _number, _count: True):
        if options == painted["options_digest"] and not _is_over(entry, latest, count):
            states.add(entry)
    shards = tuple(_shard(number, latest.get(number), states.counts) for number in range(count))
    failures = tuple(sorted(states.failures.values(), key=lambda failure: failure.source))
    return Status(place.name, painted["source"], painted["options"], shards, failures)


class _States:
    """What has become of each photo at last."""

    def __init__(self, shards: int) -> None:
        self._shards = shards
        self._known = Marks()
        self.counts: Counter[tuple[int, str]] = Counter()
        self.failures: dict[str, Failure] = {}

    def add(self, entry: Mapping[str, Any]) -> None:
        source, state = entry["source"], entry["state"]
        shard = shard_number(source, self._shards)
        before = self._known.get(digest_of(source))
        if before is not None:
            self.counts[shard, (DONE, FAILED)[before]] -= 1
        self._known.set(digest_of(source), state == FAILED)
        self.counts[shard, state] += 1
        if state == FAILED:
            self.failures[source] = failure_of(entry)
        else:
            self.failures.pop(source, None)


def _is_over(entry: Mapping[str, Any], latest: Mapping[int, Mapping[str, Any]], count: int) -> bool:
    """Tell whether a folder could not be listed once, but has been since; each run tells anew of those that cannot."""
    source = str(entry["source"])
    run = latest.get(shard_number(source, count))
    return source.endswith("/") and run is not None and str(entry["time"]) < str(run["started"])


def _shard(number: int, summary: Mapping[str, Any] | None, counts: Counter[tuple[int, str]]) -> ShardStatus:
    done, failed = counts[number, DONE], counts[number, FAILED]
    if summary is None:
        return ShardStatus(number, "not begun", None, done, failed, "", "")
    return ShardStatus(
        number, summary["state"], summary["photos"], done, failed, summary["updated"], summary["error"] or ""
    )

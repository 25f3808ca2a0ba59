"""What earlier runs have left in the manifest."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from impasto_client.bulk.marks import Marks
from impasto_client.bulk.names import digest_of
from impasto_client.bulk.places import Place
from impasto_client.bulk.records import OPTIONS, SHARDS, SUMMARY, mark_of

_READERS = 8  # threads; a part is half a megabyte at most


def read_json(place: Place, path: str) -> dict[str, Any] | None:
    """Return what a file of the manifest holds; None where it is missing, or no JSON.

    Raises:
        StoreUnavailable: see there.
    """
    try:
        found = json.loads(place.read(path))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError:
        return None
    except Exception as error:
        raise place.unavailable(error) from error
    return found if isinstance(found, dict) else None


def read_options(place: Place) -> dict[str, Any] | None:
    """Return what all of a place was painted by; None where nothing was."""
    return read_json(place, OPTIONS)


def read_summaries(place: Place) -> dict[tuple[int, int], dict[str, Any]]:
    """Return the summary of every shard, by its number and how many there are."""
    found = {}
    for folder in _folders(place):
        summary = read_json(place, f"{SHARDS}/{folder}/{SUMMARY}")
        if summary is not None:
            found[_shard(folder)] = summary
    return found


def entries(place: Place, shards: Callable[[int, int], bool]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every entry with the digest of the options that it was painted by; later ones come later.

    Args:
        shards: tells by a shard's number, and how many there were, whether it is asked for.

    Raises:
        StoreUnavailable: see there.
    """
    parts = [
        (name, f"{SHARDS}/{folder}/{name}")
        for folder in _folders(place)
        if shards(*_shard(folder))
        for name in place.names(f"{SHARDS}/{folder}")
        if name.endswith(".jsonl")
    ]
    paths = [path for _, path in sorted(parts)]  # a part's name begins with when its process did
    for part in _ahead(lambda path: _read_part(place, path), paths):
        yield from _entries(part)


def remember(place: Place, wanted: Callable[[str], bool], shards: Callable[[int, int], bool]) -> Marks:
    """Return what is known of the photos whose paths are wanted."""
    marks = Marks()
    for options, entry in entries(place, shards):
        if wanted(entry["source"]):
            marks.set(digest_of(entry["source"]), mark_of(entry, options))
    return marks


def _folders(place: Place) -> list[str]:
    return [name for name in place.names(SHARDS) if "-of-" in name]


def _shard(folder: str) -> tuple[int, int]:
    number, _, count = folder.partition("-of-")
    return int(number), int(count)


def _read_part(place: Place, path: str) -> bytes:
    try:
        return place.read(path)
    except Exception as error:
        raise place.unavailable(error) from error


def _entries(part: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    options = ""
    for text in part.splitlines():
        try:
            entry = json.loads(text)
        except ValueError:  # the last line of a process that was killed while it wrote it
            continue
        if "state" in entry:
            yield options, entry
        else:
            options = entry["options_digest"]  # the header's


def _ahead(read: Callable[[str], bytes], paths: Iterable[str]) -> Iterator[bytes]:
    """Yield what is read of each, in order, and read the next ones meanwhile."""
    with ThreadPoolExecutor(_READERS, "impasto-manifest") as pool:
        reading: deque[Future[bytes]] = deque()
        for path in paths:
            reading.append(pool.submit(read, path))
            if len(reading) > _READERS:
                yield reading.popleft().result()
        while reading:
            yield reading.popleft().result()

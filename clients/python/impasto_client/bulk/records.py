"""What the manifest says: the wish that a whole OUT was painted by, and an entry for each photo.

All of it is JSON, one object a line, and described in docs/bulk.md. What a later version adds, this one ignores.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from impasto_client.bulk.names import MANIFEST, digest_of
from impasto_client.bulk.places import File
from impasto_client.photos import TrainedStyle
from impasto_client.results import Stylized

FORMAT = 1  # of the manifest
OPTIONS = f"{MANIFEST}/options.json"
SHARDS = f"{MANIFEST}/shards"
SUMMARY = "summary.json"

DONE, FAILED = "done", "failed"


@dataclass(frozen=True)
class Wish:
    """How photos are to be painted; what is None is left to the server. The attributes are those of `paint_folder`."""

    style: TrainedStyle
    strength: float | None = None
    working_size: int | None = None
    width: int | None = None
    height: int | None = None
    format: str = "jpeg"
    quality: int | None = None
    metadata: str | None = None

    @property
    def options(self) -> dict[str, Any]:
        """All that was given, as the manifest has it and as `stylize_stream` takes it."""
        given = {name: getattr(self, name) for name in self.__dataclass_fields__ if getattr(self, name) is not None}
        return {**given, "style": self.style if isinstance(self.style, str) else dict(sorted(self.style.items()))}

    @property
    def digest(self) -> str:
        """What tells it from any other, in 16 characters."""
        return sha256(json.dumps(self.options, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def styles(self) -> tuple[str, ...]:
        return (self.style,) if isinstance(self.style, str) else tuple(sorted(self.style))


@dataclass(frozen=True)
class Failure:
    """A photo, or a folder of them, of which there is no picture.

    Attributes:
        source: its path below IN; that of a folder ends in `/`.
        reason: why, in one sentence.
        again: whether the next run tries it again by itself, since the photo is not to blame.
        time: when it was tried, in ISO 8601.
    """

    source: str
    reason: str
    again: bool
    time: str


def done_entry(file: File, output: str, stylized: Stylized, bundle: str) -> dict[str, Any]:
    """Return the entry of a photo whose picture has been written."""
    times = stylized.stage_times
    return {
        **_entry(file, DONE),
        "output": output,
        "width": stylized.width,
        "height": stylized.height,
        "bytes": len(stylized.image),
        "seconds": round(times.decode + times.engine + times.encode, 4),
        "bundle": bundle,
    }


def failed_entry(file: File, reason: str, again: bool) -> dict[str, Any]:
    """Return the entry of a photo that could not be painted."""
    return {**_entry(file, FAILED), "reason": reason, "again": again}


def failure_of(entry: Mapping[str, Any]) -> Failure:
    """Return what an entry of a failed photo says."""
    return Failure(str(entry["source"]), str(entry["reason"]), bool(entry["again"]), str(entry["time"]))


def file_of(entry: Mapping[str, Any]) -> File:
    """Return the photo of an entry, as it was then."""
    return File(entry["source"], entry["size"], entry["etag"], entry["modified"])


def line(entry: Mapping[str, Any]) -> bytes:
    return json.dumps(entry, separators=(",", ":")).encode() + b"\n"


def now() -> str:
    """Return the time in ISO 8601, to the millisecond, in UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _entry(file: File, state: str) -> dict[str, Any]:
    return {
        "source": file.path,
        "size": file.size,
        "etag": file.etag,
        "modified": file.modified,
        "state": state,
        "time": now(),
    }


# Of a photo, in `Marks`: what it was like when it was painted as wished, in 62 bits, and what became of it in two.

PAINTED, HOPELESS, UNLUCKY = 1, 2, 3  # done; failed, and will again; failed, and may not again
_OUTCOME = 0b11


def mark(file: File, options: str, outcome: int) -> int:
    """Return what to remember of a photo that was painted by the wish of this digest."""
    return (digest_of(f"{options} {file.version}") & ~_OUTCOME) | outcome


def mark_of(entry: Mapping[str, Any], options: str) -> int:
    """Return what to remember of an entry."""
    if entry["state"] == DONE:
        return mark(file_of(entry), options, PAINTED)
    return mark(file_of(entry), options, UNLUCKY if entry["again"] else HOPELESS)


def outcome_of(known: int | None) -> int:
    """Return one of the three from what is remembered; 0 where nothing is."""
    return 0 if known is None else known & _OUTCOME

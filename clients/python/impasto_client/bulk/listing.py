"""Which photos a run has to do with."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from impasto_client.bulk.marks import Marks
from impasto_client.bulk.names import PHOTO_SUFFIXES, digest_of, is_photo
from impasto_client.bulk.places import File, Place
from impasto_client.bulk.records import HOPELESS, PAINTED, mark, outcome_of
from impasto_client.errors import InvalidRequest

_BITS = 32


@dataclass(frozen=True)
class Shard:
    """One of equal parts of all photos, to be painted by a process of its own.

    Attributes:
        number: 0 to `count` - 1.
        count: how many there are.

    Raises:
        InvalidRequest: there is no such shard.
    """

    number: int = 0
    count: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.number < self.count:
            raise InvalidRequest("shard", f"{self} is none; shards are counted from 0: of eight, 0/8 to 7/8")

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    @staticmethod
    def parse(text: str) -> Shard:
        """Return the shard that is written so: `0/8` is the first of eight."""
        found = re.fullmatch(r"(\d+)/(\d+)", text)
        if not found:
            raise InvalidRequest("shard", f"{text!r} is none; give NUMBER/COUNT, such as 0/8 for the first of eight")
        return Shard(int(found[1]), int(found[2]))

    def has(self, path: str) -> bool:
        """Tell whether a photo is of this shard: by its path alone, so that shards need not know of each other."""
        return shard_number(path, self.count) == self.number


def shard_number(path: str, count: int) -> int:
    """Return the number of the shard, of so many, that a photo is of."""
    return ((digest_of(path) >> _BITS) * count) >> _BITS


class Listing:
    """The photos of one shard that are to be painted. Each iteration lists the place anew, and holds nothing.

    Args:
        place: where photos are.
        shard: which of them.
        include: patterns, of which a path has to match one; none for all.
        leave_out: a folder with none, though its files may be named as photos.
        marks: what earlier runs have done.
        options: the digest of the options to paint by.
        retry_failed: whether those that failed, and will probably fail again, are tried again.
    """

    def __init__(
        self,
        place: Place,
        shard: Shard,
        include: Sequence[str],
        leave_out: str | None,
        marks: Marks,
        options: str,
        *,
        retry_failed: bool,
    ) -> None:
        self._place = place
        self._shard = shard
        self._include = tuple(include)
        self._leave_out = f"{leave_out}/" if leave_out else None
        self._marks = marks
        self._options = options
        self._retry_failed = retry_failed
        self._seen = False

    def photos(self, count: Callable[[int], None]) -> Iterator[File]:
        """Yield the photos that are to be painted, and tell `count` of each photo of the shard what is known of it.

        Raises:
            InvalidRequest: there is no such place, or no photo in it, of whichever shard.
            StoreUnavailable: the listing ended half-way.
        """
        try:
            for file in filter(self._is_ours, self._place.files(self._wants)):
                known = self._known(file)
                count(known)
                if known not in (PAINTED, HOPELESS):
                    yield file
        except FileNotFoundError:
            raise InvalidRequest("source", f"there is no folder or bucket {self._place.name}") from None
        if not self._seen:
            raise InvalidRequest("source", f"{self._place.name} holds no photo{self._asked}; {_PHOTOS}")

    @property
    def _asked(self) -> str:
        return f" that matches {' or '.join(self._include)}" if self._include else ""

    def _wants(self, path: str) -> bool:
        if not is_photo(path) or (self._leave_out and path.startswith(self._leave_out)):
            return False
        if self._include and not any(fnmatchcase(path, pattern) for pattern in self._include):
            return False
        self._seen = True
        return self._shard.has(path)

    def _is_ours(self, file: File) -> bool:
        """Tell whether a folder that cannot be listed is this shard's to tell of; files have been asked for before."""
        if not file.is_folder:
            return True
        self._seen = True
        return self._shard.has(file.path) and not (self._leave_out and file.path.startswith(self._leave_out))

    def _known(self, file: File) -> int:
        """Return what has become of a photo, as it is now; 0 where it is to be painted."""
        known = self._marks.get(digest_of(file.path))
        outcome = outcome_of(known)
        if known != mark(file, self._options, outcome) or (outcome == HOPELESS and self._retry_failed):
            return 0
        return outcome


_PHOTOS = (
    f"photos end in {', '.join(PHOTO_SUFFIXES[:-1])} or {PHOTO_SUFFIXES[-1]}, in either case, and no part of their "
    "path begins with a dot"
)

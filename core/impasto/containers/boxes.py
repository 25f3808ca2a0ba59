"""Boxes, of which files after ISO/IEC 14496-12 are made: read with bounds, and written."""

from __future__ import annotations

from collections.abc import Iterator

from impasto.containers.header import damaged, too_many_pieces

MAX_ENTRIES = 20_000  # boxes and lines of tables of a file; a phone's picture of 48 megapixels has about two thousand

_HEAD, _LONG_HEAD = 8, 16  # bytes
_LONG, _TO_THE_END = 1, 0  # what stands in the place of a box's length


class Fields:
    """Bytes of a file, read one field after the other.

    Args:
        data: the file.
        field: what to call the picture in an error.
        begin, end: where the bytes are; to the end by default.
        pieces: that may still be read, shared by all that is read of a file.
    """

    def __init__(
        self, data: bytes, field: str, begin: int = 0, end: int | None = None, pieces: list[int] | None = None
    ) -> None:
        self._data = data
        self._at = begin
        self._end = len(data) if end is None else end
        self._pieces = [MAX_ENTRIES] if pieces is None else pieces
        self.field = field

    def number(self, size: int) -> int:
        """Return the next unsigned number, of so many bytes; 0 of none."""
        return int.from_bytes(self.take(size), "big")

    def take(self, size: int) -> bytes:
        """Return the next bytes.

        Raises:
            UnreadableImage: there are not so many.
        """
        begin = self._at
        self._at += size
        if self._at > self._end:
            raise damaged(self.field, "it ends in the middle of a box")
        return self._data[begin : self._at]

    def rest(self) -> bytes:
        """Return all that has not been read."""
        return self._data[self._at : self._end]

    def version(self) -> tuple[int, int]:
        """Return the version and the flags that a full box begins with."""
        return self.number(1), self.number(3)

    def times(self, count: int) -> Iterator[int]:
        """Count the lines of a table.

        Raises:
            UnreadableImage: the file has more of them than are read.
        """
        for index in range(count):
            self._count()
            yield index

    def boxes(self) -> Iterator[tuple[bytes, Fields]]:
        """Yield the type of each box in what has not been read, and its contents.

        Raises:
            UnreadableImage: one is longer than what it is in, or there are more than are read.
        """
        while self._at + _HEAD <= self._end:
            self._count()
            begin = self._at
            size, kind, head = self.number(4), self.take(4), _HEAD
            if size == _LONG:
                size, head = self.number(8), _LONG_HEAD
            elif size == _TO_THE_END:
                size = self._end - begin
            if size < head or begin + size > self._end:
                raise damaged(self.field, "it ends in the middle of a box")
            self._at = begin + size
            yield kind, Fields(self._data, self.field, begin + head, self._at, self._pieces)

    def _count(self) -> None:
        count_piece(self._pieces, self.field)


def count_piece(left: list[int], field: str) -> None:
    """Take one from the pieces of a file that may still be read.

    Raises:
        UnreadableImage: none is left.
    """
    left[0] -= 1
    if left[0] < 0:
        raise too_many_pieces(field, "HEIF", MAX_ENTRIES)


def box(kind: bytes, *contents: bytes) -> bytes:
    """Return a box."""
    return b"".join(((_HEAD + sum(map(len, contents))).to_bytes(4, "big"), kind, *contents))


def full_box(kind: bytes, *contents: bytes, version: int = 0, flags: int = 0) -> bytes:
    """Return a box that begins with a version and flags."""
    return box(kind, bytes((version,)), flags.to_bytes(3, "big"), *contents)

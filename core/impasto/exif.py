"""EXIF blocks: read as far as something is asked for, and written anew.

A block is a TIFF file without a picture: directories of entries, and behind them the values that do not fit an entry.
Whoever wrote it may have meant harm, with thousands of entries that point at the same large value, counts beyond all
bounds, or directories that lead back to themselves. So nothing is read but what is asked for, each of it once; no list
of directories is followed; and a value has to be of a kind and a length that whoever asks expects.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Collection, Mapping
from dataclasses import dataclass

MAX_BYTES = 65_536  # of a block: as many as a JPEG can hold in one piece; what lies behind is not looked at
MAX_ENTRIES = 256  # of a directory; cameras write about fifty

ORIENTATION = 0x0112
EXIF_DIRECTORY, GPS_DIRECTORY = 0x8769, 0x8825  # entries of the main directory: where these two begin

BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED, SRATIONAL, UTF8 = 1, 2, 3, 4, 5, 7, 10, 129

_PREFIX = b"Exif\0\0"
_PREFIXES = re.compile(rb"(?:Exif\0\0){0,2}")  # some programs write it twice
_HEADER = struct.Struct("4sI")
_MAGIC = {b"II*\0": "<", b"MM\0*": ">"}
_ENTRY = "HHI4s"
_ENTRY_BYTES = 12
_WORD = {BYTE: 1, ASCII: 1, SHORT: 2, LONG: 4, RATIONAL: 4, UNDEFINED: 1, SRATIONAL: 4, UTF8: 1}  # bytes
_WORDS = {RATIONAL: 2, SRATIONAL: 2}  # of one item, where it is not one
_LETTER = {2: "H", 4: "I"}


@dataclass(frozen=True, slots=True)
class Value:
    """What an entry says.

    Attributes:
        type: BYTE, ASCII and so on.
        data: its items, each of which takes as many bytes as the type says, little-endian.
    """

    type: int
    data: bytes

    @property
    def count(self) -> int:
        """How many items it has."""
        return len(self.data) // _size(self.type)

    @property
    def number(self) -> int:
        """The first item, of a BYTE, SHORT or LONG."""
        return int.from_bytes(self.data[: _size(self.type)], "little")


def short(number: int) -> Value:
    """Return a SHORT."""
    return Value(SHORT, number.to_bytes(2, "little"))


def long(number: int) -> Value:
    """Return a LONG."""
    return Value(LONG, number.to_bytes(4, "little"))


def ratio(number: int) -> Value:
    """Return a RATIONAL, of a whole number."""
    return Value(RATIONAL, number.to_bytes(4, "little") + (1).to_bytes(4, "little"))


def text(words: str) -> Value:
    """Return an ASCII."""
    return Value(ASCII, words.encode() + b"\0")


class Directory:
    """The entries of a directory, none of which has been looked at.

    Args:
        block: that they are in, from the TIFF header on.
        order: of its bytes, as `struct` calls it.
        offset: where it begins in the block.
    """

    def __init__(self, block: bytes = b"", order: str = "<", offset: int = 0) -> None:
        self._block = block
        self._order = order
        self._entries: dict[int, tuple[int, int, bytes]] = {}
        begin = offset + 2
        count = int.from_bytes(block[offset:begin], "little" if order == "<" else "big")
        if begin > len(block) or not count or count > MAX_ENTRIES:
            return
        end = begin + min(count, (len(block) - begin) // _ENTRY_BYTES) * _ENTRY_BYTES
        for tag, kind, items, field in struct.iter_unpack(f"{order}{_ENTRY}", block[begin:end]):
            self._entries.setdefault(tag, (kind, items, field))

    def value(self, tag: int, types: Collection[int], most: int = 1) -> Value | None:
        """Return what an entry says, or None where there is none, or not such a one.

        Args:
            tag: the entry's.
            types: that it may be of.
            most: items that it may have.
        """
        if tag not in self._entries:
            return None
        kind, items, field = self._entries[tag]
        if kind not in types or not 1 <= items <= most:
            return None
        data = self._data(items * _size(kind), field)
        return None if data is None else Value(kind, self._little_endian(kind, data))

    def directory(self, tag: int) -> Directory:
        """Return the directory that an entry points at; an empty one where there is none."""
        pointer = self.value(tag, (LONG,))
        return Directory() if pointer is None else Directory(self._block, self._order, pointer.number)

    def _data(self, size: int, field: bytes) -> bytes | None:
        """Return a value's bytes, or None where the block does not have them all."""
        if size <= len(field):
            return field[:size]
        (offset,) = struct.unpack(f"{self._order}I", field)
        data = self._block[offset : offset + size]
        return data if len(data) == size else None

    def _little_endian(self, type: int, data: bytes) -> bytes:
        width = _WORD[type]
        if self._order == "<" or width == 1:
            return data
        words = f"{len(data) // width}{_LETTER[width]}"
        return struct.pack(f"<{words}", *struct.unpack(f">{words}", data))


def read(block: bytes) -> Directory:
    """Return the main directory of an EXIF block, with or without the prefix that it has in a JPEG.

    Whatever is wrong with the block, this raises nothing: what cannot be read is not there.
    """
    tiff = block[:MAX_BYTES]
    tiff = tiff[_PREFIXES.match(tiff).end() :]  # type: ignore[union-attr]  # matches the empty string, too
    order = _MAGIC.get(tiff[:4])
    if order is None or len(tiff) < _HEADER.size:
        return Directory()
    _, offset = struct.unpack_from(f"{order}{_HEADER.format}", tiff)
    return Directory(tiff, order, offset)


def write(main: Mapping[int, Value], exif: Mapping[int, Value], gps: Mapping[int, Value]) -> bytes:
    """Return a little-endian EXIF block of these directories, with its prefix; an empty one is left out.

    Args:
        main: tag -> value, of the main directory; where the others lie is added here.
        exif: of the one about how the photo was taken.
        gps: of the one about where.
    """
    others = {tag: entries for tag, entries in ((EXIF_DIRECTORY, exif), (GPS_DIRECTORY, gps)) if entries}
    pointers = dict.fromkeys(others, long(0))
    place = _HEADER.size + len(_directory({**main, **pointers}, 0))
    written = []
    for tag, entries in others.items():
        pointers[tag] = long(place)
        written.append(_directory(entries, place))
        place += len(written[-1])
    head = struct.pack(f"<{_HEADER.format}", b"II*\0", _HEADER.size)
    return b"".join((_PREFIX, head, _directory({**main, **pointers}, _HEADER.size), *written))


def _directory(entries: Mapping[int, Value], offset: int) -> bytes:
    """Return a directory that lies at this offset of its block, and behind it what does not fit its entries."""
    place = offset + 2 + len(entries) * _ENTRY_BYTES + 4
    table, values = [struct.pack("<H", len(entries))], []
    for tag, value in sorted(entries.items()):
        field = value.data
        if len(field) > 4:
            values.append(field + b"\0" * (len(field) % 2))  # values begin at even offsets
            field = struct.pack("<I", place)
            place += len(values[-1])
        table.append(struct.pack(f"<{_ENTRY}", tag, value.type, value.count, field))
    return b"".join((*table, b"\0\0\0\0", *values))


def _size(type: int) -> int:
    """Return the bytes of one item."""
    return _WORD[type] * _WORDS.get(type, 1)

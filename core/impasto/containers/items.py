"""The items of a HEIF file, of which pictures are made: pieces of pixels, what they have in common, and what goes with
them. After ISO/IEC 14496-12, section 8.11, and ISO/IEC 23008-12."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from impasto.containers.boxes import Fields
from impasto.containers.header import damaged

_WHOLE_FILE, _OWN_DATA = 0, 1  # what an item's places are counted from


@dataclass
class Items:
    """What the `meta` box of a file says.

    Attributes:
        primary: the item that is the picture.
        kinds: of each item, four letters.
        places: of each item, what they are counted from, and where each piece begins and how long it is.
        properties: kind and contents, which items share.
        owned: by each item, the numbers of its properties, from 1 on.
        references: kind, from which item, to which.
    """

    data: bytes = field(repr=False)
    name: str = "image"
    primary: int = 0
    kinds: dict[int, bytes] = field(default_factory=dict)
    places: dict[int, tuple[int, list[tuple[int, int]]]] = field(default_factory=dict)
    properties: list[tuple[bytes, bytes]] = field(default_factory=list)
    owned: dict[int, list[int]] = field(default_factory=dict)
    references: list[tuple[bytes, int, list[int]]] = field(default_factory=list)
    own_data: bytes = field(default=b"", repr=False)

    def of(self, item: int) -> Iterator[tuple[bytes, bytes]]:
        """Yield the kind and the contents of an item's properties, in their order."""
        for number in self.owned.get(item, ()):
            if 1 <= number <= len(self.properties):
                yield self.properties[number - 1]

    def first(self, item: int, kind: bytes) -> bytes | None:
        """Return the first property of a kind that an item has."""
        return next((contents for found, contents in self.of(item) if found == kind), None)

    def targets(self, kind: bytes, item: int) -> list[int]:
        """Return the items that an item refers to."""
        return next((to for found, source, to in self.references if (found, source) == (kind, item)), [])

    def sources(self, kind: bytes, item: int) -> list[int]:
        """Return the items that refer to an item."""
        return [source for found, source, to in self.references if found == kind and item in to]

    def length(self, item: int) -> int:
        """Return how many bytes an item has, as the file says."""
        _, pieces = self._places(item)
        return sum(length for _, length in pieces)

    def contents(self, item: int, most: int | None = None) -> bytes:
        """Return an item's bytes, of which those behind the first `most` may be left out.

        Raises:
            UnreadableImage: the file does not have them.
        """
        base, pieces = self._places(item)
        whole = self.own_data if base == _OWN_DATA else self.data
        found, left = [], len(whole) if most is None else most
        for offset, length in pieces:
            if offset + length > len(whole):
                raise damaged(self.name, "it ends before its pixels")
            found.append(whole[offset : offset + min(length, left)])
            left -= len(found[-1])
        return b"".join(found)

    def _places(self, item: int) -> tuple[int, list[tuple[int, int]]]:
        base, pieces = self.places.get(item, (_WHOLE_FILE, []))
        if not pieces or base not in (_WHOLE_FILE, _OWN_DATA):
            raise damaged(self.name, "it does not say where its pixels are")
        whole = self.own_data if base == _OWN_DATA else self.data
        return base, [(offset, length or max(0, len(whole) - offset)) for offset, length in pieces]


def read(data: bytes, name: str) -> Items:
    """Return what a file says of its items.

    Raises:
        UnreadableImage: it is damaged, or says more than is read.
    """
    found = Items(data, name)
    for kind, fields in Fields(data, name).boxes():
        if kind == b"meta":  # what comes behind it is found by the places that it tells
            fields.version()
            for inner, contents in fields.boxes():
                if inner in _TABLES:
                    _TABLES[inner](found, contents)
            return found
    raise damaged(name, "it holds no still picture")


def _take_primary(found: Items, fields: Fields) -> None:
    version, _ = fields.version()
    found.primary = fields.number(4 if version else 2)


def _take_kinds(found: Items, fields: Fields) -> None:
    version, _ = fields.version()
    fields.number(4 if version else 2)  # how many there are: so many boxes follow
    for kind, entry in fields.boxes():
        version, _ = entry.version()
        if kind == b"infe" and version >= 2:
            item = entry.number(4 if version > 2 else 2)
            entry.number(2)  # how it is protected
            found.kinds.setdefault(item, entry.take(4))


def _take_places(found: Items, fields: Fields) -> None:
    version, _ = fields.version()
    sizes = fields.number(2)
    of_offset, of_length, of_base = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
    of_index = sizes & 15 if version else 0
    for _ in fields.times(fields.number(4 if version > 1 else 2)):
        item = fields.number(4 if version > 1 else 2)
        counted_from = fields.number(2) & 15 if version else _WHOLE_FILE
        elsewhere = fields.number(2)
        base = fields.number(of_base)
        pieces = []
        for _ in fields.times(fields.number(2)):
            fields.number(of_index)
            offset = base + fields.number(of_offset)
            pieces.append((offset, fields.number(of_length)))
        if not elsewhere:  # in another file, which is none of ours
            found.places.setdefault(item, (counted_from, pieces))


def _take_own_data(found: Items, fields: Fields) -> None:
    found.own_data = fields.rest()


def _take_properties(found: Items, fields: Fields) -> None:
    for kind, contents in fields.boxes():
        if kind == b"ipco":
            found.properties += [(name, one.rest()) for name, one in contents.boxes()]
        elif kind == b"ipma":
            _take_owned(found, contents)


def _take_owned(found: Items, fields: Fields) -> None:
    version, flags = fields.version()
    size = 2 if flags & 1 else 1
    number = 0x7FFF if flags & 1 else 0x7F  # the bit before it says whether a reader must know the property
    for _ in fields.times(fields.number(4)):
        item = fields.number(4 if version else 2)
        numbers = [fields.number(size) & number for _ in fields.times(fields.number(1))]
        found.owned.setdefault(item, numbers)


def _take_references(found: Items, fields: Fields) -> None:
    version, _ = fields.version()
    size = 4 if version else 2
    for kind, entry in fields.boxes():
        source = entry.number(size)
        found.references.append((kind, source, [entry.number(size) for _ in entry.times(entry.number(2))]))


_TABLES = {
    b"pitm": _take_primary,
    b"iinf": _take_kinds,
    b"iloc": _take_places,
    b"idat": _take_own_data,
    b"iprp": _take_properties,
    b"iref": _take_references,
}

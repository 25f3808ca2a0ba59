"""HEIF files put together item by item, as cameras, phones and people who mean harm write them."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from impasto.containers import items
from impasto.containers.boxes import box, full_box

ALPHA = b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0"
GAIN_MAP = b"urn:com:apple:photo:2020:aux:hdrgainmap\0"
DEPTH = b"urn:mpeg:hevc:2015:auxid:2\0"

Property = tuple[bytes, bytes]
"""Kind and contents."""


@dataclass(frozen=True)
class Item:
    """A piece of a file.

    Attributes:
        kind: four letters.
        contents: its bytes.
        properties: what it has.
        references: kind -> the numbers of the items that it refers to.
        place: where it says that its bytes are, and how many; where they are, by default.
    """

    kind: bytes
    contents: bytes = field(default=b"", repr=False)
    properties: Sequence[Property] = ()
    references: Mapping[bytes, Sequence[int]] = field(default_factory=dict)
    place: tuple[int, int] | None = None

    def having(self, *properties: Property) -> Item:
        """Return the same with more properties."""
        return replace(self, properties=[*self.properties, *properties])

    def to(self, kind: bytes, *numbers: int) -> Item:
        """Return the same, which refers to other items."""
        return replace(self, references={**self.references, kind: numbers})


def coded(file: bytes) -> Item:
    """Return the picture of a file that an encoder wrote, without its tiles or what turns it."""
    found = items.read(file, "image")
    tiles = found.targets(b"dimg", found.primary) or [found.primary]
    properties = [one for one in found.of(tiles[0]) if one[0] in (b"ispe", b"pixi", b"hvcC", b"av1C", b"colr")]
    return Item(found.kinds[tiles[0]], found.contents(tiles[0]), properties)


def size(width: int, height: int) -> Property:
    return b"ispe", struct.pack(">4xII", width, height)


def turned(quarters: int) -> Property:
    """Return what turns a picture against the clock."""
    return b"irot", bytes((quarters,))


def mirrored(axis: int) -> Property:
    """Return what exchanges top and bottom (0) or left and right (1)."""
    return b"imir", bytes((axis,))


def cut(width: int, height: int, right_of: int = 0, below: int = 0) -> Property:
    """Return what cuts a picture to a size, about its middle or twice so many px away from it."""
    return b"clap", struct.pack(">4IiIiI", width, 1, height, 1, right_of, 2, below, 2)


def code_points(primaries: int, transfer: int, matrix: int = 6, full: bool = True) -> Property:
    return b"colr", b"nclx" + struct.pack(">HHHB", primaries, transfer, matrix, full << 7)


def profile(contents: bytes) -> Property:
    return b"colr", b"prof" + contents


def auxiliary(kind: bytes) -> Property:
    return b"auxC", bytes(4) + kind


def exif(block: bytes) -> Item:
    """Return a block that describes the first item."""
    return Item(b"Exif", struct.pack(">I", 6) + b"Exif\0\0" + block, references={b"cdsc": [1]})


def grid(rows: int, columns: int, width: int, height: int, *tiles: int) -> Item:
    """Return a picture put together of other items."""
    contents = struct.pack(">BBBBHH", 0, 0, rows - 1, columns - 1, width, height)
    return Item(b"grid", contents, [size(width, height)], {b"dimg": tiles})


def heif(*pieces: Item, primary: int = 1, brand: bytes = b"heic", more: bytes = b"", behind: bytes = b"") -> bytes:
    """Return a file of items, which have the numbers from 1 on.

    Args:
        pieces: the items.
        primary: the number of the picture.
        brand: what kind of file it says that it is.
        more: boxes within `meta`.
        behind: what comes behind all.
    """
    kind = box(b"ftyp", brand, bytes(4), b"mif1", brand)
    begin = len(kind) + len(_meta(pieces, primary, more, 0)) + 8
    contents = box(b"mdat", *(piece.contents for piece in pieces))
    return kind + _meta(pieces, primary, more, begin) + contents + behind


def _meta(pieces: Sequence[Item], primary: int, more: bytes, begin: int) -> bytes:
    lines: list[bytes] = []
    infos: list[bytes] = []
    references: list[bytes] = []
    properties: list[bytes] = []
    owned: list[bytes] = []
    at = begin
    for number, piece in enumerate(pieces, 1):
        offset, length = piece.place or (at, len(piece.contents))
        lines.append(struct.pack(">HHHQHII", number, 0, 0, offset, 1, 0, length))  # a base of 8 bytes, an offset of 4
        infos.append(full_box(b"infe", struct.pack(">HH", number, 0), piece.kind, b"\0", version=2))
        for kind, to in piece.references.items():
            references.append(box(kind, struct.pack(f">HH{len(to)}H", number, len(to), *to)))
        first = len(properties) + 1
        properties += [box(kind, contents) for kind, contents in piece.properties]
        numbers = range(first, len(properties) + 1)
        owned.append(struct.pack(f">HB{len(numbers)}H", number, len(numbers), *numbers))
        at += len(piece.contents)
    return full_box(
        b"meta",
        full_box(b"hdlr", bytes(4), b"pict", bytes(13)),
        full_box(b"pitm", struct.pack(">H", primary)),
        full_box(b"iinf", struct.pack(">H", len(pieces)), *infos),
        box(b"iprp", box(b"ipco", *properties), full_box(b"ipma", struct.pack(">I", len(pieces)), *owned, flags=1)),
        full_box(b"iref", *references),
        full_box(b"iloc", struct.pack(">HH", 0x4480, len(pieces)), *lines, version=1),
        more,
    )

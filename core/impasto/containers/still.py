"""A HEIF file anew: one still picture, with nothing in it but what its pixels are decoded from."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from impasto.containers.boxes import box, full_box

_HIDDEN = 1  # an item that is no picture by itself, so that none is made of it

Property = tuple[bytes, bytes]
"""Kind and contents."""


@dataclass(frozen=True)
class Piece:
    """An item that pixels are decoded from.

    Attributes:
        kind: four letters.
        contents: its bytes.
        properties: what a decoder must know.
        references: kind -> the pieces that it refers to, by their place in the list that they are written in.
    """

    kind: bytes
    contents: bytes = field(repr=False)
    properties: Sequence[Property] = ()
    references: Mapping[bytes, Sequence[int]] = field(default_factory=dict)


def written(brand: bytes, pieces: Sequence[Piece]) -> bytes:
    """Return a file of these pieces, of which the first is the picture.

    Args:
        brand: what kind of file it is, four letters.
        pieces: at most 65,535.
    """
    kind = box(b"ftyp", brand, bytes(4), brand, b"mif1", b"miaf")
    begin = len(kind) + len(_meta(pieces, 0)) + 8
    return b"".join((kind, _meta(pieces, begin), box(b"mdat", *(piece.contents for piece in pieces))))


def _meta(pieces: Sequence[Piece], begin: int) -> bytes:
    """Return the box that tells of the pieces, whose contents begin here in the file."""
    return full_box(
        b"meta",
        full_box(b"hdlr", bytes(4), b"pict", bytes(13)),
        full_box(b"pitm", struct.pack(">H", 1)),
        _places(pieces, begin),
        full_box(b"iinf", struct.pack(">H", len(pieces)), *_kinds(pieces)),
        full_box(b"iref", *_references(pieces)),
        _properties(pieces),
    )


def _places(pieces: Sequence[Piece], at: int) -> bytes:
    lines = []
    for number, piece in enumerate(pieces, 1):
        lines.append(struct.pack(">HHHII", number, 0, 1, at, len(piece.contents)))
        at += len(piece.contents)
    return full_box(b"iloc", struct.pack(">HH", 0x4400, len(pieces)), *lines)  # offsets and lengths of 4 bytes


def _kinds(pieces: Sequence[Piece]) -> list[bytes]:
    return [
        full_box(
            b"infe", struct.pack(">HH", number, 0), piece.kind, b"\0", version=2, flags=_HIDDEN if number > 1 else 0
        )
        for number, piece in enumerate(pieces, 1)
    ]


def _references(pieces: Sequence[Piece]) -> list[bytes]:
    return [
        box(kind, struct.pack(f">HH{len(to)}H", number, len(to), *(target + 1 for target in to)))
        for number, piece in enumerate(pieces, 1)
        for kind, to in piece.references.items()
    ]


def _properties(pieces: Sequence[Piece]) -> bytes:
    """Return each property once, and which pieces have it."""
    numbers: dict[Property, int] = {}
    lines = []
    for number, piece in enumerate(pieces, 1):
        owned = [numbers.setdefault(one, len(numbers) + 1) for one in piece.properties]
        lines.append(struct.pack(f">HB{len(owned)}H", number, len(owned), *owned))
    return box(
        b"iprp",
        box(b"ipco", *(box(kind, contents) for kind, contents in numbers)),
        full_box(b"ipma", struct.pack(">I", len(pieces)), *lines, flags=1),
    )

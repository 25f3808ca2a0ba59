"""The items of a HEIF file that its pixels are decoded from, looked at before any is."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from impasto.containers import av1, hevc
from impasto.containers.boxes import MAX_ENTRIES
from impasto.containers.header import damaged
from impasto.containers.items import Items
from impasto.containers.still import Piece, Property
from impasto.errors import UnreadableImage

MAX_TILES = 900  # of a grid; a picture of 48 megapixels has 192 of 512 px, or 768 of 256 px
MAX_TILED = 2  # times the pixels that are shown, that the tiles of a grid may have ...
MAX_SPARE = 1_000_000  # ... or so many more of them
MAX_PASSES = 20  # how often the pixels of a picture may be passed over, by slices or layers: as of a large JPEG ...
MAX_PASSED = 1_000_000_000  # ... or so many of them, if that is more

HEVC, AV1 = b"hvc1", b"av01"
_GRID = b"grid"
_OPACITY = (b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", b"urn:mpeg:hevc:2015:auxid:1")
_SETTINGS = {HEVC: b"hvcC", AV1: b"av1C"}
_KEPT = {HEVC: (), AV1: (b"pixi", b"a1op", b"lsel")}  # what decoders know beside size and colours ...
_MOST_KEPT = 64  # ... if it has no more bytes

Size = tuple[int, int]
"""Width and height, px."""


@dataclass
class PixelItems:
    """What a picture is decoded from.

    Args:
        items: of its file.
        name: what to call the picture in an error.

    Attributes:
        size: as stored.
        tiles: the items that it is put together from: itself, where it is no grid.
        coding: HEVC or AV1.

    Raises:
        UnreadableImage: it is damaged, is of a kind that is not read, or breaks a rule.
    """

    items: Items
    name: str

    def __post_init__(self) -> None:
        self.size = self._size(self.items.primary)
        self.tiles = self._tiles(self.items.primary)
        self.coding = self.items.kinds.get(self.tiles[0], b"")
        if self.coding not in _CODINGS:
            raise UnreadableImage(
                self.name,
                f"is a HEIF picture of a kind that is not read ({self.coding.decode('latin-1')!a}); "
                "save it as a JPEG or an ordinary HEIC",
            )
        self._pieces: list[Piece] = []
        self._left = [MAX_ENTRIES]  # units of all streams together
        self._bytes = self._passed = 0

    def pieces(self, matrix: Property | None) -> list[Piece]:
        """Return the picture, its tiles and its opacity, of each only what pixels are decoded from.

        Args:
            matrix: which tells how colours are made of brightness and two differences.
        """
        self._take(self.items.primary, [matrix] if matrix else [])
        opacity = self._opacity()
        if opacity is not None:
            kind = b"auxC", bytes(4) + _OPACITY[self.coding == HEVC] + b"\0"
            self._take(opacity, [kind], {b"auxl": [0]})
            if self.items.targets(b"prem", self.items.primary) == [opacity]:
                self._premultiplied(len(self.tiles))
        return self._pieces

    def _opacity(self) -> int | None:
        """Return the item that is the picture's opacity; one of another size is none."""
        for item in self.items.sources(b"auxl", self.items.primary):
            kind = self.items.first(item, b"auxC") or b""
            if kind[4:].split(b"\0")[0] in _OPACITY and self._size(item) == self.size:
                return item
        return None

    def _take(
        self, item: int, extra: Sequence[Property], references: Mapping[bytes, Sequence[int]] | None = None
    ) -> None:
        """Add a picture to the pieces, and its tiles behind it."""
        tiles = self._tiles(item)
        references = references or {}
        if tiles == [item]:
            self._take_coded(item, self.size, extra, references)
            return
        tile = self._size(tiles[0])
        behind = range(len(self._pieces) + 1, len(self._pieces) + 1 + len(tiles))
        contents = self._grid(item, len(tiles), tile)
        properties = [*self._kept(item), *extra]
        self._pieces.append(Piece(_GRID, contents, properties, {**references, b"dimg": list(behind)}))
        for one in tiles:
            self._take_coded(one, tile, extra, {})

    def _take_coded(
        self, item: int, size: Size, extra: Sequence[Property], references: Mapping[bytes, Sequence[int]]
    ) -> None:
        if self.items.kinds.get(item) != self.coding or self._size(item) != size:
            raise damaged(self.name, "its parts do not fit together")
        settings = self.items.first(item, _SETTINGS[self.coding])
        if settings is None:
            raise damaged(self.name, "it does not say how its pixels are coded")
        self._bytes += self.items.length(item)
        if self._bytes > len(self.items.data):
            raise damaged(self.name, "its parts overlap")
        stream, passes = _CODINGS[self.coding](self.items.contents(item), settings, size, self.name, self._left)
        self._passed += passes * size[0] * size[1]
        if self._passed > max(MAX_PASSED, MAX_PASSES * self.size[0] * self.size[1]):
            raise UnreadableImage(self.name, "is a HEIF picture of too many slices for its size; save it anew")
        properties = [*self._kept(item), (_SETTINGS[self.coding], settings), *extra]
        self._pieces.append(Piece(self.coding, stream, properties, references))

    def _kept(self, item: int) -> list[Property]:
        width, height = self._size(item)
        others = [one for one in self.items.of(item) if one[0] in _KEPT[self.coding] and len(one[1]) <= _MOST_KEPT]
        return [(b"ispe", struct.pack(">4xII", width, height)), *others]

    def _grid(self, item: int, tiles: int, tile: Size) -> bytes:
        """Return how tiles are put together, of which each is of a size."""
        told = self.items.contents(item, _MOST_KEPT)
        sides = struct.Struct(">II" if told[1:2] > b"\0" and told[1] & 1 else ">HH")
        if len(told) < 4 + sides.size:
            raise damaged(self.name, "its tiles do not fit together")
        rows, columns = told[2] + 1, told[3] + 1
        if rows * columns != tiles or sides.unpack_from(told, 4) != self.size:
            raise damaged(self.name, "its tiles do not fit together")
        for shown, side, count in zip(self.size, tile, (columns, rows), strict=True):
            if not (count - 1) * side < shown <= count * side:
                raise damaged(self.name, "its tiles do not fit together")
        shown = self.size[0] * self.size[1]
        if tiles * tile[0] * tile[1] > max(MAX_TILED * shown, shown + MAX_SPARE):
            raise damaged(self.name, "its tiles do not fit together")
        return told[: 4 + sides.size]

    def _premultiplied(self, behind: int) -> None:
        """Say of the first piece that its colours have been multiplied by its opacity, which comes behind its tiles."""
        first = self._pieces[0]
        at = behind if first.kind != _GRID else behind + 1
        self._pieces[0] = Piece(first.kind, first.contents, first.properties, {**first.references, b"prem": [at]})

    def _tiles(self, item: int) -> list[int]:
        if self.items.kinds.get(item) != _GRID:
            return [item]
        tiles = self.items.targets(b"dimg", item)
        if not 1 <= len(tiles) <= MAX_TILES:
            raise UnreadableImage(
                self.name, f"is a HEIF picture of {len(tiles)} tiles; 1 to {MAX_TILES} are read; save it anew"
            )
        return tiles

    def _size(self, item: int) -> Size:
        told = self.items.first(item, b"ispe") or b""
        if len(told) < 12:
            raise damaged(self.name, "it does not say what size it has")
        width, height = struct.unpack(">4xII", told[:12])
        return width, height


def _hevc(stream: bytes, settings: bytes, size: Size, field: str, left: list[int]) -> tuple[bytes, int]:
    return hevc.pixels_alone(stream, hevc.check_configuration(settings, *size, field), field, left)


def _av1(stream: bytes, settings: bytes, size: Size, field: str, left: list[int]) -> tuple[bytes, int]:
    if len(settings) < 4 or len(settings) > _MOST_SETTINGS:
        raise damaged(field, "its decoder's settings are of a wrong length")
    return av1.pixels_alone(stream, *size, field, left)


_MOST_SETTINGS = 512  # bytes of an av1C box, which may repeat the header of the stream
_CODINGS: Mapping[bytes, Callable[[bytes, bytes, Size, str, list[int]], tuple[bytes, int]]] = {HEVC: _hevc, AV1: _av1}

"""HEIC and AVIF files that were made to do harm."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

from PIL import Image

from benchmarks.heifs import ALPHA, GAIN_MAP, Item, auxiliary, coded, exif, grid, heif, profile, size
from benchmarks.hostile_parts import overlapping_exif
from benchmarks.hostile_parts import profile as large_profile
from impasto.containers.boxes import box, full_box
from impasto.containers.pixels import MAX_TILES
from impasto.images import Size

_HEICS = Path(__file__).parents[1] / "tests/core/fixtures"
_SIDE = 64  # px, of the small ones
_TILE = 512  # px, of phones' pictures
_LENGTH = 4  # bytes, before each unit of an HEVC stream
_PADDING = b"\x7a\0"  # an OBU of no contents
_ARRAYS = 22  # where an hvcC box says how many arrays of units it has
_PARAMETERS = 32  # the type of a unit that describes a video

Make = Callable[[], bytes]


def hostile_heifs(whole: Size, flood: int) -> dict[str, Make]:
    """Return what makes each file, by what it is.

    Args:
        whole: px, of those that are decoded in full.
        flood: bytes of those that are many of one thing.
    """
    return {**_avifs(whole, flood), **_floods(flood), **_heics(flood)}


def heic(name: str) -> Item:
    """Return the picture of a small HEIC file."""
    return coded((_HEICS / f"{name}.heic").read_bytes())


def heic_of_tiles(whole: Size) -> bytes:
    """Return a HEIC of this size, of tiles of 512 px that are all the same, as phones write them."""
    columns, rows = (-(-side // _TILE) for side in whole)
    numbers = range(2, 2 + rows * columns)
    return heif(grid(rows, columns, *whole, *numbers), *[heic("waves")] * len(numbers))


def _avifs(whole: Size, flood: int) -> dict[str, Make]:
    small = partial(_avif, (_SIDE, _SIDE))
    return {
        "AVIF, flat, alpha, profile": lambda: _saved(
            Image.new("RGBA", whole, (9, 99, 199, 99)), speed=10, icc_profile=large_profile(b"RGB ", grid=33)
        ),
        "AVIF, a bomb": lambda: heif(_claiming(small(), (65_500, 65_500)), brand=b"avif"),
        "AVIF, as large as can be told": lambda: heif(_claiming(small(), (2**32 - 1, 2**32 - 1)), brand=b"avif"),
        "AVIF, larger than it says": lambda: heif(_claiming(_avif((1024, 1024)), (16, 16)), brand=b"avif"),
        "AVIF, 10,000 pictures in one": lambda: heif(_repeated(small(), 10_000), brand=b"avif"),
        "AVIF, a gain map that is a bomb": lambda: heif(
            small(),
            _claiming(small(), (65_500, 65_500)).having(auxiliary(GAIN_MAP)).to(b"auxl", 1),
            brand=b"avif",
        ),
        "AVIF, an opacity that is a bomb": lambda: heif(
            small(),
            _claiming(_avif((1024, 1024)), (_SIDE, _SIDE)).having(auxiliary(ALPHA)).to(b"auxl", 1),
            brand=b"avif",
        ),
        "AVIF, EXIF of entries that overlap": lambda: heif(
            small(), exif(overlapping_exif(65_535, flood)), brand=b"avif"
        ),
        "AVIF, profile of 31 MB": lambda: heif(small().having(profile(bytes(flood + 1))), brand=b"avif"),
        "AVIF, a grid of itself": lambda: heif(grid(1, 1, _SIDE, _SIDE, 1), brand=b"avif"),
        "AVIF, grids of each other": lambda: heif(
            grid(1, 1, _SIDE, _SIDE, 2), grid(1, 1, _SIDE, _SIDE, 1), brand=b"avif"
        ),
        "AVIF, more tiles than are read": lambda: heif(
            grid(31, 31, 31 * _SIDE, 31 * _SIDE, *[2] * 961), small(), brand=b"avif"
        ),
        "AVIF, tiles all of the same bytes": lambda: _overlapping(flood),
        "AVIF, one pixel of large tiles": lambda: heif(grid(1, 1, 16, 16, 2), _avif((1024, 1024)), brand=b"avif"),
        "AVIF, cut short": lambda: heif(small(), brand=b"avif")[:-9],
    }


def _floods(flood: int) -> dict[str, Make]:
    small = partial(_avif, (_SIDE, _SIDE))
    entry = full_box(b"infe", b"\0\7\0\0free\0", version=2)
    link = box(b"cdsc", b"\0\7\0\1\0\1")
    return {
        "AVIF, million boxes": lambda: _before(box(b"free"), flood),
        "AVIF, million items": lambda: heif(
            small(), brand=b"avif", more=full_box(b"iinf", b"\0\0", entry * (flood // len(entry)))
        ),
        "AVIF, million references": lambda: heif(
            small(), brand=b"avif", more=full_box(b"iref", link * (flood // len(link)))
        ),
        "AVIF, million properties": lambda: heif(
            small(), brand=b"avif", more=box(b"iprp", box(b"ipco", box(b"free") * (flood // 8)))
        ),
        "AVIF, tables that claim 4,000 million lines": lambda: heif(
            small(), brand=b"avif", more=full_box(b"iloc", b"\0\0\xff\xff\xff\xff", bytes(flood), version=2)
        ),
        "AVIF, million OBUs": lambda: heif(_padded(small(), flood), brand=b"avif"),
        "AVIF and a video behind it": lambda: heif(small(), brand=b"avif", behind=box(b"mpvd", bytes(flood))),
    }


def _heics(flood: int) -> dict[str, Make]:
    return {
        "HEIC, a bomb": lambda: heif(_claiming(heic("tile"), (65_500, 65_500))),
        "HEIC, larger than it says": lambda: heif(_claiming(heic("slices"), (16, 16))),
        "HEIC, 10,000 pictures in one": lambda: heif(_repeated(heic("tile"), 10_000)),
        "HEIC, its second half 500 times": lambda: heif(_sliced(500)),
        "HEIC, its second half 10,000 times": lambda: heif(_sliced(10_000)),
        "HEIC, million units": lambda: heif(_padded(heic("tile"), flood)),
        "HEIC, settings of 31 MB": lambda: heif(
            Item(b"hvc1", b"", [size(64, 48), (b"hvcC", bytes(flood))]),
        ),
        "HEIC, settings of 19,000 units": lambda: heif(_explained(heic("tile"), 19_000)),
        "HEIC, as many tiles as are read": lambda: heif(
            grid(30, 30, 30 * 64, 30 * 128, *range(2, 2 + MAX_TILES)), *[heic("slices")] * MAX_TILES
        ),
    }


@cache
def _avif(whole: Size) -> Item:
    return coded(_saved(Image.new("RGB", whole, (90, 120, 150)), speed=10))


def _claiming(item: Item, whole: Size) -> Item:
    """Return a picture that says another size."""
    others = [one for one in item.properties if one[0] != b"ispe"]
    return Item(item.kind, item.contents, [size(*whole), *others])


def _repeated(item: Item, times: int) -> Item:
    """Return a stream in which the picture comes again and again."""
    return Item(item.kind, item.contents * times, item.properties)


def _sliced(times: int) -> Item:
    """Return a picture of two slices, the second of which comes so many times."""
    whole = heic("slices")
    end = _LENGTH + int.from_bytes(whole.contents[:_LENGTH], "big")
    return Item(whole.kind, whole.contents[:end] + whole.contents[end:] * times, whole.properties)


def _explained(item: Item, units: int) -> Item:
    """Return a picture whose decoder's settings hold so many units more, which say nothing."""
    told = next(contents for kind, contents in item.properties if kind == b"hvcC")
    more = bytes((_PARAMETERS,)) + units.to_bytes(2, "big") + bytes(2 * units)
    settings = told[:_ARRAYS] + bytes((told[_ARRAYS] + 1,)) + told[_ARRAYS + 1 :] + more
    others = [one for one in item.properties if one[0] != b"hvcC"]
    return Item(item.kind, item.contents, [*others, (b"hvcC", settings)])


def _padded(item: Item, flood: int) -> Item:
    """Return a stream with as many units that say nothing as there is room for."""
    unit = _PADDING if item.kind == b"av01" else bytes(_LENGTH)
    return Item(item.kind, unit * (flood // len(unit)) + item.contents, item.properties)


def _overlapping(flood: int) -> bytes:
    """Return a grid of tiles, all of which say that they are the same bytes, and many."""
    tile = _avif((_SIDE, _SIDE))
    long = Item(tile.kind, tile.contents + bytes(flood), tile.properties)
    file = heif(grid(30, 30, 30 * _SIDE, 30 * _SIDE, *range(2, 902)), long, *[tile] * 899, brand=b"avif")
    at = file.index(tile.contents)
    same = Item(tile.kind, b"", tile.properties, place=(at, len(tile.contents) + flood))
    return heif(grid(30, 30, 30 * _SIDE, 30 * _SIDE, *range(2, 902)), long, *[same] * 899, brand=b"avif")


def _before(part: bytes, flood: int) -> bytes:
    """Return an AVIF with so many bytes of boxes before what tells of its items."""
    file = heif(_avif((_SIDE, _SIDE)), brand=b"avif")
    at = int.from_bytes(file[:4], "big")
    return file[:at] + part * (flood // len(part)) + file[at:]


def _saved(image: Image.Image, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, "AVIF", **options)
    return file.getvalue()

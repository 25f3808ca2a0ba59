"""HEIF: HEIC, whose pixels are coded by HEVC, and AVIF, by AV1. After ISO/IEC 23008-12, ISO/IEC 23000-22 and AVIF 1.1.

Such a file is a box of items. One is the picture, whole or a grid of tiles; others are its opacity, EXIF, thumbnails, a
map of what is near or of how much brighter it may be shown, a video. The picture and its opacity are kept.
"""

from __future__ import annotations

import re
import struct

from impasto.cicp import profile_of
from impasto.containers.header import Header, check_profile
from impasto.containers.items import Items
from impasto.containers.items import read as read_items
from impasto.containers.pixels import AV1, PixelItems
from impasto.containers.still import Property, written
from impasto.containers.transforms import crop, orientation
from impasto.exif import MAX_BYTES

SIGNATURE = re.compile(rb"....ftyp(?:avi[fs]|hei[cxms]|hev[cxms]|mif[12]|msf1|miaf|MiHB)", re.DOTALL)

_PROFILES, _CODE_POINTS = (b"prof", b"rICC"), b"nclx"
_BRANDS = {"AVIF": b"avif", "HEIC": b"heic"}


def read(data: bytes, field: str) -> Header:
    """Return what a HEIF file says before its pixels.

    Raises:
        UnreadableImage: it is damaged, is of a kind that is not read, or breaks a rule.
    """
    items = read_items(data, field)
    picture = PixelItems(items, field)
    properties = list(items.of(items.primary))
    profile, matrix = _colours(items, picture.tiles[0], field)
    coding = "AVIF" if picture.coding == AV1 else "HEIC"
    return Header(
        *picture.size,
        written(_BRANDS[coding], picture.pieces(matrix)),
        _exif(items),
        profile,
        coding=coding,
        orientation=orientation(properties),
        crop=crop(properties, *picture.size),
    )


def _colours(items: Items, tile: int, field: str) -> tuple[bytes | None, Property | None]:
    """Return a picture's colour profile, and the property that tells how its colours are coded.

    A tile's counts where the whole has none. Of a profile and code points, viewers go by the profile.
    """
    told = [contents for item in (items.primary, tile) for kind, contents in items.of(item) if kind == b"colr"]
    profile = next((contents[4:] for contents in told if contents[:4] in _PROFILES), None)
    points = next((contents[:11] for contents in told if contents[:4] == _CODE_POINTS and len(contents) >= 11), None)
    check_profile(len(profile or b""), field)
    if points is None:
        return profile, None
    primaries, transfer = struct.unpack(">HH", points[4:8])
    return profile or profile_of(primaries, transfer), (b"colr", points)


def _exif(items: Items) -> bytes:
    """Return the EXIF block that describes the picture, or an empty one."""
    for item in items.sources(b"cdsc", items.primary):
        if items.kinds.get(item) == b"Exif" and item in items.places:
            told = items.contents(item, 4 + MAX_BYTES)
            return told[4 + _offset(told) :]
    return b""


def _offset(told: bytes) -> int:
    """Return where the TIFF header begins behind the four bytes that say so; some programs write there what is not."""
    offset = int.from_bytes(told[:4], "big")
    return offset if told[4 + offset : 8 + offset] in (b"II*\0", b"MM\0*") else 0

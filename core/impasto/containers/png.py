"""PNG: chunks, of which those of the type IDAT hold the pixels. After the PNG specification, third edition."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from impasto.containers.header import MAX_PROFILE, Header, check_profile, damaged, most_pieces, too_many_pieces
from impasto.exif import MAX_BYTES

SIGNATURE = b"\x89PNG\r\n\x1a\n"

_HEADER, _PALETTE, _SHADE, _PIXELS, _END = b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"
_PROFILE, _EXIF = b"iCCP", b"eXIf"
_ONCE = {_HEADER: 13, _PALETTE: 3 * 256, _SHADE: 256, _PROFILE: 2**31, _EXIF: 2**31}  # bytes that each may have
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}  # bits, by colour type: table 11.1
_MOST_NAMED = 79  # bytes of a profile's name
_MOST_AT_ONCE = 2**31 - 1  # bytes of a chunk

_Place = tuple[int, int]
"""Where the contents of a chunk begin and end."""


def read(data: bytes, field: str) -> Header:
    """Return what a PNG says before its pixels, or after them.

    Raises:
        UnreadableImage: it is damaged or breaks a rule.
    """
    once, pixels = _found(data, field)
    if _HEADER not in once or not pixels:
        raise damaged(field, "it ends before its pixels")
    contents = {kind: data[begin:end] for kind, (begin, end) in once.items()}
    width, height = _size(contents[_HEADER], field)
    exif = contents.get(_EXIF, b"")[:MAX_BYTES]
    kept = [(kind, contents[kind]) for kind in (_HEADER, _PALETTE, _SHADE) if kind in contents]
    return Header(width, height, _file(data, kept, pixels), exif, _profile(contents.get(_PROFILE, b""), field))


def _found(data: bytes, field: str) -> tuple[dict[bytes, _Place], list[_Place]]:
    """Return where those chunks are that matter, and the first that come in a row with pixels."""
    once: dict[bytes, _Place] = {}
    pixels: list[_Place] = []
    before = b""
    for kind, begin, end in _chunks(data, field):
        if kind == _PIXELS and (not pixels or before == _PIXELS):
            pixels.append((begin, end))
        elif kind in _ONCE and kind not in once:
            if end - begin > _ONCE[kind]:
                raise damaged(field, f"its {kind.decode()} has a wrong length")
            once[kind] = begin, end
        before = kind
    return once, pixels


def _chunks(data: bytes, field: str) -> Iterator[tuple[bytes, int, int]]:
    """Yield the type of each chunk, and where its contents begin and end. The last may be cut short, if of pixels."""
    allowed = most_pieces(data)
    at = len(SIGNATURE)
    for _ in range(allowed):
        head = data[at : at + 8]
        length, kind = int.from_bytes(head[:4], "big"), head[4:]
        begin, end = at + 8, at + 8 + length
        if len(head) < 8 or kind == _END or (end > len(data) and kind != _PIXELS):
            return
        yield kind, begin, min(end, len(data))
        at = end + 4
    raise too_many_pieces(field, "PNG", allowed)


def _size(header: bytes, field: str) -> tuple[int, int]:
    if len(header) < _ONCE[_HEADER]:
        raise damaged(field, "its IHDR has a wrong length")
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    if depth not in _DEPTHS.get(colour, ()) or interlaced > 1:
        raise damaged(field, f"no PNG has colour type {colour} with {depth} bits and interlacing {interlaced}")
    return width, height


def _file(data: bytes, kept: list[tuple[bytes, bytes]], pixels: list[_Place]) -> bytes:
    """Return a PNG of these chunks, and of all pixels in as few as can be."""
    whole = memoryview(data)
    parts: list[bytes | memoryview] = [SIGNATURE]
    for kind, contents in kept:
        parts += _chunk(kind, contents)
    stream: bytes | memoryview = b"".join(whole[begin:end] for begin, end in pixels)
    stream = memoryview(stream)
    for begin in range(0, max(1, len(stream)), _MOST_AT_ONCE):
        parts += _chunk(_PIXELS, stream[begin : begin + _MOST_AT_ONCE])
    return b"".join((*parts, *_chunk(_END, b"")))


def _chunk(kind: bytes, contents: bytes | memoryview) -> tuple[bytes | memoryview, ...]:
    """Return the parts of a chunk; that of pixels is not summed up, as nobody looks at the sum."""
    total = 0 if kind == _PIXELS else zlib.crc32(contents, zlib.crc32(kind))
    return struct.pack(">I", len(contents)), kind, contents, struct.pack(">I", total)


def _profile(contents: bytes, field: str) -> bytes | None:
    """Return the profile of an iCCP chunk, or None where there is none that can be read."""
    name = contents.find(b"\0", 0, _MOST_NAMED + 1)
    if name < 0 or contents[name + 1 : name + 2] != b"\0":
        return None
    try:
        profile = zlib.decompressobj().decompress(contents[name + 2 :], MAX_PROFILE + 1)
    except zlib.error:
        return None
    check_profile(len(profile), field)
    return profile

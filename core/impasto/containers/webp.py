"""WebP: chunks of a RIFF file. After RFC 9649."""

from __future__ import annotations

from collections.abc import Iterator

from impasto.containers.header import Header, check_profile, damaged, most_pieces, too_many_pieces
from impasto.exif import MAX_BYTES

_RIFF = 12  # bytes before the first chunk
_LOSSY, _LOSSLESS, _EXTENDED = b"VP8 ", b"VP8L", b"VP8X"
_ANIMATION, _FRAME, _ALPHA = b"ANIM", b"ANMF", b"ALPH"
_PROFILE, _EXIF = b"ICCP", b"EXIF"
_KEPT = (_EXTENDED, _ANIMATION, _FRAME, _ALPHA, _LOSSY, _LOSSLESS)
_LOSSY_START, _LOSSLESS_START = b"\x9d\x01\x2a", b"\x2f"
_SIDE = 0x3FFF  # the bits of a side's length

_Place = tuple[int, int]
"""Where a chunk begins and ends, its head of 8 bytes included."""


def read(data: bytes, field: str) -> Header:
    """Return what a WebP says before its pixels, or after them. Of an animation, one of its first frame is left.

    Raises:
        UnreadableImage: it is damaged or breaks a rule.
    """
    first = data[_RIFF : _RIFF + 4]
    if int.from_bytes(data[4:8], "little") + 8 > len(data) or first not in (_LOSSY, _LOSSLESS, _EXTENDED):
        raise damaged(field, "it ends before its pixels")
    places: dict[bytes, _Place] = {}
    for kind, begin, end in _chunks(data, field):
        places.setdefault(kind, (begin, end))
        if first != _EXTENDED:
            break  # with what comes behind the pixels, nothing is meant
    size = _size(data, first, field)
    kept = sorted(places[kind] for kind in _KEPT if kind in places)
    profile = _contents(data, places.get(_PROFILE))
    check_profile(len(profile), field)
    return Header(*size, _file(data, kept), _contents(data, places.get(_EXIF))[:MAX_BYTES], profile or None)


def _chunks(data: bytes, field: str) -> Iterator[tuple[bytes, int, int]]:
    """Yield the type of each chunk, and where it begins and ends."""
    allowed = most_pieces(data)
    stop = int.from_bytes(data[4:8], "little") + 8
    at = _RIFF
    for _ in range(allowed):
        head = data[at : min(at + 8, stop)]
        if len(head) < 8:
            return
        length = int.from_bytes(head[4:], "little")
        end = at + 8 + length
        if end > stop:
            raise damaged(field, "it ends in the middle of a chunk")
        yield head[:4], at, end
        at = end + length % 2
    raise too_many_pieces(field, "WebP", allowed)


def _size(data: bytes, first: bytes, field: str) -> tuple[int, int]:
    """Return the width and height that the first chunk tells."""
    head = data[_RIFF + 8 : _RIFF + 18]
    if first == _EXTENDED and len(head) == 10:
        return 1 + int.from_bytes(head[4:7], "little"), 1 + int.from_bytes(head[7:10], "little")
    if first == _LOSSY and head[3:6] == _LOSSY_START and len(head) == 10:
        return int.from_bytes(head[6:8], "little") & _SIDE, int.from_bytes(head[8:10], "little") & _SIDE
    if first == _LOSSLESS and head[:1] == _LOSSLESS_START and len(head) >= 5:
        sides = int.from_bytes(head[1:5], "little")
        return 1 + (sides & _SIDE), 1 + (sides >> 14 & _SIDE)
    raise damaged(field, "it does not say what size it has")


def _contents(data: bytes, place: _Place | None) -> bytes:
    return b"" if place is None else data[place[0] + 8 : place[1]]


def _file(data: bytes, places: list[_Place]) -> bytes:
    """Return a WebP of these chunks."""
    parts = [data[begin:end] + bytes((end - begin) % 2) for begin, end in places]
    length = 4 + sum(len(part) for part in parts)
    return b"".join((b"RIFF", length.to_bytes(4, "little"), b"WEBP", *parts))

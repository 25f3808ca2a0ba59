"""Pictures of an HEVC stream, as HEIC holds them. After ITU-T H.265 and ISO/IEC 14496-15, section 8.3."""

from __future__ import annotations

from impasto.containers.bits import Bits
from impasto.containers.boxes import Fields, count_piece
from impasto.containers.header import damaged
from impasto.errors import UnreadableImage

MAX_CONFIGURATION = 65_536  # bytes
MAX_UNITS = 64  # of a decoder's settings; encoders write about three
MAX_SLICES = 600  # of a picture: as many as any level allows (table A.8)
MAX_PADDING = 64  # px that a side may be coded longer than it is shown: as many as a block has

_SEQUENCE = 33  # the type of a unit that says what size pictures have
_OF_PIXELS = range(32)
_FULL_COLOURS = 3  # not at half the size, as is usual
_START = 512  # bytes of such a unit, of which the size is in the first
_PROFILE, _LEVEL = 88, 8  # bits


def check_configuration(contents: bytes, width: int, height: int, field: str) -> int:
    """Return of how many bytes the length is that stands before each unit of the stream.

    Args:
        contents: of an `hvcC` box.
        width, height: px that the container says.
        field: what to call the picture in an error.

    Raises:
        UnreadableImage: the stream says another size, or none.
    """
    if len(contents) > MAX_CONFIGURATION:
        raise damaged(field, "its decoder's settings are too long")
    fields = Fields(contents, field)
    head = fields.take(22)
    length = (head[21] & 3) + 1
    layout = head[16] & 3, head[17] & 7, head[18] & 7  # of colours, and bits of brightness and colours beyond 8
    sequences = units = 0
    for _ in fields.times(fields.number(1)):
        kind = fields.number(1) & 0x3F
        for _ in fields.times(fields.number(2)):
            units += 1
            if units > MAX_UNITS:
                raise damaged(field, "its decoder's settings are too long")
            unit = fields.take(fields.number(2))
            if kind == _SEQUENCE or _kind(unit) == _SEQUENCE:
                sequences += 1
                _check_sequence(unit, (width, height), layout, field)
    if not sequences:
        raise damaged(field, "it does not say what size its pixels have")
    return length


def pixels_alone(stream: bytes, length: int, field: str, left: list[int]) -> tuple[bytes, int]:
    """Return a stream without what is no part of its one picture, and the number of slices that this comes in.

    Args:
        stream: units, each behind its length.
        length: how many bytes that length takes.
        field: what to call the picture in an error.
        left: how many units of its file may still be read.

    Raises:
        UnreadableImage: it is damaged, or holds no picture or several.
    """
    kept: list[bytes] = []
    pictures, at = 0, 0
    while at + length < len(stream):
        count_piece(left, field)
        end = at + length + int.from_bytes(stream[at : at + length], "big")
        if end > len(stream):
            raise damaged(field, "it ends before its pixels")
        head = stream[at + length : min(at + length + 3, end)]
        if len(head) == 3 and _kind(head) in _OF_PIXELS and not _layer(head):
            kept.append(stream[at:end])
            pictures += head[2] >> 7  # whether it is the first of its picture
        at = end
    if len(kept) > MAX_SLICES:
        raise UnreadableImage(field, f"is a HEIC of more than {MAX_SLICES} slices; save it anew")
    if pictures != 1:
        raise UnreadableImage(field, f"holds {pictures} pictures where one is meant; save it anew")
    return b"".join(kept), len(kept)


def _check_sequence(unit: bytes, size: tuple[int, int], layout: tuple[int, int, int], field: str) -> None:
    """Raise UnreadableImage unless the stream says of its pixels what the container says (section 7.3.2.2.1).

    libheif takes the container's word for how many bytes a pixel has, and the decoder the stream's.
    """
    bits = Bits(unit[2:_START].replace(b"\0\0\3", b"\0\0"))  # the 3 is there so that no unit seems to begin
    bits.number(4)
    _skip_profile(bits, layers=bits.number(3))
    bits.golomb()
    colours = bits.golomb()
    if colours == _FULL_COLOURS:
        bits.number(1)
    coded = bits.golomb(), bits.golomb()
    if not all(0 < side <= shown + MAX_PADDING for side, shown in zip(coded, size, strict=True)):
        raise damaged(field, "it says two sizes")
    if bits.number(1):  # what is shown of it
        for _ in range(4):
            bits.golomb()
    if (colours, bits.golomb(), bits.golomb()) != layout:
        raise damaged(field, "it says twice how its pixels are coded")


def _skip_profile(bits: Bits, layers: int) -> None:
    """Read over what profile and level a stream has, in all and up to each layer in time (section 7.3.3)."""
    bits.number(1 + _PROFILE + _LEVEL)
    told = [(bits.number(1), bits.number(1)) for _ in range(layers)]
    if layers:
        bits.number(2 * (8 - layers))
    for profile, level in told:
        bits.number(profile * _PROFILE + level * _LEVEL)


def _kind(unit: bytes) -> int:
    return unit[0] >> 1 & 0x3F if unit else 0


def _layer(unit: bytes) -> int:
    """Return which picture of several that belong together a unit is of, such as that for the other eye."""
    return (unit[0] & 1) << 5 | unit[1] >> 3

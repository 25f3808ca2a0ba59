"""Pictures of an AV1 stream, as AVIF holds them. After the AV1 Bitstream & Decoding Process Specification."""

from __future__ import annotations

from dataclasses import dataclass

from impasto.containers.bits import Bits
from impasto.containers.boxes import count_piece
from impasto.containers.header import damaged
from impasto.errors import UnreadableImage

MAX_FRAMES = 4  # of one picture, which may come in so many layers, each finer than the one before

_SEQUENCE, _FRAME_HEADER, _TILES, _FRAME = 1, 3, 4, 6  # types of OBU: what pixels are decoded from
_KEY_FRAME, _SWITCH_FRAME = 0, 3
_START = 512  # bytes of a header that are looked at
_FRAME_DECIDES = 2  # what stands where each frame says by itself whether it uses something


@dataclass(frozen=True)
class _Sequence:
    """What the header of a sequence says, as far as the headers of its frames are read by it.

    Attributes:
        reduced: whether it is of a still picture that says no more than it must.
        sides: bits that a frame's width and height take.
        timed: bits that the time of a frame takes; 0 for none.
        screens: whether frames use tools for screens: 0, 1, or _FRAME_DECIDES.
        whole_steps: the same, of motion by whole pixels.
        named: bits that the number of a frame takes; 0 for none.
    """

    reduced: bool
    sides: tuple[int, int]
    timed: int
    screens: int
    whole_steps: int
    named: int


def pixels_alone(stream: bytes, width: int, height: int, field: str, left: list[int]) -> tuple[bytes, int]:
    """Return a stream without what is no part of its one picture, and the number of frames that this comes in.

    Args:
        stream: OBUs.
        width, height: px that the container says.
        field: what to call the picture in an error.
        left: how many OBUs of its file may still be read.

    Raises:
        UnreadableImage: it is damaged, says another size or none, or holds more than one picture.
    """
    kept: list[bytes] = []
    sequence: _Sequence | None = None
    frames, at = 0, 0
    while at < len(stream):
        count_piece(left, field)
        kind, begin, end = _unit(stream, at, field)
        header = stream[begin : min(end, begin + _START)]
        if kind == _SEQUENCE:
            sequence = _read_sequence(Bits(header), width, height, field)
        elif kind in (_FRAME, _FRAME_HEADER):
            frames += 1
            if frames > MAX_FRAMES:
                raise UnreadableImage(field, f"holds more than {MAX_FRAMES} pictures where one is meant; save it anew")
            _check_frame(Bits(header), sequence, width, height, field)
        if kind in (_SEQUENCE, _FRAME_HEADER, _TILES, _FRAME):
            kept.append(stream[at:end])
        at = end
    if not frames:
        raise damaged(field, "it ends before its pixels")
    return b"".join(kept), frames


def _unit(stream: bytes, at: int, field: str) -> tuple[int, int, int]:
    """Return the type of the OBU that begins here, where its contents begin, and where they end (section 5.3)."""
    head = stream[at]
    kind, begin = head >> 3 & 15, at + (2 if head & 4 else 1)
    if not head & 2:  # no length: it is the last
        return kind, begin, len(stream)
    length = 0
    for index, byte in enumerate(stream[begin : begin + 8]):
        length |= (byte & 0x7F) << 7 * index
        if not byte & 0x80:
            begin += index + 1
            if begin + length <= len(stream):
                return kind, begin, begin + length
            break
    raise damaged(field, "it ends before its pixels")


def _read_sequence(bits: Bits, width: int, height: int, field: str) -> _Sequence:
    """Return what a sequence's header says (section 5.5).

    Raises:
        UnreadableImage: it says a larger size than the container.
    """
    bits.number(4)  # profile, and whether it is a still picture
    reduced = bool(bits.number(1))
    timed = 0
    if reduced:
        bits.number(5)
    else:
        timed = _skip_operation(bits)
    sides = bits.number(4) + 1, bits.number(4) + 1
    if bits.number(sides[0]) + 1 > width or bits.number(sides[1]) + 1 > height:
        raise damaged(field, "it says two sizes")
    if reduced:
        return _Sequence(reduced, sides, timed, _FRAME_DECIDES, _FRAME_DECIDES, 0)
    named = bits.number(4) + 2 + bits.number(3) + 1 if bits.number(1) else 0
    bits.number(3 + 4)
    if bits.number(1):  # order of frames
        bits.number(2)
    screens = _FRAME_DECIDES if bits.number(1) else bits.number(1)
    whole_steps = _FRAME_DECIDES
    if screens and not bits.number(1):
        whole_steps = bits.number(1)
    return _Sequence(reduced, sides, timed, screens, whole_steps, named)


def _skip_operation(bits: Bits) -> int:
    """Read over when frames are to be shown, and which of them by which decoder (section 5.5.1).

    Returns:
        bits that the time of each frame takes; 0 for none.
    """
    of_delay = timed = 0
    if bits.number(1):  # about times
        bits.number(64)
        even = bits.number(1)
        if even:
            bits.golomb()
        if bits.number(1):  # about the decoder
            of_delay = bits.number(5) + 1
            bits.number(32 + 5)
            of_time = bits.number(5) + 1
            timed = 0 if even else of_time
    of_display = bits.number(1)
    for _ in range(bits.number(5) + 1):
        bits.number(12)
        if bits.number(5) > 7:  # level
            bits.number(1)
        if of_delay and bits.number(1):
            bits.number(2 * of_delay + 1)
        if of_display and bits.number(1):
            bits.number(4)
    return timed


def _check_frame(bits: Bits, sequence: _Sequence | None, width: int, height: int, field: str) -> None:
    """Raise UnreadableImage where a frame may be of a larger size than the container says (section 5.9.2).

    A frame may say a size of its own, which decoders take for granted. Then it must not have the bits for more than
    the next power of two.
    """
    if sequence is None:
        raise damaged(field, "its pixels come before their size")
    if sequence.reduced or bits.number(1):  # no size of its own, or a frame that is shown again
        return
    if not _says_size(bits, sequence):
        return
    if any(1 << side >= 2 * shown for side, shown in zip(sequence.sides, (width, height), strict=True)):
        raise damaged(field, "it says two sizes")


def _says_size(bits: Bits, sequence: _Sequence) -> bool:
    kind, shown = bits.number(2), bits.number(1)
    if shown:
        bits.number(sequence.timed)
    else:
        bits.number(1)
    if kind == _SWITCH_FRAME:
        return True
    if not (kind == _KEY_FRAME and shown):
        bits.number(1)
    bits.number(1)
    screens = bits.number(1) if sequence.screens == _FRAME_DECIDES else sequence.screens
    if screens and sequence.whole_steps == _FRAME_DECIDES:
        bits.number(1)
    bits.number(sequence.named)
    return bool(bits.number(1))

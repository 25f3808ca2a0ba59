"""JPEG: segments up to the first scan, then scans. Marker names after ITU-T T.81, table B.1."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from impasto.containers.header import Header, check_profile, damaged, too_many_pieces
from impasto.errors import UnreadableImage
from impasto.exif import MAX_BYTES

MAX_SEGMENTS = 2000  # before the first scan; a profile and XMP of 32 MiB take a few hundred
MAX_PADDING = 1024  # bytes that mean nothing, before a segment
MAX_SCANS = 100  # of a progressive JPEG; encoders write about ten, and each one passes over the whole picture again
MAX_LARGE_SCANS = 20  # the same, of a large one ...
MAX_SCANNED = 1_000_000_000  # ... which is one of more than so many pixels, times scans

_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
_DHT, _DQT, _DRI = 0xC4, 0xDB, 0xDD
_APP0, _APP1, _APP2, _APP14 = 0xE0, 0xE1, 0xE2, 0xEE
_FRAMES = range(0xC0, 0xD0)  # kinds of frame, apart from _DHT and _DAC
_DAC = 0xCC
_READ_FRAMES = (0xC0, 0xC1, 0xC2)  # baseline, extended and progressive, all by Huffman codes: what viewers show
_WITHOUT_CONTENTS = (0x01, *range(0xD0, 0xD8))
_CHANNELS = (1, 3, 4)

_MARKER = re.compile(rb"\xff[^\x00\xff]")  # of which the last \xff of several is the first byte
_SCAN = re.compile(rb"\xff\xda\x00[\x06\x08\x0a\x0c\x0e][\x00-\x04]")  # a scan's header, of its components
_EXIF, _PROFILE = b"Exif\0\0", b"ICC_PROFILE\0"
_PROFILE_HEAD = len(_PROFILE) + 2  # and behind the name: which part it is, and of how many


def read(data: bytes, field: str) -> Header:
    """Return what a JPEG says before its pixels.

    Raises:
        UnreadableImage: it is damaged, is of a kind that is not read, or breaks a rule.
    """
    found = _Found(data, field)
    for marker, begin, end in _segments(data, field):
        if marker == _SOS:
            return found.header(begin)
        found.take(marker, begin, end)
    raise damaged(field, "it ends before its pixels")


@dataclass
class _Found:
    """What the segments of a file have said so far."""

    data: bytes
    field: str
    size: tuple[int, int] | None = None
    exif: bytes = b""

    def __post_init__(self) -> None:
        self.kept = [b"\xff\xd8"]
        self.profile: list[bytes] = []

    def take(self, marker: int, begin: int, end: int) -> None:
        """Look at a segment; its contents begin 4 bytes behind its marker."""
        contents = self.data[begin + 4 : end]
        if marker in _FRAMES and marker not in (_DHT, _DAC):
            self._take_frame(marker, contents)
        elif marker == _APP1 and contents.startswith(_EXIF):
            self.exif = self.exif or contents[:MAX_BYTES]
            return
        elif marker == _APP2 and contents.startswith(_PROFILE):
            self.profile.append(contents)
            return
        elif not _decides(marker, contents):
            return
        self.kept.append(self.data[begin:end])

    def header(self, scans: int) -> Header:
        """Return all of it; the scans begin here."""
        if self.size is None:
            raise damaged(self.field, "its pixels come before their size")
        self._check_scans(scans, *self.size)
        file = b"".join((*self.kept, memoryview(self.data)[scans:]))
        return Header(*self.size, file, self.exif, self._joined_profile())

    def _take_frame(self, marker: int, contents: bytes) -> None:
        if self.size is not None:
            raise damaged(self.field, "it says twice what size it has")
        if marker not in _READ_FRAMES:
            raise self._of_a_kind("lossless, hierarchical or arithmetic-coded")
        if len(contents) < 6 or len(contents) != 6 + 3 * contents[5]:
            raise damaged(self.field, "its frame's header has a wrong length")
        if contents[0] != 8:
            raise self._of_a_kind(f"{contents[0]}-bit")
        if contents[5] not in _CHANNELS:
            raise self._of_a_kind(f"{contents[5]}-channel")
        self.size = int.from_bytes(contents[3:5], "big"), int.from_bytes(contents[1:3], "big")

    def _of_a_kind(self, kind: str) -> UnreadableImage:
        return UnreadableImage(self.field, f"is a JPEG of a kind that is not read ({kind}); save it as an ordinary one")

    def _check_scans(self, begin: int, width: int, height: int) -> None:
        allowed = min(MAX_SCANS, max(MAX_LARGE_SCANS, MAX_SCANNED // max(1, width * height)))
        scans = sum(1 for _ in _SCAN.finditer(self.data, begin))
        if scans > allowed:
            of_this_size = f"at most {allowed} are read of {width}x{height} px"
            raise UnreadableImage(self.field, f"is a JPEG of {scans} scans; {of_this_size}; save it anew")

    def _joined_profile(self) -> bytes | None:
        """Return the parts of the profile in their order, or None where some are missing."""
        check_profile(sum(len(part) - _PROFILE_HEAD for part in self.profile), self.field)
        parts = sorted(self.profile, key=lambda part: part[len(_PROFILE) : _PROFILE_HEAD])
        if not parts or int.from_bytes(parts[0][len(_PROFILE) + 1 : _PROFILE_HEAD]) != len(parts):
            return None
        return b"".join(part[_PROFILE_HEAD:] for part in parts)


def _decides(marker: int, contents: bytes) -> bool:
    """Return whether what a segment says changes what the pixels are."""
    return (
        marker in (_DHT, _DQT, _DRI)
        or (marker == _APP0 and contents.startswith(b"JFIF\0"))
        or (marker == _APP14 and contents.startswith(b"Adobe"))
    )


def _segments(data: bytes, field: str) -> Iterator[tuple[int, int, int]]:
    """Yield the marker of each segment up to the first scan, where it begins and where it ends."""
    at = 2
    for _ in range(MAX_SEGMENTS):
        found = _MARKER.search(data, at, at + MAX_PADDING)
        if found is None:
            return
        begin, marker = found.start(), data[found.start() + 1]
        if marker in (_SOI, _EOI):
            return
        if marker in _WITHOUT_CONTENTS:
            at = begin + 2
            continue
        length = int.from_bytes(data[begin + 2 : begin + 4], "big")
        at = begin + 2 + length
        if length < 2 or at > len(data):
            raise damaged(field, "it ends before its pixels")
        yield marker, begin, at
    raise too_many_pieces(field, "JPEG", MAX_SEGMENTS)

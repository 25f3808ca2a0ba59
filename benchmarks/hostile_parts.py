"""Pieces of files that the hostile pictures are made of."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

import numpy as np
from PIL import ImageCms

from impasto.images import Size

_TIFF_UNDEFINED = 7


def overlapping_exif(entries: int, length: int) -> bytes:
    """Return an EXIF block of so many bytes whose entries all have the same value: nearly all of the block."""
    entries = min(entries, (length - 14) // 12 - 1, 65_535)
    table = b"".join(struct.pack("<HHII", k, _TIFF_UNDEFINED, length - 16, 16) for k in range(entries))
    return (struct.pack("<4sIH", b"II*\0", 8, entries) + table).ljust(length, b"\0")


def png(*chunks: tuple[str, bytes]) -> bytes:
    """Return a PNG of these chunks, and of its end."""
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in (*chunks, ("IEND", b"")))


def png_chunk(kind: str, contents: bytes) -> bytes:
    """Return a chunk of a PNG."""
    name = kind.encode()
    total = zlib.crc32(contents, zlib.crc32(name))
    return struct.pack(">I", len(contents)) + name + contents + struct.pack(">I", total)


def png_header(size: Size, depth: int, colour: int, interlaced: bool = False) -> tuple[str, bytes]:
    """Return the first chunk of a PNG."""
    return "IHDR", struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, interlaced)


def many_codes() -> bytes:
    """Return a lossless WebP of 1024x1024 px with Huffman codes of its own, five, for each 4x4 of them.

    After RFC 9649, sections 3.4 to 3.8; bits are written as the decoder reads them.
    """

    def number(value: int, count: int) -> str:
        return f"{value:0{count}b}"[::-1]

    one_symbol = "1000"
    of_256 = "0" + number(8, 4) + "000" * 11 + "100" + "1" + number(3, 3) + number(254, 8)  # all codes of 8 bits
    places = "".join(f"{green:08b}{red:08b}" for red in range(256) for green in range(256))
    of_size = number(1023, 14) * 2 + "0" + "000"  # no alpha, and the version
    of_groups = "0" + "0" + "1" + "000"  # no transform, no cache, several groups of codes, each for 4x4 px
    of_places = "0" + of_256 * 2 + one_symbol * 3 + places  # which group is where: a picture of its own
    bits = of_size + of_groups + of_places + one_symbol * 5 * 65_536
    bits += "0" * (-len(bits) % 8)
    stream = b"\x2f" + int(bits[::-1], 2).to_bytes(len(bits) // 8, "little")
    return webp(riff("VP8L", stream))


def webp(*chunks: bytes) -> bytes:
    """Return a WebP of these chunks."""
    contents = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(contents)) + contents


def riff(kind: str, contents: bytes) -> bytes:
    """Return a chunk of a WebP."""
    return kind.encode() + struct.pack("<I", len(contents)) + contents + bytes(len(contents) % 2)


ANIMATION = riff("ANIM", bytes(6))


def canvas(size: Size, flags: int) -> bytes:
    """Return the first chunk of a WebP that has others."""
    sides = (struct.pack("<I", side - 1)[:3] for side in size)
    return riff("VP8X", bytes((flags, 0, 0, 0)) + b"".join(sides))


def frame(size: Size, picture: bytes) -> bytes:
    """Return a chunk that holds a frame of an animation."""
    sides = b"".join(struct.pack("<I", side - 1)[:3] for side in size)
    return riff("ANMF", bytes(6) + sides + bytes(4) + picture)


# Colour profiles, after ICC.1:2010


def profile(space: bytes, *, grid: int = 0) -> bytes:
    """Return a profile of a colour space: grey by a curve, else by a table with this many points a channel."""
    if space == b"GRAY":
        return _profile(space, b"XYZ ", {b"kTRC": b"curv\0\0\0\0" + struct.pack(">IH", 1, 256)})
    channels = 4 if space == b"CMYK" else 3
    table = np.random.default_rng(0).integers(0, 65_536, grid**channels * 3).astype(">u2").tobytes()
    ramp = struct.pack(">2H", 0, 65_535)
    identity = struct.pack(">9i", *(65_536 if k % 4 == 0 else 0 for k in range(9)))
    lut = b"mft2\0\0\0\0" + bytes((channels, 3, grid, 0)) + identity + struct.pack(">2H", 2, 2)
    return _profile(space, b"Lab ", {b"A2B0": lut + ramp * channels + table + ramp * 3})


def endless_profile(steps: int) -> bytes:
    """Return a profile that asks for so many multiplications by a matrix a colour, all of them the same."""
    identity = struct.pack(">9f", *(float(k % 4 == 0) for k in range(9)))
    matrix = b"matf\0\0\0\0" + struct.pack(">2H", 3, 3) + identity + bytes(12)
    head = b"mpet\0\0\0\0" + struct.pack(">2HI", 3, 3, steps)
    places = struct.pack(">2I", len(head) + 8 * steps, len(matrix)) * steps
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    tags = {
        srgb[at : at + 4]: srgb[begin : begin + length]
        for at in range(132, 132 + 12 * int.from_bytes(srgb[128:132], "big"), 12)
        for begin, length in [struct.unpack_from(">2I", srgb, at + 4)]
    }
    return _profile(b"RGB ", b"XYZ ", {**tags, b"D2B0": head + places + matrix})


def _profile(space: bytes, connection: bytes, tags: Mapping[bytes, bytes]) -> bytes:
    offset, directory, contents = 132 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        directory += name + struct.pack(">2I", offset + len(contents), len(data))
        contents += data + bytes(-len(data) % 4)
    header = struct.pack(">I4xI4s4s4s12x4s28x", offset + len(contents), 0x04300000, b"mntr", space, connection, b"acsp")
    header += struct.pack(">3i", 63_190, 65_536, 54_061)
    return header.ljust(128, b"\0") + directory + contents

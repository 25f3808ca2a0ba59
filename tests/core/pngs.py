"""PNG files made chunk by chunk, for what Pillow does not write: 16 bits a channel, transparent shades, lies."""

from __future__ import annotations

import struct
import zlib

GREY, RGB, GREY_ALPHA, RGB_ALPHA = 0, 2, 4, 6


def png(width: int, height: int, depth: int, colour: int, row: bytes, *extra: tuple[bytes, bytes]) -> bytes:
    """Return a PNG whose rows are all `row`, with `extra` chunks (type, contents) before the pixels."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    pixels = zlib.compress((b"\0" + row) * height) if row else b""
    chunks = ((b"IHDR", header), *extra, (b"IDAT", pixels), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, contents) for kind, contents in chunks)


def _chunk(kind: bytes, contents: bytes) -> bytes:
    return struct.pack(">I", len(contents)) + kind + contents + struct.pack(">I", zlib.crc32(kind + contents))

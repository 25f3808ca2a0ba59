"""A photo that shows whether the server paints as asked, before any of the caller's is read."""

from __future__ import annotations

import struct
import zlib

_SIDE = 64  # px


def _png(side: int) -> bytes:
    """Return a grey ramp as a PNG file, made without Pillow, which the client does not need."""
    row = b"\0" + bytes(x * 255 // (side - 1) for x in range(side))  # 0: the row is as it stands, unfiltered
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)  # 8 bits, grey
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(row * side)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


PROBE = _png(_SIDE)

"""Colour profiles, small enough to be written by hand, each with an effect that cannot be missed.

After the ICC specification ICC.1:2010, whose section is named where a layout comes from it.
"""

from __future__ import annotations

import struct
from itertools import product

_D50 = (0.9642, 1.0, 0.8249)
_SRGB_COLOURANTS = ((0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141))


def rotated_rgb() -> bytes:
    """Return a profile of sRGB with its channels rotated: what is stored as red means green, green blue, blue red."""
    red, green, blue = _SRGB_COLOURANTS
    tags = {b"rXYZ": _xyz(*green), b"gXYZ": _xyz(*blue), b"bXYZ": _xyz(*red)}
    curves = dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), _gamma(2.2))
    return _profile(b"mntr", b"RGB ", b"XYZ ", {**tags, **curves})


def linear_grey() -> bytes:
    """Return a profile in which grey is proportional to light: a stored 128 is shown as sRGB 188."""
    return _profile(b"mntr", b"GRAY", b"XYZ ", {b"kTRC": _gamma(1.0)})


def negative_cmyk() -> bytes:
    """Return a profile of a press whose bare paper is black, and which any ink makes white."""
    lattice = [255 if any(inks) else 0 for inks in product((0, 1), repeat=4)]
    identity = struct.pack(">9i", *(65536 if i % 4 == 0 else 0 for i in range(9)))
    ramp = bytes(range(256))
    table = b"".join(bytes((lightness, 128, 128)) for lightness in lattice)
    lut = b"mft1\0\0\0\0" + bytes((4, 3, 2, 0)) + identity + ramp * 4 + table + ramp * 3  # 10.9, lut8Type
    return _profile(b"prtr", b"CMYK", b"Lab ", {b"A2B0": lut})


def _profile(kind: bytes, space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    tags = {b"wtpt": _xyz(*_D50), **tags}
    offset = 128 + 4 + 12 * len(tags)
    directory, contents = struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        padded = data + b"\0" * (-len(data) % 4)
        directory += name + struct.pack(">II", offset + len(contents), len(data))
        contents += padded
    size = offset + len(contents)
    header = struct.pack(">I4xI4s4s4s12x4s28x", size, 0x02400000, kind, space, connection, b"acsp")  # 7.2
    header += struct.pack(">3i", *(round(value * 65536) for value in _D50))
    return header.ljust(128, b"\0") + directory + contents


def _xyz(*values: float) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in values))  # 10.27


def _gamma(exponent: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(exponent * 256))  # 10.5

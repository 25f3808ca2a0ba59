"""Colours that a picture names by code points (ITU-T H.273), as a colour profile (ICC.1:2022).

Pictures for screens that shine brighter (PQ and HLG, ITU-R BT.2100) are toned down: up to six tenths of the brightness
of a white sheet of paper nothing changes, and what is brighter comes ever closer to white.
"""

from __future__ import annotations

import struct
from functools import cache

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

_SRGB = 1
_PRIMARIES = {  # x and y of red, green and blue; H.273, table 2. All are lit by D65
    _SRGB: ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060)),
    5: ((0.640, 0.330), (0.290, 0.600), (0.150, 0.060)),  # PAL
    6: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),  # NTSC
    7: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),  # BT.2020
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),  # Display P3
}
_D65 = (0.3127, 0.3290)
_D50 = np.array([0.9642, 1.0, 0.8249])  # what a profile refers to, ICC.1:2022, 7.2.16
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])

_GAMMA_22, _GAMMA_28, _LINEAR, _PQ, _HLG = 4, 5, 8, 16, 18  # H.273, table 3; those that are not here are taken for sRGB
_GAMMAS = {_GAMMA_22: 2.2, _GAMMA_28: 2.8, _LINEAR: 1.0}
_SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
_STEPS = 4096  # of a curve that is no formula

_PAPER, _PEAK = 203.0, 1000.0  # cd/m2 of a white sheet, ITU-R BT.2408, and of what is meant to become white
_KNEE = 0.6  # of a white sheet, up to which nothing changes


@cache
def profile_of(primaries: int, transfer: int) -> bytes | None:
    """Return the profile of a picture's colours; None where they are sRGB, or nobody knows what they are.

    The curve of video (BT.709, BT.601, BT.2020) is taken for sRGB's, as browsers do: pictures that say so were
    made on screens.

    Args:
        primaries, transfer: code points.
    """
    known = _PRIMARIES.get(primaries)
    bent = transfer in (*_GAMMAS, _PQ, _HLG)
    if (known is None or primaries == _SRGB) and not bent:
        return None
    colourants = _colourants(known or _PRIMARIES[_SRGB])
    curve = _curve(transfer)
    tags = {
        b"wtpt": _xyz(_D50),
        **{name: _xyz(colourant) for name, colourant in zip((b"rXYZ", b"gXYZ", b"bXYZ"), colourants.T, strict=True)},
        **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve),
    }
    return _profile(tags)


def _colourants(primaries: tuple[tuple[float, float], ...]) -> Values:
    """Return XYZ of red, green and blue, as columns, as they look by D50."""
    from_xy = np.array([[x / y, 1, (1 - x - y) / y] for x, y in (*primaries, _D65)]).T
    lit, white = from_xy[:, :3], from_xy[:, 3]
    scaled = lit * np.linalg.solve(lit, white)
    cones = (_BRADFORD @ _D50) / (_BRADFORD @ white)
    adapted: Values = np.linalg.solve(_BRADFORD, cones[:, None] * (_BRADFORD @ scaled))
    return adapted


def _curve(transfer: int) -> bytes:
    """Return how bright each value is, as a tag's contents."""
    if transfer in (_PQ, _HLG):
        values = np.linspace(0, 1, _STEPS)
        shining = _pq(values) if transfer == _PQ else _hlg(values)
        table = np.rint(_toned_down(shining / _PAPER) * 65535).astype(">u2")
        return b"curv" + struct.pack(">4xI", _STEPS) + table.tobytes()
    if transfer in _GAMMAS:
        return b"para" + struct.pack(">4xHH", 0, 0) + _fixed(_GAMMAS[transfer])
    return b"para" + struct.pack(">4xHH", 3, 0) + _fixed(*_SRGB_CURVE)


def _pq(values: Values) -> Values:
    """Return cd/m2 of values in 0..1 (BT.2100, table 4)."""
    root = values ** (1 / 78.84375)
    light: Values = 10_000 * (np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** (1 / 0.1593017578125)
    return light


def _hlg(values: Values) -> Values:
    """Return cd/m2 of values in 0..1, on a screen of 1000 (BT.2100, table 5), each channel by itself."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(values <= 0.5, values**2 / 3, (np.exp((values - c) / a) + b) / 12)
    light: Values = _PEAK * scene**1.2
    return light


def _toned_down(light: Values) -> Values:
    """Return times the brightness of paper in 0..1, the brightest of which is white.

    Above the knee this is the curve of Reinhard et al. (2002), equation 4, which begins as steep as what is below it.
    """
    above = np.maximum(light - _KNEE, 0) / (1 - _KNEE)
    white = (_PEAK / _PAPER - _KNEE) / (1 - _KNEE)
    bent = above * (1 + above / white**2) / (1 + above)
    toned: Values = np.minimum(np.minimum(light, _KNEE) + (1 - _KNEE) * bent, 1)
    return toned


def _profile(tags: dict[bytes, bytes]) -> bytes:
    """Return a profile for screens, of these tags."""
    at = 128 + 4 + 12 * len(tags)
    places: dict[bytes, int] = {}
    table, contents = [struct.pack(">I", len(tags))], b""
    for name, tag in tags.items():
        if tag not in places:
            places[tag] = at + len(contents)
            contents += tag + bytes(-len(tag) % 4)
        table.append(name + struct.pack(">II", places[tag], len(tag)))
    size = at + len(contents)
    header = struct.pack(">I4xI", size, 0x04300000) + b"mntrRGB XYZ " + bytes(12) + b"acsp"
    header = header.ljust(68, b"\0") + b"".join(map(_s15, _D50))
    return b"".join((header.ljust(128, b"\0"), *table, contents))


def _xyz(values: Values) -> bytes:
    return b"XYZ " + bytes(4) + _fixed(*values)


def _fixed(*values: float) -> bytes:
    return b"".join(map(_s15, values))


def _s15(value: float) -> bytes:
    """Return a number with 16 bits behind the point."""
    return struct.pack(">i", round(value * 65536))

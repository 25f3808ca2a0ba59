"""Arithmetic on style codes: blends and strength.

A code [D] ends with the gate `a[3], b[3]`: output = a * photo + b * network(photo, code).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from impasto.errors import InvalidInput

Codes = NDArray[np.float32]
"""[N, D], or [D] for a single one."""

GATE_CHANNELS = 3


def gate(codes: Codes) -> tuple[Codes, Codes]:
    """Return a and b of each code: [N, D] -> two [N, 3]."""
    return codes[..., -2 * GATE_CHANNELS : -GATE_CHANNELS], codes[..., -GATE_CHANNELS:]


def blend(codes: Sequence[Codes], weights: Sequence[float], *, field: str = "weight") -> Codes:
    """Return the weighted mean [D] of codes, each [D]; the weights are first divided by their sum.

    Raises:
        InvalidInput: no code, or weights that are negative, not finite, or all zero.
    """
    if not codes:
        raise InvalidInput(field, "no style is given; give at least one")
    for weight in weights:
        check_weight(weight, field)
    largest = max(weights)
    if largest == 0:
        raise InvalidInput(field, "all weights are 0; give at least one above 0")
    relative = np.asarray([weight / largest for weight in weights])  # so that no sum overflows
    shares = (relative / relative.sum()).astype(np.float32)
    return np.asarray(np.tensordot(shares, np.stack(codes), axes=1), dtype=np.float32)


def check_weight(weight: float, field: str) -> None:
    """Raise InvalidInput unless this can be a style's share of a blend."""
    if not math.isfinite(weight) or weight < 0:
        raise InvalidInput(field, f"{weight:.6g} is no weight; give a finite number, 0 or more")


def check_strength(strength: float, field: str = "strength") -> None:
    """Raise InvalidInput unless this is a strength."""
    if not 0.0 <= strength <= 1.0:  # a NaN fails every comparison
        raise InvalidInput(field, f"{strength:.6g} is out of range; give 0 (the photo) to 1 (all paint)")


def at_strength(code: Codes, identity: Codes, strength: float, *, field: str = "strength") -> Codes:
    """Return identity + strength * (code - identity): [D].

    Raises:
        InvalidInput: a strength outside 0..1, or not a number.
    """
    check_strength(strength, field)
    # Written so that strength 0 and 1 give the two codes to the last bit.
    return np.asarray(np.float32(1 - strength) * identity + np.float32(strength) * code, dtype=np.float32)

"""Amounts of memory, as people write them."""

from __future__ import annotations

import re
from decimal import Decimal

_AMOUNT = re.compile(r"(\d{1,15}(?:\.\d{1,15})?) ?([A-Z]*)", re.ASCII)
_UNITS = {
    "": 1,
    **{
        f"{letter}{ending}": base**power
        for power, letter in enumerate("KMGT", start=1)
        for ending, base in (("", 1000), ("B", 1000), ("IB", 1024))
    },
}


def byte_count(text: str) -> int:
    """Return the bytes that a text such as 4GB, 512MiB or 1.5g means.

    Raises:
        ValueError: it means none, or less than one.
    """
    match = _AMOUNT.fullmatch(text.strip().upper())
    if match is None or match[2] not in _UNITS:
        raise ValueError(f"{text!r} is no amount of memory; give one such as 4GB or 512MiB")
    size = int(Decimal(match[1]) * _UNITS[match[2]])
    if size < 1:
        raise ValueError(f"{text!r} is nothing; give one such as 4GB or 512MiB")
    return size

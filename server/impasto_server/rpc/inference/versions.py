"""Versions of bundles as numbers, since the protocol's tools know no others."""

from __future__ import annotations

import hashlib

from impasto_server.bundles.versions import number

_MOST = 2**63  # what an int64 holds
_PARTS = 4  # 1.2.3.4 at most
_PART = 1000  # what each part may come to
_DIGITS = 12  # hexadecimal, of a digest: 48 bits, which are far beyond every number that parts make
_BEYOND = 2**48


def numbered(version: str) -> str:
    """Return a bundle's version as a whole number, the same on every server.

    A whole number is itself. `1.2` is 1002000000, so that of such versions newer ones are larger: three digits for each
    of four parts.
    Any other is a number of 15 digits that is made from its digest, and tells of no order.
    """
    parts = number(version) or ()
    if len(parts) == 1 and parts[0] < _MOST:
        return str(parts[0])
    if 1 < len(parts) <= _PARTS and max(parts) < _PART:
        filled = (*parts, *[0] * (_PARTS - len(parts)))
        return str(sum(part * _PART**place for place, part in enumerate(reversed(filled))))
    return str(_BEYOND + int(hashlib.sha256(version.encode()).hexdigest()[:_DIGITS], 16))

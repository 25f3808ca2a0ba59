"""Tokens: made, hashed, read from a call.

A token is 256 random bits, so there is nothing to guess that a slow hash would have to protect; and as it is looked up
by its digest, how long that takes says nothing of any other token.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from hashlib import sha256

_PREFIX = "impasto_"  # by which people, and programs that look for secrets in files, know one
_BYTES = 32
_SCHEME = "bearer"


def new_token() -> str:
    return _PREFIX + secrets.token_urlsafe(_BYTES)


def digest_of(token: str) -> str:
    """Return the SHA-256 of a token, in hex: what a server keeps of it."""
    return sha256(token.encode()).hexdigest()


def bearer_token(metadata: Iterable[tuple[str, str | bytes]]) -> str | None:
    """Return the token in a call's `authorization`; None where there is no such key, empty where it holds no token."""
    values = [value for key, value in metadata if key == "authorization"]
    if not values:
        return None
    scheme, _, token = str(values[0]).partition(" ")
    return token.strip() if scheme.lower() == _SCHEME and len(values) == 1 else ""

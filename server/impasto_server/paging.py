"""Lists, a page at a time."""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_right
from collections.abc import Sequence

from impasto.errors import InvalidInput
from impasto_server.library import Style

DEFAULT_PAGE = 100
LARGEST_PAGE = 1000

_MARK = "after:"


def page(styles: Sequence[Style], size: int, token: str) -> tuple[Sequence[Style], str]:
    """Return a page and the token of the next, which is empty on the last.

    Args:
        styles: sorted by name.
        size: at most so many; 0 is DEFAULT_PAGE, and LARGEST_PAGE the most.
        token: of the page wanted; empty for the first. It holds the name to go on after, so it stays good when
            styles come and go.

    Raises:
        InvalidInput: a size below 0, or a token that this function did not make.
    """
    if size < 0:
        raise InvalidInput("page_size", f"{size} is out of range; give 0 (the default, {DEFAULT_PAGE}) or more")
    start = bisect_right(styles, _read(token), key=lambda style: style.name) if token else 0
    end = start + min(size or DEFAULT_PAGE, LARGEST_PAGE)
    more = end < len(styles)
    return styles[start:end], _write(styles[end - 1].name) if more else ""


def _write(name: str) -> str:
    return base64.urlsafe_b64encode(f"{_MARK}{name}".encode()).decode()


def _read(token: str) -> str:
    try:
        text = base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        text = ""
    if not text.startswith(_MARK):
        raise InvalidInput("page_token", "is none that ListStyles gave; leave it empty to start from the beginning")
    return text.removeprefix(_MARK)

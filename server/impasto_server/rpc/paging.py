"""Lists, a page at a time."""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime

from impasto.errors import InvalidInput
from impasto.jobs import Job
from impasto_server.bundles.library import Style

DEFAULT_PAGE = 100
LARGEST_PAGE = 1000

_STYLE_MARK = "after:"
_JOB_MARK = "before:"


def page(styles: Sequence[Style], size: int, token: str) -> tuple[Sequence[Style], str]:
    """Return a page and the token of the next, which is empty on the last.

    Args:
        styles: sorted by name.
        size: see `read_page_size`.
        token: of the page wanted; empty for the first. It holds the name to go on after, so it stays good when
            styles come and go.

    Raises:
        InvalidInput: a size below 0, or a token that this function did not make.
    """
    size = read_page_size(size)
    start = bisect_right(styles, _read(token, _STYLE_MARK), key=lambda style: style.name) if token else 0
    end = start + size
    more = end < len(styles)
    return styles[start:end], _write(styles[end - 1].name, _STYLE_MARK) if more else ""


def read_page_size(size: int) -> int:
    """Return how many to put on a page: 0 is DEFAULT_PAGE, and LARGEST_PAGE the most.

    Raises:
        InvalidInput: below 0.
    """
    if size < 0:
        raise InvalidInput("page_size", f"{size} is out of range; give 0 (the default, {DEFAULT_PAGE}) or more")
    return min(size or DEFAULT_PAGE, LARGEST_PAGE)


def job_mark(job: Job) -> str:
    """Return the token of the page that goes on after a job; it stays good when jobs come and go."""
    return _write(f"{job.created.isoformat()} {job.id}", _JOB_MARK)


def read_job_mark(token: str) -> tuple[datetime, str] | None:
    """Return when the last job of the page before was made, and its id; None for the first page.

    Raises:
        InvalidInput: a token that `job_mark` did not make.
    """
    if not token:
        return None
    try:
        created, job_id = _read(token, _JOB_MARK).split()
        time = datetime.fromisoformat(created)
    except ValueError as error:
        raise _no_token() from error
    if time.tzinfo is None or not job_id.isalnum():
        raise _no_token()
    return time, job_id


def _write(text: str, mark: str) -> str:
    return base64.urlsafe_b64encode(f"{mark}{text}".encode()).decode()


def _read(token: str, mark: str) -> str:
    try:
        text = base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        text = ""
    if not text.startswith(mark):
        raise _no_token()
    return text.removeprefix(mark)


def _no_token() -> InvalidInput:
    return InvalidInput("page_token", "is none that this method gave; leave it empty to start from the beginning")

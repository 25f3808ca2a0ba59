"""What an error means: for one photo, and for the run."""

from __future__ import annotations

import errno
from dataclasses import dataclass

from impasto_client.bulk.names import is_sound
from impasto_client.bulk.places import File, Place
from impasto_client.errors import (
    ImpastoClientError,
    InvalidRequest,
    PermissionDenied,
    StyleUnknown,
    Unauthenticated,
    Unimplemented,
)

MOST_BYTES = 256 * 2**20
"""Of a photo; a larger file is not read at all, whatever its name."""

UNLUCKY_IN_A_ROW = 20
"""Photos that fail, one after the other, for no reason of their own; then the run fails."""

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
_UNNAMEABLE = (errno.ENAMETOOLONG, errno.EISDIR, errno.ENOTDIR, errno.EINVAL, errno.EILSEQ)
_FOR_ALL = (StyleUnknown, Unauthenticated, PermissionDenied, Unimplemented)  # what one photo meets, every other meets


@dataclass(frozen=True)
class Mishap:
    """Why there is no picture of a photo.

    Attributes:
        reason: in one sentence.
        again: whether another try may help, as the photo is not to blame.
        cause: what the run fails of, if there are too many such, or at once.
        at_once: whether the run has to fail, since no other photo would fare better.
    """

    reason: str
    again: bool = False
    cause: Exception | None = None
    at_once: bool = False


def unreadable(file: File, most: int) -> Mishap | None:
    """Return why a file is not read at all; None where it is."""
    if file.unlisted:
        return Mishap(file.unlisted, again=file.is_folder)
    if not is_sound(file.path):
        return Mishap("its name has an empty part, or one of dots, so its picture would not be where it should")
    return unfit(file.size, most)


def unfit(size: int, most: int) -> Mishap | None:
    """Return what is wrong with a photo of so many bytes; None where nothing is."""
    if not size:
        return Mishap("the file is empty")
    if size > most:
        return Mishap(f"the file has {size:,} bytes, and {most:,} are the most that a photo may have; scale it down")
    return None


def not_read(place: Place, error: Exception) -> Mishap:
    """Return what it means that a photo could not be read."""
    if isinstance(error, FileNotFoundError):
        return Mishap("it was listed, and was gone when it was to be read")
    if isinstance(error, PermissionError):
        return Mishap(f"it may not be read: {place.reason(error)}")
    return Mishap(f"it cannot be read: {place.reason(error)}", again=True, cause=place.unavailable(error))


def not_painted(error: ImpastoClientError) -> Mishap:
    """Return what it means that the server did not paint a photo."""
    if isinstance(error, _FOR_ALL):
        return Mishap(str(error), again=True, cause=error, at_once=True)
    if isinstance(error, InvalidRequest):
        return Mishap(str(error))
    return Mishap(str(error), again=True, cause=error)


def not_written(place: Place, error: Exception) -> Mishap:
    """Return what it means that a picture could not be written."""
    number = getattr(error, "errno", None)
    if isinstance(error, ValueError) or number in _UNNAMEABLE:
        return Mishap(f"its picture cannot be written: {place.reason(error)}")
    return Mishap(
        f"its picture cannot be written: {place.reason(error)}",
        again=True,
        cause=place.unavailable(error),
        at_once=number in _FULL,
    )

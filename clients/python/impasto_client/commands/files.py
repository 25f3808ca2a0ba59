"""The files that the commands read and write."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from impasto_client.errors import InvalidRequest

SUFFIXES = {".jpg": "jpeg", ".jpeg": "jpeg", ".png": "png", ".webp": "webp"}


def exists(path: Path) -> bool:
    """Tell whether there is something; `Path.exists` raises where a folder on the way does not let one look."""
    return os.path.exists(path)  # noqa: PTH110


def is_folder(path: Path) -> bool:
    """Tell whether it is a folder; see `exists`."""
    return os.path.isdir(path)  # noqa: PTH112


def check_place(out: Path, option: str = "--out", otherwise: str = "name another") -> None:
    """Refuse a place that no file could be written to.

    Args:
        out: the place.
        option: by which it was given.
        otherwise: what to do instead of writing to a device or a pipe.
    """
    if not is_folder(out.parent):
        raise InvalidRequest(option, f"there is no folder {out.parent}")
    if is_folder(out):
        raise InvalidRequest(option, f"{out} is a folder; name a file in it")
    _check_regular(out, option, otherwise)
    check_writable(out.parent, option)


def check_writable(folder: Path, option: str = "--out") -> None:
    """Refuse a folder that nothing could be written into, or made at."""
    there = folder.absolute()
    while not exists(there):
        there = there.parent
    if not is_folder(there):
        raise InvalidRequest(option, f"{there} is a file, so there can be no folder {folder}")
    if not os.access(there, os.W_OK | os.X_OK):
        raise InvalidRequest(option, f"you may not write into {there}; name another folder")


def check_free(out: Path, *, overwrite: bool) -> None:
    """Refuse to replace what is there, unless that is asked for; and what is no file even then."""
    if os.path.lexists(out) and not overwrite:
        raise InvalidRequest("--out", f"{out} is there already; name another file, or give --overwrite")
    _check_regular(out, "--out", "name another")


def _check_regular(out: Path, option: str, otherwise: str) -> None:
    """Refuse a folder, a device or a pipe, whose place a file would take."""
    if exists(out) and not os.path.isfile(out):  # noqa: PTH113
        raise InvalidRequest(option, f"{out} is no regular file; {otherwise}")


def format_of(out: Path, chosen: str | None) -> str:
    """Return the format that was chosen, else the one that the suffix tells, or refuse a suffix that tells none."""
    told = chosen or SUFFIXES.get(out.suffix.lower())
    if told is None:
        known = ", ".join(SUFFIXES)
        raise InvalidRequest("--out", f"{out.name} tells no format; end it in one of {known}, or give --format")
    return told


def read(path: Path, field: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidRequest(field, f"cannot read {path}: {error.strerror}") from error


def write(out: Path, data: bytes) -> None:
    """Write the whole file or none: whoever looks at `out` never sees half a picture.

    Raises:
        OSError: with the name of `out`.
    """
    draft = out.with_name(f".{os.getpid()}.{secrets.token_hex(4)}.draft")  # the name may be as long as one can be
    try:
        draft.write_bytes(data)
        draft.replace(out)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(out)) from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)

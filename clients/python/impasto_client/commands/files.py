"""The files that the commands read and write."""

from __future__ import annotations

import os
from pathlib import Path

from impasto_client.errors import InvalidRequest

SUFFIXES = {".jpg": "jpeg", ".jpeg": "jpeg", ".png": "png", ".webp": "webp"}


def check_place(out: Path, option: str = "--out") -> None:
    """Refuse a place that no file could be written to."""
    if not out.parent.is_dir():
        raise InvalidRequest(option, f"there is no folder {out.parent}")
    if out.is_dir():
        raise InvalidRequest(option, f"{out} is a folder; name a file in it")
    check_writable(out.parent, option)


def check_writable(folder: Path, option: str = "--out") -> None:
    """Refuse a folder that nothing could be written into, or made at."""
    there = folder.absolute()
    while not there.exists():
        there = there.parent
    if not there.is_dir():
        raise InvalidRequest(option, f"{there} is a file, so there can be no folder {folder}")
    if not os.access(there, os.W_OK | os.X_OK):
        raise InvalidRequest(option, f"you may not write into {there}; name another folder")


def check_free(out: Path, *, overwrite: bool) -> None:
    """Refuse to replace what is there, unless that is asked for."""
    if os.path.lexists(out) and not overwrite:
        raise InvalidRequest("--out", f"{out} is there already; name another file, or give --overwrite")


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
    draft = out.with_name(f".{out.name}.{os.getpid()}.draft")
    try:
        draft.write_bytes(data)
        draft.replace(out)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(out)) from error
    finally:
        draft.unlink(missing_ok=True)

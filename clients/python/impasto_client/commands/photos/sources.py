"""Which photos to paint: files, folders, patterns and standard input."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from impasto_client.commands import files
from impasto_client.errors import InvalidRequest
from impasto_client.formats import PHOTO_SUFFIXES

STANDARD_STREAM = "-"
MOST_BYTES = 256 * 2**20
"""Of a photo; a larger one is not sent."""


@dataclass(frozen=True)
class Source:
    """One photo.

    Attributes:
        path: of its file; None for standard input.
        name: its path below the folder or the pattern that it was found by, or its name; the picture keeps it.
    """

    path: Path | None
    name: Path

    def __str__(self) -> str:
        return STANDARD_STREAM if self.path is None else str(self.path)

    def read(self) -> bytes:
        """Return its bytes.

        Raises:
            InvalidRequest: it cannot be read, or is larger than any photo.
        """
        try:
            if self.path is None:
                data = sys.stdin.buffer.read(MOST_BYTES + 1)
            else:
                with self.path.open("rb") as file:
                    data = file.read(MOST_BYTES + 1)
        except OSError as error:
            raise InvalidRequest("photo", f"cannot read {self}: {error.strerror}") from error
        if len(data) > MOST_BYTES:
            del data  # or the error would hold it
            raise InvalidRequest("photo", f"{self} is larger than {MOST_BYTES:,} bytes; scale it down")
        return data


@dataclass(frozen=True)
class Found:
    """The photos that the arguments stand for.

    Attributes:
        sources: without repetition, in the order of the arguments; of a folder, by name.
        several: whether there could be more than one of them, so that their pictures need a folder.
    """

    sources: Sequence[Source]
    several: bool


def find(arguments: Sequence[str], *, recursive: bool, leave_out: Path | None) -> Found:
    """Return the photos.

    Args:
        arguments: files, folders, patterns such as `photos/**/*.jpg`, or `-` alone for standard input. What exists
            under such a name is no pattern.
        recursive: whether folders are searched to the bottom.
        leave_out: a folder that is not searched, since the pictures go there.

    Raises:
        InvalidRequest: an argument stands for no photo.
    """
    if STANDARD_STREAM in arguments:
        return _standard_input(arguments)
    found: dict[str, Source] = {}
    several = len(arguments) > 1
    for argument in arguments:
        path = Path(argument)
        if files.is_folder(path):
            sources = _checked(argument, _in_folder(path, recursive, leave_out), recursive)
        elif glob.has_magic(argument) and not files.exists(path):
            sources = _checked(argument, _matching(argument, recursive, leave_out), recursive)
        else:
            sources = [Source(path, Path(path.name))]
        several = several or len(sources) > 1 or sources[0].path != path
        for source in sources:
            found.setdefault(os.path.realpath(str(source)), source)
    return Found(tuple(found.values()), several)


def _standard_input(arguments: Sequence[str]) -> Found:
    if len(arguments) > 1:
        raise InvalidRequest("photo", "- is standard input, which is one photo; give it alone, or files alone")
    if sys.stdin is None:
        raise InvalidRequest("photo", "standard input is closed; send a photo in: cat photo.jpg | impasto ...")
    if sys.stdin.isatty():
        raise InvalidRequest("photo", "standard input is the terminal; send a photo in: cat photo.jpg | impasto ...")
    return Found((Source(None, Path("stdin")),), several=False)


def _checked(argument: str, found: Iterator[Source], recursive: bool) -> list[Source]:
    try:
        sources = list(found)
    except OSError as error:
        raise InvalidRequest("photo", f"cannot look into {error.filename}: {error.strerror}") from error
    if not sources and files.is_folder(Path(argument)):
        deeper = "" if recursive else "; --recursive looks into its folders, too"
        raise InvalidRequest("photo", f"there is no photo in {argument}: {_ENDINGS}{deeper}")
    if not sources:
        raise InvalidRequest("photo", f"nothing matches {argument}; ** stands for folders at any depth")
    return sources


def _in_folder(folder: Path, recursive: bool, leave_out: Path | None) -> Iterator[Source]:
    """Yield a folder's photos, hidden ones left out."""
    for place, folders, names in os.walk(folder, onerror=_raise):
        folders[:] = sorted(
            name
            for name in folders
            if recursive and not name.startswith(".") and not _same(Path(place, name), leave_out)
        )
        for name in sorted(names):
            path = Path(place, name)
            if path.suffix.lower() in PHOTO_SUFFIXES and not name.startswith("."):
                yield Source(path, path.relative_to(folder))


def _matching(pattern: str, recursive: bool, leave_out: Path | None) -> Iterator[Source]:
    """Yield what a shell would have made of a pattern: files as they are, of folders their photos."""
    root = _root(pattern)
    if leave_out and root.resolve().is_relative_to(leave_out):  # the pictures go beside the photos
        leave_out = None
    for path in map(Path, sorted(glob.glob(pattern, recursive=True))):  # noqa: PTH207  # an absolute one, too
        if leave_out and path.resolve().is_relative_to(leave_out):
            continue
        if not files.is_folder(path):
            yield Source(path, path.relative_to(root))
        elif "**" not in pattern:
            for source in _in_folder(path, recursive, leave_out):
                yield Source(source.path, path.relative_to(root) / source.name)


def _root(pattern: str) -> Path:
    """Return the folders before the first one that is a pattern."""
    fixed: list[str] = []
    for part in Path(pattern).parts[:-1]:
        if glob.has_magic(part):
            break
        fixed.append(part)
    return Path(*fixed)


def _same(folder: Path, other: Path | None) -> bool:
    return other is not None and folder.resolve() == other


def _raise(error: OSError) -> None:
    raise error


_ENDINGS = f"photos end in {', '.join(PHOTO_SUFFIXES[:-1])} or {PHOTO_SUFFIXES[-1]}, in either case"

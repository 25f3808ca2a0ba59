"""Where the pictures go. No photo is replaced at all, and no picture that is there unless asked for."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from impasto_client.commands import files
from impasto_client.commands.photos.sources import STANDARD_STREAM, Found, Source
from impasto_client.errors import InvalidRequest

_DEFAULT_FORMAT = "jpeg"


@dataclass(frozen=True)
class Task:
    """One photo, and the picture that is to be made of it.

    Attributes:
        source: the photo.
        out: the picture's file; None is standard output, or nowhere.
        format: the picture's.
    """

    source: Source
    out: Path | None
    format: str | None


@dataclass(frozen=True)
class Plan:
    """What is to be done.

    Attributes:
        tasks: to be painted.
        left: not to be painted, as their pictures are there.
    """

    tasks: Sequence[Task]
    left: Sequence[Task] = ()

    @property
    def count(self) -> int:
        return len(self.tasks) + len(self.left)


def plan(found: Found, out: str, format: str | None, *, overwrite: bool) -> Plan:
    """Return where each photo's picture goes.

    Args:
        found: the photos.
        out: a file for one photo; a folder for several, or one that is there or ends in a slash; or `-`.
        format: the pictures'; by default what the names say.
        overwrite: whether pictures that are there are replaced.

    Raises:
        InvalidRequest: a picture cannot go there, or would replace a photo; or the only one is there already.
    """
    if out == STANDARD_STREAM:
        return Plan([_to_standard_output(found, format)])
    if not (found.several or _is_folder(out)):
        tasks = [_to_file(found.sources[0], Path(out), format)]
    else:
        tasks = _to_folder(found.sources, Path(out), format)
    _check_photos_stay(tasks)
    if overwrite:
        return Plan(tasks)
    left = [task for task in tasks if is_there(task)]
    if not found.several and tasks[0].out:
        files.check_free(tasks[0].out, overwrite=False)
    return Plan([task for task in tasks if not is_there(task)], left)


def is_there(task: Task) -> bool:
    """Tell whether there is something where the picture goes."""
    return task.out is not None and os.path.lexists(task.out)


def check_stays(written: Mapping[Path, str], kept: Mapping[Path, str]) -> None:
    """Refuse to write to a file that has to stay as it is, whatever name it goes by.

    Args:
        written: the files, and the options that name them.
        kept: the files that have to stay, and what each of them is.
    """
    files_kept = {os.path.realpath(path): meaning for path, meaning in kept.items()}
    for path, option in written.items():
        if meaning := files_kept.get(os.path.realpath(path)):
            raise InvalidRequest(option, f"{path} {meaning}; name another place")


def folder_of(out: str | None, several: bool) -> Path | None:
    """Return the folder that pictures go to; None where they go elsewhere."""
    return Path(out).resolve() if out and out != STANDARD_STREAM and (several or _is_folder(out)) else None


def _is_folder(out: str) -> bool:
    return out.endswith("/") or files.is_folder(Path(out))


def _to_standard_output(found: Found, format: str | None) -> Task:
    if found.several:
        raise InvalidRequest("--out", "- is standard output, which takes one picture; name a folder for several photos")
    if sys.stdout is None:
        raise InvalidRequest("--out", "standard output is closed; send it into a file, or give --out FILE")
    if sys.stdout.isatty():
        raise InvalidRequest("--out", "standard output is the terminal; send it into a file, or give --out FILE")
    return Task(found.sources[0], None, format or _DEFAULT_FORMAT)


def _to_file(source: Source, out: Path, format: str | None) -> Task:
    files.check_place(out, otherwise="name another, or - for standard output")
    return Task(source, out, files.format_of(out, format))


def _to_folder(sources: Sequence[Source], folder: Path, format: str | None) -> list[Task]:
    if files.exists(folder) and not files.is_folder(folder):
        raise InvalidRequest("--out", f"{folder} is a file; several photos need a folder, which may be a new one")
    files.check_writable(folder)
    taken: set[str] = set()
    tasks = []
    for source in sources:
        told = format or files.SUFFIXES.get(source.name.suffix.lower(), _DEFAULT_FORMAT)
        out = _free(folder / _named(source.name, told), taken)
        taken.add(str(out).casefold())
        tasks.append(Task(source, out, told))
    return tasks


def _named(name: Path, format: str) -> Path:
    """Return a photo's name, with the format's suffix added to it where it ends otherwise: `a.heic` is `a.heic.jpg`."""
    if files.SUFFIXES.get(name.suffix.lower()) == format:
        return name
    return name.with_name(name.name + next(suffix for suffix, told in files.SUFFIXES.items() if told == format))


def _free(out: Path, taken: set[str]) -> Path:
    """Return a path that no other photo's picture has: `a.jpg`, then `a-2.jpg`."""
    free, number = out, 1
    while str(free).casefold() in taken:
        number += 1
        free = out.with_name(f"{out.stem}-{number}{out.suffix}")
    return free


def _check_photos_stay(tasks: Sequence[Task]) -> None:
    photos = {os.path.realpath(task.source.path) for task in tasks if task.source.path}
    for task in tasks:
        if task.out and os.path.realpath(task.out) in photos:
            raise InvalidRequest("--out", f"{task.out} is a photo itself, and is not replaced; name another place")

"""Where photos come from, and pictures and manifest go: a folder, a bucket on S3, or what else fsspec reaches.

A listing is a stream: of a folder one entry at a time, of S3 one page of a thousand keys. Of other stores it is one
folder at a time, which is all that fsspec offers for them.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import fsspec
from fsspec.implementations.local import LocalFileSystem

from impasto.errors import InvalidInput, StoreUnavailable
from impasto.places import modified, reason_of, resolve, without_credentials
from impasto_client.bulk.logs import AppendedLog, Log, RewrittenLog
from impasto_client.bulk.names import MANIFEST
from impasto_client.errors import InvalidRequest

_ETAGS = ("ETag", "etag", "md5Hash", "content_md5")  # in the words of fsspec's backends
_S3 = ("s3", "s3a")
_DRAFTS = f"{MANIFEST}/drafts"
_DRAFT_SECONDS = 3_600.0  # no write takes longer

Wanted = Callable[[str], bool]
"""Tells by its path whether a file is asked for; one that is not is not looked at any closer."""


@dataclass(frozen=True, slots=True)
class File:
    """A file, as a listing tells of it.

    Attributes:
        path: below the place, with `/` between folders.
        size: bytes.
        etag: what the store says of its content; empty where it says nothing.
        modified: when it was written, s since 1970; 0 where that is unknown.
        unlisted: why it cannot be read, where the listing tells; the path of a folder ends in `/`.
    """

    path: str
    size: int = 0
    etag: str = ""
    modified: float = 0.0
    unlisted: str = ""

    @property
    def is_folder(self) -> bool:
        return self.path.endswith("/")

    @property
    def version(self) -> str:
        """What changes when its content does."""
        return f"{self.size} {self.etag or repr(self.modified)}"


class Place:
    """A store that fsspec reaches, where a write is atomic.

    Attributes:
        name: its URL, without credentials.
    """

    def __init__(self, files: fsspec.AbstractFileSystem, root: str, name: str, secrets: list[str]) -> None:
        self.name = name
        self._files = files
        self._root = root.rstrip("/")
        self._secrets = secrets

    @staticmethod
    def open(url: str, field: str) -> Place:
        """Return the place at a URL, or a folder; it may be missing as yet.

        Raises:
            InvalidRequest: not a URL that fsspec knows.
            MissingDependency: of the URL's protocol.
        """
        try:
            files, root = resolve(url, field=field)
        except InvalidInput as error:
            raise InvalidRequest(error.field, error.reason) from error
        name, secrets = without_credentials(url)
        if isinstance(files, LocalFileSystem):
            return Folder(files, os.path.realpath(root), os.path.realpath(root), [])
        kind = Bucket if set(_S3) & {*_protocols(files)} else Place
        return kind(files, root, name.rstrip("/"), secrets)

    def path_of(self, other: Place) -> str | None:
        """Return where another place lies below this one: empty where it is the same; None where it is outside."""
        if _protocols(self._files) != _protocols(other._files):
            return None
        if other._root == self._root:
            return ""
        return other._root[len(self._root) + 1 :] if other._root.startswith(f"{self._root}/") else None

    def files(self, wanted: Wanted) -> Iterator[File]:
        """List all files below, in any order.

        Raises:
            FileNotFoundError: there is no such place.
            StoreUnavailable: the listing ended half-way.
        """
        folders = [""]
        while folders:
            folder = folders.pop()
            for details in self._listed(folder):
                path = details["name"].removeprefix(self._root).strip("/")
                if details["type"] == "directory":
                    folders.append(path)
                elif wanted(path):
                    yield _file(path, details)

    def read(self, path: str) -> bytes:
        """Return a file, or raise what the store raises."""
        return bytes(self._files.cat_file(self._at(path)))

    def write(self, path: str, data: bytes) -> None:
        """Write the whole file or none, or raise what the store raises."""
        self._files.pipe_file(self._at(path), data)

    def names(self, folder: str) -> list[str]:
        """Return the names of what lies in a folder of the manifest, sorted; none where there is no such folder.

        Raises:
            StoreUnavailable: see there.
        """
        try:
            found = self._files.ls(self._at(folder), detail=False)
        except FileNotFoundError:
            return []
        except Exception as error:
            raise self.unavailable(error) from error
        return sorted(path.rstrip("/").rsplit("/", 1)[-1] for path in found if path.rstrip("/") != self._at(folder))

    def log(self, path: str) -> Log:
        """Return a new file of lines that is written bit by bit."""
        return RewrittenLog(lambda data: self.write(path, data))

    def prepare(self) -> None:
        """Make ready for writing, and remove what killed processes have left."""

    def reason(self, error: Exception) -> str:
        """Return what an error of the store says, in one line and without credentials."""
        return " ".join(reason_of(error, self._secrets).split())

    def unavailable(self, error: Exception) -> StoreUnavailable:
        """Return what to raise where the place as a whole cannot be used."""
        return StoreUnavailable(self.name, self.reason(error))

    def _at(self, path: str) -> str:
        return f"{self._root}/{path}"

    def _listed(self, folder: str) -> Iterator[dict[str, Any]]:
        try:
            yield from self._files.ls(self._at(folder).rstrip("/"), detail=True)
        except FileNotFoundError:
            if not folder:
                raise
        except Exception as error:
            raise self.unavailable(error) from error


class Bucket(Place):
    """A bucket on S3, or a part of one."""

    def files(self, wanted: Wanted) -> Iterator[File]:
        bucket, prefix, _ = self._files.split_path(self._root)
        prefix = f"{prefix}/" if prefix else ""
        for page in self._pages(Bucket=bucket, Prefix=prefix):
            for details in page.get("Contents", ()):
                path = details["Key"].removeprefix(prefix)
                if wanted(path):
                    yield _file(path, {**details, "size": details["Size"]})

    def read(self, path: str) -> bytes:
        return bytes(self._files.cat_file(self._at(path), max_concurrency=1))  # more would ask for the size before

    def _pages(self, **arguments: Any) -> Iterator[dict[str, Any]]:
        token: dict[str, str] | None = {}
        while token is not None:
            try:
                page = self._files.call_s3("list_objects_v2", **arguments, **token)
            except FileNotFoundError:
                raise
            except Exception as error:
                raise self.unavailable(error) from error
            yield page
            token = {"ContinuationToken": page["NextContinuationToken"]} if page.get("IsTruncated") else None


class Folder(Place):
    """A local folder, where a write is made atomic."""

    def files(self, wanted: Wanted) -> Iterator[File]:
        if not Path(self._root).is_dir():
            raise FileNotFoundError(self._root)
        folders = [""]
        while folders:
            yield from self._entries(folders.pop(), folders, wanted)

    def read(self, path: str) -> bytes:
        return Path(self._at(path)).read_bytes()

    def write(self, path: str, data: bytes) -> None:
        target, draft = Path(self._at(path)), Path(self._at(f"{_DRAFTS}/{uuid4().hex}"))
        try:
            with draft.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            target.parent.mkdir(parents=True, exist_ok=True)
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)

    def log(self, path: str) -> Log:
        target = Path(self._at(path))
        target.parent.mkdir(parents=True, exist_ok=True)
        return AppendedLog(target)

    def prepare(self) -> None:
        drafts = Path(self._at(_DRAFTS))
        try:
            drafts.mkdir(parents=True, exist_ok=True)
            for draft in drafts.iterdir():
                with suppress(FileNotFoundError):
                    if draft.stat().st_mtime < time.time() - _DRAFT_SECONDS:
                        draft.unlink()
        except OSError as error:
            raise self.unavailable(error) from error

    def _entries(self, folder: str, folders: list[str], wanted: Wanted) -> Iterator[File]:
        """Yield the files of a folder, and add the folders in it to those that are to be listed."""
        prefix = f"{folder}/" if folder else ""
        try:
            with os.scandir(self._at(folder)) as entries:
                for entry in entries:
                    path = prefix + entry.name
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(path)
                    elif wanted(path):
                        yield from _looked_at(path, entry)
        except FileNotFoundError:
            pass  # gone since its own folder was listed
        except OSError as error:
            if not folder:
                raise self.unavailable(error) from error
            yield File(f"{folder}/", unlisted=f"the folder cannot be listed: {self.reason(error)}")


def _looked_at(path: str, entry: os.DirEntry[str]) -> Iterator[File]:
    """Yield a file of a local folder, unless it has gone meanwhile."""
    with suppress(FileNotFoundError):
        details = entry.stat()
        unlisted = "" if stat.S_ISREG(details.st_mode) else "is no file, but a pipe, socket or device"
        yield File(path, details.st_size, "", details.st_mtime, unlisted)


def _file(path: str, details: Mapping[str, Any]) -> File:
    etag = next((str(details[key]) for key in _ETAGS if details.get(key)), "")
    return File(path, int(details["size"] or 0), etag.strip('"'), modified(details))


def _protocols(files: fsspec.AbstractFileSystem) -> tuple[str, ...]:
    return (files.protocol,) if isinstance(files.protocol, str) else tuple(files.protocol)

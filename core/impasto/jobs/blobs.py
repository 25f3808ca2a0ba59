"""Where the pictures of jobs lie: a folder, or whatever fsspec reaches by URL.

A blob is named `<job>/<what>`, and is whole or not there. Beside the jobs' folders lies a marker: without it, a blob
that is missing says nothing but that the store itself is not what it was (an unmounted disk, an emptied bucket). It
names the database whose jobs these are.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import fsspec
from fsspec.implementations.local import LocalFileSystem

from impasto.errors import ImpastoError, StoreUnavailable
from impasto.places import modified, reason_of, resolve, without_credentials

MARKER = "impasto-blobs"
_PARTIAL = ".partial-"
_PARTIAL_SECONDS = 3_600.0  # no write takes longer
_TRIES = 100  # to put a blob into a folder that others remove


class Blobs:
    """Blobs in an object store, where a write is atomic. All of it raises StoreUnavailable.

    Attributes:
        name: the URL, without credentials.
    """

    def __init__(self, files: fsspec.AbstractFileSystem, root: str, url: str) -> None:
        self.name, self._credentials = without_credentials(url)
        self._files = files
        self._root = root.rstrip("/")

    @staticmethod
    def open(url: str) -> Blobs:
        """Return the store at a URL. It must be marked before it is used; that also shows whether it can be.

        Raises:
            InvalidInput: not a URL that fsspec knows.
            MissingDependency: of the URL's protocol.
        """
        try:
            files, root = resolve(url, field="blobs")
        except OSError as error:  # of a protocol that connects at once
            name, credentials = without_credentials(url)
            raise StoreUnavailable(name, reason_of(error, credentials)) from error
        return _Folder(files, root, url) if isinstance(files, LocalFileSystem) else Blobs(files, root, url)

    def marker(self) -> str | None:
        """Return whose store this is, or None when it was never marked."""
        with self._translated():
            try:
                return bytes(self._files.cat_file(self._path(MARKER))).decode()
            except FileNotFoundError:
                return None

    def mark(self, owner: str) -> None:
        """Say whose store this is."""
        with self._translated():
            self._files.pipe_file(self._path(MARKER), owner.encode())

    def write(self, blob: str, data: bytes) -> None:
        """Write a blob, whole, over one of its name."""
        with self._translated():
            self._files.pipe_file(self._path(blob), data)

    def read(self, blob: str) -> bytes | None:
        """Return a blob, or None when it is not there, though the store is."""
        with self._translated():
            try:
                return bytes(self._files.cat_file(self._path(blob)))
            except FileNotFoundError:
                self.ping()
                return None

    def stream(self, blob: str, offset: int, chunk: int) -> Iterator[bytes] | None:
        """Return a blob from this offset on, in pieces, or None when it is not there, though the store is."""
        with self._translated():
            try:
                self._files.info(self._path(blob))
            except FileNotFoundError:
                self.ping()
                return None
        return self._pieces(blob, offset, chunk)

    def list(self, job: str) -> list[str]:
        """Return the names of a job's blobs."""
        with self._translated():
            found = self._files.find(self._path(job))
            if not found:
                self.ping()
            return [f"{job}/{path.rsplit('/', 1)[-1]}" for path in found]

    def remove(self, *blobs: str) -> None:
        """Remove blobs; those that are not there are removed already."""
        with self._translated():
            for blob in blobs:
                with suppress(FileNotFoundError):
                    self._files.rm_file(self._path(blob))

    def remove_job(self, job: str) -> None:
        """Remove all blobs of a job."""
        self.remove(*self.list(job))

    def remove_partial(self) -> None:
        """Remove what killed processes left half-written, which in an object store is nothing."""

    def ages(self) -> Mapping[str, float]:
        """Return the seconds since anything of a job was written, by the job's id, as far as the store tells.

        What time it is, it tells as well, by what is written now: this machine's clock may go another way.
        """
        with self._translated():
            now = self._clock()
            found = self._files.find(self._root, withdirs=True, detail=True)
        newest: dict[str, float] = {}
        for path, details in found.items():
            job = path[len(self._root) :].strip("/").split("/")[0]
            newest[job] = max(newest.get(job, 0), modified(details))
        return {job: now - written for job, written in newest.items() if written and job not in ("", MARKER)}

    def ping(self) -> None:
        """Raise StoreUnavailable unless the store is there, and can be read."""
        if self.marker() is None:
            raise StoreUnavailable(self.name, f"{MARKER} is gone from it, so it is not what it was")

    def _clock(self) -> float:
        """Return the time by the store's clock, s since 1970: 0 where it does not tell."""
        marker = self._path(MARKER)
        self._files.pipe_file(marker, self._files.cat_file(marker))
        return modified(self._files.info(marker))

    def _path(self, blob: str) -> str:
        return f"{self._root}/{blob}"

    def _pieces(self, blob: str, offset: int, chunk: int) -> Iterator[bytes]:
        with self._translated(), self._files.open(self._path(blob), "rb") as file:
            file.seek(offset)
            while data := file.read(chunk):
                yield bytes(data)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (ImpastoError, MemoryError):
            raise
        except Exception as error:
            raise StoreUnavailable(self.name, reason_of(error, self._credentials)) from error


class _Folder(Blobs):
    """Blobs in a local folder, where a write is made atomic, and lasts once it returns."""

    def mark(self, owner: str) -> None:
        """Say whose store this is, and make the folder if it is missing."""
        with self._translated():
            Path(self._root).mkdir(mode=0o700, parents=True, exist_ok=True)
            self._put(MARKER, owner.encode())

    def write(self, blob: str, data: bytes) -> None:
        self.ping()  # else the pictures of an unmounted disk would land on the one below
        with self._translated():
            self._put(blob, data)

    def _put(self, blob: str, data: bytes) -> None:
        path = Path(self._path(blob))
        partial = Path(self._path(f"{_PARTIAL}{blob.split('/')[0]}-{uuid4().hex}"))  # goes with the job, if it must
        try:
            with partial.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            self._place(partial, path)
        finally:
            partial.unlink(missing_ok=True)

    def _place(self, partial: Path, path: Path) -> None:
        folder = path.parent  # which may vanish at any moment, with a job that is being deleted
        for _ in range(_TRIES):
            with suppress(FileExistsError):
                folder.mkdir()
            with suppress(FileNotFoundError):
                partial.replace(path)
                break
            if not partial.exists():  # deleted, with the job that it was to belong to
                with suppress(OSError):
                    folder.rmdir()
                return
        else:
            raise FileNotFoundError(errno.ENOENT, "the folder of the job vanishes again and again")
        with suppress(FileNotFoundError):
            _sync(folder)
            _sync(folder.parent)

    def remove(self, *blobs: str) -> None:
        super().remove(*blobs)
        for folder in {Path(self._path(blob)).parent for blob in blobs}:
            with suppress(OSError):  # others are in it
                folder.rmdir()

    def remove_partial(self) -> None:
        """Remove what killed processes left half-written."""
        with self._translated():
            for partial in Path(self._root).glob(f"{_PARTIAL}*"):
                with suppress(FileNotFoundError):
                    if time.time() - partial.stat().st_mtime > _PARTIAL_SECONDS:
                        partial.unlink()

    def remove_job(self, job: str) -> None:
        """Remove all blobs of a job, those that are half-written, and its folder, were it empty."""
        with self._translated():
            for partial in Path(self._root).glob(f"{_PARTIAL}{job}-*"):
                partial.unlink(missing_ok=True)
        super().remove_job(job)
        with suppress(OSError):
            Path(self._path(job)).rmdir()


def _sync(folder: Path) -> None:
    """Make names in a folder last."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""From wherever a bundle lies to a folder of this machine, whole and verified, or not at all.

Copies are named by what is in them, so that what a server has begun to paint with does not change under it, whatever
becomes of the place that it came from.
"""

from __future__ import annotations

import errno
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from fsspec.implementations.local import LocalFileSystem

from impasto.bundle import MANIFEST, Bundle, load_bundle, parse_manifest, sha256
from impasto.errors import BundleError, ImpastoError, InvalidInput, MissingDependency
from impasto.places import reason_of, resolve, without_credentials
from impasto_server.errors import BundleDamaged, BundleUnreachable, FolderUnusable

MOST_BYTES = 4 * 2**30
"""Of a bundle, all files together; the largest transformers have some tens of megabytes."""
MOST_FILES = 10_000
"""Of a bundle: some two a style, and a few of the transformer's."""
_MOST_MANIFEST_BYTES = 16 * 2**20
_LONGEST_NAME = 200  # characters of a file's, its folder included
_CHUNK = 2**20  # bytes
_SERVERS_FAULT = 500  # and what is above it: statuses of HTTP
_DRAFT = ".draft-"
_DRAFT_SECONDS = 86_400.0  # no download takes longer
_MAY_PASS = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ESTALE)  # of a folder that cannot be written to


class Origin:
    """A bundle where it lies, which nobody has verified.

    Args:
        source: a folder, or a URL that fsspec knows.

    Attributes:
        name: the source without credentials.

    Raises:
        InvalidInput: it is neither.
        BundleUnreachable: it cannot be reached.
    """

    def __init__(self, source: str) -> None:
        self.name, self._secrets = without_credentials(source)
        try:
            self._files, root = resolve(source, field="source")
        except MissingDependency as error:
            raise InvalidInput("source", str(error)) from error
        except OSError as error:  # of a protocol that connects at once
            raise BundleUnreachable(self.name, reason_of(error, self._secrets)) from error
        self._root = root.rstrip("/")

    def manifest(self) -> bytes:
        """Return its bundle.json.

        Raises:
            InvalidInput: there is none.
            BundleDamaged: it is too large to be one.
            BundleUnreachable: the place cannot be reached.
        """
        try:
            return b"".join(self._chunks(MANIFEST, _MOST_MANIFEST_BYTES))
        except FileNotFoundError as error:
            raise InvalidInput("source", f"there is no {MANIFEST} in {self.name}; give a bundle's folder") from error

    def copy(self, name: str, target: Path, most: int) -> int:
        """Copy a file, and return how many bytes it has.

        Raises:
            BundleDamaged: it is not there, is no file, or has more bytes than that.
            BundleUnreachable: the place cannot be reached.
            OSError: it cannot be written.
        """
        count = 0
        try:
            with target.open("xb") as file:
                for chunk in self._chunks(name, most):
                    count += file.write(chunk)
        except FileNotFoundError as error:
            raise BundleDamaged(f"{self.name}: cannot read {name}: it is not there; copy the bundle again") from error
        return count

    def _chunks(self, name: str, most: int) -> Iterator[bytes]:
        path, count = f"{self._root}/{name}", 0
        with self._translated(), self._opened(path, name) as file:
            while chunk := file.read(_CHUNK):
                count += len(chunk)
                if count > most:
                    raise BundleDamaged(f"{self.name}: {name} makes it larger than a bundle may be; do not trust it")
                yield chunk

    def _opened(self, path: str, name: str) -> Any:
        if isinstance(self._files, LocalFileSystem) and Path(path).exists() and not Path(path).is_file():
            raise BundleDamaged(f"{self.name}: {name} is no file")  # a pipe would be waited for without end
        return self._files.open(path, "rb")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (ImpastoError, MemoryError, GeneratorExit):
            raise
        except FileNotFoundError as error:
            if _has_answered(error):
                raise
            raise BundleUnreachable(self.name, reason_of(_cause(error), self._secrets)) from error
        except Exception as error:
            raise BundleUnreachable(self.name, reason_of(error, self._secrets)) from error


class Cache:
    """A folder where bundles are kept under the digest of their manifest, which holds those of all their files.

    Several servers may share it. For any thread.

    Args:
        folder: made when it is needed.
        most_bytes, most_files: of one bundle.
    """

    def __init__(self, folder: Path, *, most_bytes: int = MOST_BYTES, most_files: int = MOST_FILES) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._most_files = most_files

    def check(self) -> None:
        """Make sure that copies can be kept in the folder, as far as that can be told before there is one.

        Raises:
            FolderUnusable: it can neither be made nor written to. One that is full is none: that may pass.
        """
        draft = self._draft()
        try:
            draft.mkdir(parents=True)
            draft.rmdir()
        except OSError as error:
            if error.errno not in _MAY_PASS:
                raise FolderUnusable(
                    f"bundle_cache: {self._folder} cannot be written to: {error.strerror}; mount a folder there that "
                    "can, or give one with --bundle-cache or --state-dir"
                ) from error

    def bundle_at(self, source: str) -> Bundle:
        """Return a bundle that a server begins with: in a folder of this machine as it lies there, elsewhere copied.

        Raises:
            BundleError: it is damaged, or there is none in the folder.
            InvalidInput, BundleDamaged, BundleUnreachable: see `fetch`.
        """
        return self.fetch(source) if is_url(source) else load_bundle(Path(source))

    def fetch(self, source: str) -> Bundle:
        """Return a bundle, of which this folder has a copy then; what it has already is not copied again.

        Raises:
            InvalidInput: the source is no place, or no bundle is there.
            BundleDamaged: the bundle is not what its manifest says, has an unknown format, or makes no sense.
            BundleUnreachable: the source cannot be reached, or this folder not written to.
        """
        origin = Origin(source)
        manifest = origin.manifest()
        home = self._folder / sha256(manifest)
        try:
            return self._kept(home, manifest) or self._copied(origin, manifest, home)
        except BundleError as error:
            raise BundleDamaged(str(error)) from error
        except OSError as error:
            raise BundleUnreachable(origin.name, f"its copy in {home}: {error.strerror or error}") from error

    def tidy(self) -> None:
        """Remove what killed processes left half-copied."""
        with suppress(OSError):
            for draft in self._folder.glob(f"{_DRAFT}*"):
                if time.time() - draft.stat().st_mtime > _DRAFT_SECONDS:
                    shutil.rmtree(draft, ignore_errors=True)

    def _kept(self, home: Path, manifest: bytes) -> Bundle | None:
        """Return what is in the folder already; what a disk has spoilt is removed."""
        if not home.exists():
            return None
        with suppress(BundleError, OSError):
            if (home / MANIFEST).read_bytes() == manifest:
                return load_bundle(home)
        shutil.rmtree(home)
        return None

    def _copied(self, origin: Origin, manifest: bytes, home: Path) -> Bundle:
        names = self._names(origin, manifest)
        draft = self._draft()
        draft.mkdir(parents=True)
        try:
            left = self._most_bytes
            for name in names:
                left -= self._copy(origin, name, draft, left)
            (draft / MANIFEST).write_bytes(manifest)
            bundle = _verified(draft, origin)
            with suppress(FileExistsError):  # another server's, the same; one that is not empty is not replaced
                _rename(draft, home)
            return replace(bundle, path=home)
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def _draft(self) -> Path:
        return self._folder / f"{_DRAFT}{uuid4().hex}"

    def _names(self, origin: Origin, manifest: bytes) -> list[str]:
        names = list(parse_manifest(manifest, origin.name)["files"])
        if len(names) > self._most_files or any(len(name) > _LONGEST_NAME for name in names):
            raise BundleError(
                f"{origin.name}: {MANIFEST} lists {len(names)} files, the longest name of {max(map(len, names))} "
                f"characters; {self._most_files} of {_LONGEST_NAME} are the most; do not trust it"
            )
        return names

    def _copy(self, origin: Origin, name: str, draft: Path, most: int) -> int:
        target = draft / name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            return origin.copy(name, target, most)
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            raise BundleError(f"{origin.name}: {MANIFEST} lists {name!r} as a file and as a folder") from error


def is_url(source: str) -> bool:
    """Return whether a bundle is to be fetched from there, and is not just looked for in a folder of this machine."""
    return "://" in source


def _has_answered(error: FileNotFoundError) -> bool:
    """Return whether a place says that a file is not there. fsspec says so too of an HTTP server out of reach."""
    cause = _cause(error)
    out_of_reach = isinstance(cause, OSError) and not isinstance(cause, FileNotFoundError)
    return not (out_of_reach or getattr(cause, "status", 0) >= _SERVERS_FAULT)


def _cause(error: Exception) -> Exception:
    return error.__cause__ if isinstance(error.__cause__, Exception) else error


def _verified(draft: Path, origin: Origin) -> Bundle:
    """Read a copy, of which errors speak by where it came from."""
    try:
        return load_bundle(draft)
    except BundleError as error:
        raise BundleError(str(error).replace(str(draft), origin.name)) from error


def _rename(draft: Path, home: Path) -> None:
    try:
        draft.rename(home)
    except OSError as error:
        if home.exists():
            raise FileExistsError(home) from error
        raise

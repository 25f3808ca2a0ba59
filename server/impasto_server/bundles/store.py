"""A store of bundles: a folder, or a URL that fsspec knows, below which they lie.

    <name>/bundle.json              a bundle that is replaced when there is a new version
    <name>/<version>/bundle.json    every version of it in a folder of its own

What the folders are called is of no account: name and version are what bundle.json says. Names that begin with a dot
are passed over, as tools that copy use them for what is not whole yet.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from impasto.bundle import MANIFEST, parse_manifest
from impasto.errors import BundleError
from impasto.places import modified, reason_of, resolve, without_credentials
from impasto_server.bundles.fetching import Origin
from impasto_server.errors import BundleRefused, BundleUnreachable

_DEPTHS = (1, 2)  # folders between the store and a bundle.json
_DEEPEST = 4  # folders that are looked into: those, and what a bundle has below it


@dataclass(frozen=True)
class Offer:
    """A folder of the store in which a bundle lies, or is being copied to.

    Attributes:
        source: what to fetch it by.
        fingerprint: another one whenever a file in it has changed.
        written: when its bundle.json was, s since 1970; 0 where the store does not tell.
    """

    source: str
    fingerprint: str
    written: float

    @property
    def name(self) -> str:
        """The source without credentials."""
        return without_credentials(self.source)[0]


class BundleStore:
    """Looks into a store. For one thread at a time.

    Args:
        url: of the store.

    Attributes:
        name: the URL without credentials.

    Raises:
        InvalidInput: not a URL that fsspec knows.
        MissingDependency: of its protocol.
    """

    def __init__(self, url: str) -> None:
        self.name, self._secrets = without_credentials(url)
        self._url = url.rstrip("/")
        self._found: tuple[fsspec.AbstractFileSystem, str] | None = None
        with suppress(OSError):  # of a protocol that connects at once, to what may be away; it is tried again
            self._place()

    def offers(self) -> list[Offer]:
        """Return what is in it, in the order in which it was written.

        Raises:
            BundleUnreachable: it cannot be reached, or there is no such folder.
        """
        try:
            files = dict(self._listed())
        except Exception as error:
            raise BundleUnreachable(self.name, reason_of(error, self._secrets)) from error
        found = [self._offer(path[: -len(MANIFEST) - 1], files) for path in files if _is_manifest(path)]
        return sorted(found, key=lambda offer: (offer.written, offer.source))

    def was_offered(self, name: str) -> Offer:
        """Return what stands for a bundle that was in it, by its source without credentials, until it is seen again."""
        folder = name.removeprefix(self.name.rstrip("/"))
        return Offer(source=f"{self._url}{folder}", fingerprint="", written=0.0)

    def _offer(self, folder: str, files: Mapping[str, Mapping[str, Any]]) -> Offer:
        inside = [(path, details) for path, details in files.items() if path.startswith(f"{folder}/")]
        lines = [f"{path} {details.get('size')} {details.get('ETag')} {modified(details)}" for path, details in inside]
        return Offer(
            source=f"{self._url}/{folder}",
            fingerprint=hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest(),
            written=modified(files[f"{folder}/{MANIFEST}"]),
        )

    def _listed(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield the path of every file, relative to the store, and what fsspec says of it."""
        files, root = self._place()
        if isinstance(files, LocalFileSystem):
            yield from _in_folder(Path(root))
            return
        files.invalidate_cache()
        for path, details in files.find(root, detail=True).items():
            yield path[len(root) :].lstrip("/"), details

    def _place(self) -> tuple[fsspec.AbstractFileSystem, str]:
        if self._found is None:
            files, root = resolve(self._url, field="bundle_store")
            self._found = files, root.rstrip("/")
        return self._found


def label(source: str) -> tuple[str, str]:
    """Return the name and the version of the bundle at a source, as it says itself; nothing is verified.

    Raises:
        InvalidInput, BundleUnreachable: see `Origin.manifest`.
        BundleRefused: they cannot be read.
    """
    origin = Origin(source)
    try:
        manifest = parse_manifest(origin.manifest(), origin.name)
    except BundleError as error:
        raise BundleRefused(str(error)) from error
    name, version = manifest.get("name"), manifest.get("version")
    if not isinstance(name, str) or version is None:
        raise BundleRefused(f"{origin.name}: {MANIFEST} has no name and version; export it again")
    return name, str(version)


def _is_manifest(path: str) -> bool:
    *folders, file = path.split("/")
    return file == MANIFEST and len(folders) in _DEPTHS and not any(part.startswith(".") for part in folders)


def _in_folder(root: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield files as `_listed` does, behind links to folders too, which fsspec would not follow."""
    with os.scandir(root):  # which fails where there is none
        pass
    for folder, folders, files in os.walk(root, followlinks=True):
        depth = len(Path(folder).relative_to(root).parts)
        folders[:] = [name for name in folders if not name.startswith(".")] if depth < _DEEPEST - 1 else []
        for name in files:
            path = Path(folder, name)
            try:
                found = path.stat()
            except OSError:  # it has gone, or leads nowhere
                continue
            yield path.relative_to(root).as_posix(), {"size": found.st_size, "mtime": found.st_mtime_ns / 1e9}

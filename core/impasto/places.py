"""Where files lie: a folder, or whatever fsspec reaches by URL."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from impasto.errors import InvalidInput, MissingDependency

_EXTRAS = {"s3": ("s3fs", "s3"), "s3a": ("s3fs", "s3")}
_MODIFIED = ("mtime", "LastModified", "last_modified", "updated", "created")  # in the words of fsspec's backends
_S3 = {"config_kwargs": {"retries": {"mode": "standard", "max_attempts": 2}}}
_BUCKET = re.compile(r"[A-Za-z0-9._-]{1,255}|arn:.+")
_S3_TRIES = 2  # s3fs's own, around those: a store that is away is noticed in seconds, not in minutes


def resolve(url: str, *, field: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """Return the file system that a URL or a folder is on, and the path there.

    Args:
        url: such as `s3://bucket/prefix`, or a folder.
        field: what the caller calls it, for errors.

    Raises:
        InvalidInput: not a URL that fsspec knows.
        MissingDependency: of the URL's protocol.
    """
    if not url:
        raise InvalidInput(field, "is empty; give a folder, or a URL such as s3://bucket/prefix")
    protocol = url.split("://")[0] if "://" in url else "file"
    if protocol in ("file", "local"):
        return LocalFileSystem(), str(Path(url.removeprefix(f"{protocol}://")).expanduser().absolute())
    name, _ = without_credentials(url)
    options = _S3 if protocol in _EXTRAS else {}
    try:
        # What other processes write must be seen, so no listing is remembered.
        files, root = fsspec.url_to_fs(url, use_listings_cache=False, skip_instance_cache=True, **options)
    except ImportError as error:
        if protocol in _EXTRAS:
            raise MissingDependency(*_EXTRAS[protocol]) from error
        raise InvalidInput(field, f"{name!r} needs a package that is not installed: {error}") from error
    except ValueError:
        raise InvalidInput(field, f"fsspec does not know {name!r}; give a folder or s3://bucket/prefix") from None
    if protocol in _EXTRAS and not _BUCKET.fullmatch(root.split("/")[0].rpartition("@")[2]):
        raise InvalidInput(field, f"{name!r} names no bucket; give s3://bucket/prefix")
    files.retries = _S3_TRIES
    return files, root


def without_credentials(url: str) -> tuple[str, list[str]]:
    """Return the URL without user and password, and what is to be kept quiet: both together, and the password."""
    found = re.search(r"://([^/@]*)@", url)
    if not found:
        return url, []
    both = found[1]
    return url.replace(both, "***"), [both, *both.split(":")[1:]]


def reason_of(error: Exception, secrets: Sequence[str]) -> str:
    """Return what an error of fsspec's says, without the secrets: each of its backends has errors of its own."""
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    for secret in secrets:
        reason = reason.replace(secret, "***")
    return reason


def modified(details: Mapping[str, Any]) -> float:
    """Return when a file was written, as fsspec tells of it, s since 1970; 0 where that is unknown."""
    value = next((details[key] for key in _MODIFIED if details.get(key)), 0)
    return value.timestamp() if isinstance(value, datetime) else float(value)

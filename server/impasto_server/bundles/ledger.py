"""What was last served from a store, for a server that starts while the store is away."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from impasto.bundle import sha256


@dataclass(frozen=True)
class Entry:
    """A bundle that was served.

    Attributes:
        source: where it came from, without credentials.
        copy: the folder's name of its copy in the cache.
    """

    source: str
    copy: str


class Ledger:
    """A file in the cache. For one thread at a time; several servers of a store may share it, as they serve the same.

    Args:
        folder: the cache.
        store: the store's name, without credentials.
    """

    def __init__(self, folder: Path, store: str) -> None:
        self._folder = folder
        self._file = folder / f".served-{sha256(store.encode())[:16]}.json"
        self._written: list[Entry] | None = None

    def write(self, entries: Sequence[Entry]) -> None:
        """Note what is served now, the last to be loaded last. Where that cannot be written, nothing is noted."""
        if self._written == list(entries):
            return
        draft = self._file.with_suffix(".draft")
        with suppress(OSError):
            draft.write_text(json.dumps([asdict(entry) for entry in entries]), encoding="utf-8")
            draft.replace(self._file)
            self._written = list(entries)

    def read(self) -> list[tuple[str, Path]]:
        """Return where each came from, and the folder of its copy; nothing where nothing can be read."""
        with suppress(OSError, ValueError, TypeError):
            entries = [Entry(**entry) for entry in json.loads(self._file.read_text(encoding="utf-8"))]
            return [(entry.source, self._folder / Path(entry.copy).name) for entry in entries]
        return []

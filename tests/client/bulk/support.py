"""Folders of photos, and what is found in them and in manifests."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import Event
from typing import Any

from impasto import images
from impasto.images import Format
from impasto.v1 import stylizer_pb2 as pb
from tests.client.servers import Call
from tests.client.stream_servers import echoed
from tests.support import gradient

FORMATS = {".png": Format.PNG, ".webp": Format.WEBP}


def put(folder: Path, *paths: str, width: int = 64) -> Path:
    """Write a photo to each of these paths, and return the folder."""
    for path in paths:
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(images.encode(gradient(width, 48), format=FORMATS.get(file.suffix.lower(), Format.JPEG)))
    return folder


def put_many(folder: Path, count: int) -> Path:
    """Write so many photos, `00/0000.png` to `09/...`, into ten folders."""
    data = images.encode(gradient(), format=Format.PNG)
    for number in range(count):
        file = folder / f"{number % 10:02}" / f"{number:04}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return folder


def pictures(folder: Path) -> set[str]:
    """Return the paths of all pictures that are in a folder."""
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    return {path for path in found if not path.startswith("_impasto/")}


def are_whole(folder: Path) -> bool:
    """Tell whether every picture can be decoded to its end."""
    return all(images.decode((folder / path).read_bytes()).size for path in pictures(folder))


def entries(out: Path) -> Iterator[Mapping[str, Any]]:
    """Yield the whole entries of a local manifest, in the order in which they were made."""
    for part in sorted(out.glob("_impasto/shards/*/*.jsonl"), key=lambda part: part.name):
        for line in part.read_bytes().splitlines(keepends=True):
            if line.endswith(b"\n") and "state" in (entry := json.loads(line)):
                yield entry


def reasons(out: Path) -> dict[str, str]:
    """Return why photos failed, by their paths."""
    return {entry["source"]: entry["reason"] for entry in entries(out) if entry["state"] == "failed"}


def echo(call: Call) -> Any:
    """Paint as a server that returns photos as they are."""
    return style() if call.method == "GetStyle" else (echoed(item) for item in items(call))


class Pausing:
    """A server's answers: photos as they are, so many of them, and the others once it may go on.

    Args:
        count: photos, the run's own included.

    Attributes:
        go: set when it may.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self.go = Event()

    def __call__(self, call: Call) -> Any:
        return style() if call.method == "GetStyle" else self._painted(call)

    def _painted(self, call: Call) -> Iterator[pb.StylizeStreamResponse]:
        for number, request in enumerate(items(call)):
            while number >= self._count and not self.go.wait(0.05):
                if call.released.is_set():
                    return
            yield echoed(request)


def style() -> pb.Style:
    return pb.Style(name="bundles/test/styles/ink", style_id="ink", bundle_version="1")


def items(call: Call) -> Iterator[pb.StylizeStreamRequest]:
    return (request for request in call.request if request.HasField("item"))

"""Small things that tests build from."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from benchmarks.ports import free_ports as free_ports
from impasto import images
from impasto.bundle import CODES, GRAPH, IDENTITY, WEIGHTS, Bundle, write_bundle
from impasto.codes import Codes

CODE_SIZE = 10


def all_below(root: Path) -> list[Path]:
    """Return the files and folders below a folder; unlike `Path.rglob`, also while others delete some of them."""
    return [Path(folder) / name for folder, folders, files in os.walk(root) for name in (*folders, *files)]


def gradient(width: int = 64, height: int = 48) -> images.Pixels:
    """Return a picture [height, width, 3] in which every pixel differs from its neighbours."""
    y, x = np.mgrid[0:height, 0:width]
    channels = (x * 255 / max(1, width - 1), y * 255 / max(1, height - 1), (x + y) * 255 / max(1, width + height - 2))
    return np.stack(channels, axis=-1).astype(np.uint8)


def code(a: float, b: float) -> Codes:
    """Return a code [CODE_SIZE] with this gate."""
    return np.asarray([0] * (CODE_SIZE - 6) + [a] * 3 + [b] * 3, dtype=np.float32)


def fake_bundle(
    path: Path, *styles: str, name: str = "test", version: str = "1", graph: str = "", light: float = 1.0
) -> Bundle:
    """Write a bundle whose graph no runtime reads; a FakeEngine paints its styles as the photo's negative.

    Args:
        path: its directory.
        styles: their ids; ink and gold by default.
        name, version: the bundle's.
        graph: bundles with another one have another transformer; the name by default.
        light: what the negative is multiplied with.
    """
    styles = styles or ("ink", "gold")
    manifest = {
        "name": name,
        "version": version,
        "code_size": CODE_SIZE,
        "size_multiple": 4,
        "styles": [{"id": style, "title": style.title(), "artist": "A. Painter", "year": "1889"} for style in styles],
    }
    thumbnail = images.encode(gradient(32, 24))
    files = {
        GRAPH: b"graph of " + (graph or name).encode(),
        WEIGHTS: save({"weight": np.zeros(1, np.float32)}),
        CODES: save({IDENTITY: code(1, 0), **{style: code(0, light) for style in styles}}),
        **{f"styles/{style}.jpg": thumbnail for style in styles},
        **{f"styles/{style}.md": f"# {style}\n".encode() for style in styles},
    }
    return write_bundle(path, manifest, files)


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """Let writes beyond `size` bytes fail, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

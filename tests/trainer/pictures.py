"""Photos and paintings for tests of the trainer, made on the spot."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from impasto import images


def painting(path: Path, side: int = 96) -> Path:
    """Write a picture of coarse diagonal strokes."""
    y, x = np.mgrid[0:side, 0:side]
    strokes = 127 + 127 * np.sin((x + y)[..., None] / np.asarray([3.0, 4.0, 5.0]))
    path.write_bytes(images.encode(strokes.astype(np.uint8), quality=95))
    return path


def photos(folder: Path, count: int = 6, width: int = 96, height: int = 80) -> Path:
    """Write a folder of soft colour gradients."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for index in range(count):
        corners = rng.integers(0, 255, size=(2, 2, 3), dtype=np.uint8)
        (folder / f"photo_{index}.jpg").write_bytes(images.encode(images.resize(corners, width, height)))
    return folder

"""Masks for tests."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.images import Size
from impasto.masks import Coverage


def png(image: Image.Image | NDArray[Any], **options: Any) -> bytes:
    """Return a picture, or values [H, W], as a PNG."""
    file = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(file, "PNG", **options)
    return file.getvalue()


def left_half(width: int = 64, height: int = 48) -> Coverage:
    """Return the values of a mask whose left half is white."""
    values = np.zeros((height, width), np.uint8)
    values[:, : width // 2] = 255
    return values


def flat(size: Size, value: int) -> bytes:
    """Return a mask that is the same everywhere."""
    return png(np.full(size[::-1], value, np.uint8))

"""A photo to try engines on, and how near two pictures are."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from impasto.images import Planes, decode, to_planes

_PHOTO = Path(__file__).parent / "probe.jpg"  # the astronaut Eileen Collins, by NASA, in the public domain


def probe_photo(size_multiple: int) -> Planes:
    """Return the photo: [1, 3, H, W], RGB in 0..1, H and W multiples of `size_multiple` near 256 px."""
    pixels = decode(_PHOTO.read_bytes())
    height, width = (side - side % size_multiple for side in pixels.shape[:2])
    return to_planes(pixels[:height, :width])


def decibels(one: Planes, other: Planes) -> float:
    """Return the PSNR between two pictures of the same shape, in dB; infinite where they are the same."""
    error = float(np.mean(np.square(one - other, dtype=np.float64)))
    return math.inf if error == 0 else -10 * math.log10(error)

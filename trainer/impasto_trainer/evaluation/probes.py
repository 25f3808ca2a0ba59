"""Pictures that networks stumble over, and numbers that tell what they made of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from impasto.images import Pixels

FRAME = 16  # px, what counts as border; of a small picture a quarter of its shorter side
SHIFT = (3, 5)  # px, down and right
DARK = 0.1  # of the photo's brightness
NOISE = 0.01  # of the range 0..1, standard deviation
_SKY = ((70, 120, 190), (200, 220, 240))  # zenith and horizon
_TEXT = "The quick brown fox jumps over the lazy dog 0123456789"
_TEXT_SIZES = (12, 16, 24, 36)  # px
GREY, WHITE = 128, 254  # of 255; noise of a level must fit in
_LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R BT.601


def flat(side: int, level: int) -> Pixels:
    """Return one shade of grey, 1 to 254, with noise of one level as a sensor leaves it: [side, side, 3]."""
    grain = np.random.default_rng(0).integers(-1, 2, size=(side, side, 3))
    return np.asarray(level + grain, dtype=np.uint8)


def sky(side: int) -> Pixels:
    """Return a sky without a cloud, paler towards the horizon, with the same noise: [side, side, 3]."""
    depth = np.linspace(0, 1, side)[:, None, None]
    top, bottom = np.asarray(_SKY, float)
    return np.asarray(np.rint(top + depth * (bottom - top)) + flat(side, 1) - 1.0, dtype=np.uint8)


def letters(side: int) -> Pixels:
    """Return a page of print in several sizes: [side, side, 3]."""
    page = Image.new("RGB", (side, side), "white")
    draw, top = ImageDraw.Draw(page), 4
    while top < side:
        for size in _TEXT_SIZES:
            draw.text((4, top), _TEXT, fill="black", font=ImageFont.load_default(size))
            top += round(1.5 * size)
    return np.asarray(page)


def dark(photo: Pixels) -> Pixels:
    """Return the photo as an underexposed one."""
    return np.asarray(np.rint(photo * DARK), dtype=np.uint8)


def noisy(photo: Pixels) -> Pixels:
    """Return the photo with the noise of a sensor, the same in every run."""
    noise = np.random.default_rng(0).normal(0, 255 * NOISE, photo.shape)
    return np.asarray(np.clip(np.rint(photo + noise), 0, 255), dtype=np.uint8)


def luminance(picture: Pixels) -> NDArray[np.float64]:
    """Return the luminance [H, W] of [H, W, 3], in 0..255."""
    return np.asarray(picture @ np.asarray(_LUMINANCE))


def border_excess(painted: Pixels, photo: Pixels) -> float:
    """Return the variance in the outer frame over that of the rest, over the same of the photo: 1 is no border."""
    return _border_ratio(painted) / _border_ratio(photo)


def nyquist_share(picture: Pixels) -> float:
    """Return the share of the picture's power that lies at the highest frequency across, down or both.

    A checkerboard, or stripes of one pixel, lie there. The mean is taken off and the edges are faded out (Hann), which
    otherwise reach into every frequency.

    Args:
        picture: [H, W, 3]; H and W even.
    """
    values = luminance(picture)
    height, width = values.shape
    window = np.outer(np.hanning(height), np.hanning(width))
    power = np.abs(np.fft.fft2((values - values.mean()) * window)) ** 2
    at = power[height // 2].sum() + power[:, width // 2].sum() - power[height // 2, width // 2]
    return float(at / max(power.sum(), 1e-12))


def difference(one: Pixels, other: Pixels) -> float:
    """Return the root of the mean squared difference of two pictures, in 8-bit levels."""
    return float(np.sqrt(np.square(one.astype(float) - other).mean()))


def _border_ratio(picture: Pixels) -> float:
    values = luminance(picture)
    inner = np.zeros(values.shape, bool)
    frame = min(FRAME, min(values.shape) // 4)
    inner[frame:-frame, frame:-frame] = True
    return float(values[~inner].var() / max(values[inner].var(), 1e-6))

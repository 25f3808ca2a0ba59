"""Pictures that come and go as pixels rather than as files: RGB, row by row, the three values of a pixel together."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import ClassVar

import numpy as np

from impasto.errors import InvalidInput
from impasto.images import Limits, Pixels, Size, resize

_STRIP = 65_536  # values that are converted at once: as many as a core's cache holds
_SLACK = 1e-3  # what a value may lie outside of 0..1, as those do that were computed


class Depth(Enum):
    """How a value is written, little endian."""

    UINT8 = 1
    """0 to 255."""
    FP32 = 4
    """0 to 1."""

    @property
    def bytes_a_pixel(self) -> int:
        return 3 * self.value


@dataclass(frozen=True)
class RawPhoto:
    """A photo that came as pixels.

    Attributes:
        data: its pixels.
        size: its width and height, px.
        depth: of each value.
        field: what to call it in an error.
    """

    data: bytes = field(repr=False)
    size: Size
    depth: Depth
    field: str = "pixels"

    exif: ClassVar[bytes] = b""
    """It has none."""

    def __len__(self) -> int:
        return len(self.data)

    def check(self, limits: Limits) -> None:
        """Raise ImageTooLarge or InvalidInput unless a picture of this size is allowed."""
        limits.check(*self.size, self.field)

    def decode(self, size: Size | None = None) -> Pixels:
        """Return the picture, [H, W, 3], at another size if one is given.

        Raises:
            InvalidInput: a value is no number, or out of range.
        """
        width, height = self.size
        pixels = self._rounded() if self.depth is Depth.FP32 else np.frombuffer(self.data, np.uint8)
        pixels = pixels.reshape(height, width, 3)
        return resize(pixels, *size) if size else pixels

    def _rounded(self) -> Pixels:
        values = np.frombuffer(self.data, "<f4")
        rounded = np.empty(len(values), np.uint8)
        for start in range(0, len(values), _STRIP):
            strip = values[start : start + _STRIP]
            self._check_range(float(strip.min()), float(strip.max()))
            rounded[start : start + _STRIP] = np.rint(np.clip(strip, 0, 1) * np.float32(255))
        return rounded

    def _check_range(self, least: float, most: float) -> None:
        if least >= -_SLACK and most <= 1 + _SLACK:  # which is not so of NaN either
            return
        raise InvalidInput(
            self.field, f"has values from {least:g} to {most:g}; give 0 to 1, or pixels_uint8 with 0 to 255"
        )


def written(pixels: Pixels, depth: Depth) -> bytes:
    """Return a picture's pixels, [H, W, 3], as `RawPhoto` holds them."""
    if depth is Depth.UINT8:
        return pixels.tobytes()
    return (pixels.astype("<f4") / np.float32(255)).tobytes()

"""Pictures for a soak: sound ones of many sizes and formats, hostile ones, and a look at what was painted."""

from __future__ import annotations

import random
import struct
import zlib
from dataclasses import dataclass

import numpy as np

from benchmarks.soak_tally import Tally
from impasto import images
from impasto.images import Format, Pixels
from impasto_client import Stylized

SIDES = (64, 2048)  # px
STYLES = ("great-wave", "starry-night", "the-scream")
_COUNT = 40
_LARGEST_COMPARED = 640  # px, long side; what is compared is kept in memory
# In bfloat16 a picture that is painted in a batch differs from itself painted alone by 1/255, and a few values by more:
# 25 of 197,000 by 2/255 or 3/255, 22 of them in one of four pictures. Which batch it is in is chance.
_MAY_BE_APART = 1e-3
_MOST_APART = 6
_FORMATS = (Format.JPEG, Format.PNG, Format.WEBP)


@dataclass(frozen=True)
class Sample:
    """A photo.

    Attributes:
        name: tells it from the others.
        file: its bytes.
        size: (width, height) in px.
    """

    name: str
    file: bytes
    size: tuple[int, int]

    @property
    def is_small(self) -> bool:
        return max(self.size) <= _LARGEST_COMPARED


def photos(seed: int = 0) -> list[Sample]:
    """Return photos whose sides are spread evenly over the scale of sizes."""
    rng = np.random.default_rng(seed)
    low, high = np.log2(SIDES)
    sides = np.exp2(rng.uniform(low, high, (_COUNT, 2))).astype(int)
    made = []
    for number, (width, height) in enumerate(sides):
        kind = _FORMATS[number % len(_FORMATS)]
        file = images.encode(_scene(int(width), int(height), rng), format=kind)
        made.append(Sample(f"{number}", file, (int(width), int(height))))
    return made


def small_photo(width: int = 96, height: int = 64) -> bytes:
    return images.encode(_scene(width, height, np.random.default_rng(1)), format=Format.PNG)


def hostile() -> list[bytes]:
    """Return what is no photo, or claims to be a larger one than it is."""
    sound = small_photo()
    return [
        b"not a picture at all",
        sound[: len(sound) // 2],
        sound[:16] + struct.pack(">II", 60_000, 60_000) + sound[24:],
        _png(50_000, 50_000),
        b"\xff\xd8\xff\xe0" + bytes(4000),
        b"RIFF\xff\xff\xff\x7fWEBPVP8 " + bytes(4000),
        b"GIF89a" + sound,
        random.Random(0).randbytes(20_000),
    ]


class Judge:
    """Looks at what was painted, and whether the same was painted before."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._seen: dict[tuple[str, str], Pixels] = {}

    def look(self, sample: Sample, style: str, painted: Stylized) -> None:
        """Check size and content, and where it was asked for as PNG, that it is what it was the last time."""
        pixels = images.decode(painted.image)
        self._tally.checked += 1
        if pixels.shape != (sample.size[1], sample.size[0], 3):
            self._tally.fail(f"photo {sample.name} of {sample.size} came back as {pixels.shape}")
        elif painted.format == "png" and sample.is_small:
            self._compare(sample, style, pixels)

    def _compare(self, sample: Sample, style: str, pixels: Pixels) -> None:
        before = self._seen.setdefault((sample.name, style), pixels)
        if before is pixels:
            return
        self._tally.compared += 1
        apart = np.abs(before.astype(int) - pixels)
        if apart.max() > _MOST_APART or (apart > 1).mean() > _MAY_BE_APART:
            what = f"{apart.max()}/255 at most, in {(apart > 1).sum()} values by more than 1/255"
            self._tally.fail(f"photo {sample.name} in {style} differs from what was painted before, by {what}")


def _scene(width: int, height: int, rng: np.random.Generator) -> Pixels:
    """Return slopes with some noise [height, width, 3], which has flat parts and detail."""
    y, x = np.mgrid[0:height, 0:width]
    slopes = np.stack([x * 255 / width, y * 255 / height, (x + y) * 255 / (width + height)], axis=-1)
    return np.clip(slopes + rng.normal(0, 12, slopes.shape), 0, 255).astype(np.uint8)


def _png(width: int, height: int) -> bytes:
    """Return a PNG of one colour that takes few bytes and many pixels."""
    row = b"\0" + bytes(width * 3)
    packer = zlib.compressobj(9)
    data = packer.compress(row * 100) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        _chunk(*part) for part in ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    )


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

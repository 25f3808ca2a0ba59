"""Paintings: what a style is learnt from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from impasto import images
from impasto.backbones import STYLE_LAYERS
from impasto.bundle import IDENTITY, slug
from impasto.errors import InvalidInput
from impasto.nn.losses import gram
from impasto.nn.perception import Perception

_THUMBNAIL = 384  # px, long side
_LEAST_SIDE = 64  # px; of less, VGG-19's deepest style layer sees but a few positions
_LEAST_DEVIATION = 1.0  # of 255, in the channel that varies most: what remains of one colour in a JPEG is less
_LIMITS = images.Limits(max_pixels=400_000_000)  # museums' scans are large, and come from the user's own disk


@dataclass(frozen=True)
class Painting:
    """A painting and the id of the style that is learnt from it.

    Attributes:
        style: the style's id: the file's name in lower case, words joined by hyphens.
        file: the file's name.
        sha256: hex digest of the file.
        pixels: [H, W, 3].
    """

    style: str
    file: str
    sha256: str
    pixels: images.Pixels

    @classmethod
    def read(cls, path: Path) -> Painting:
        """Read a painting.

        Raises:
            InvalidInput: no such file, no picture that can be read, or one with nothing in it to learn.
        """
        try:
            data = path.read_bytes()
        except OSError as error:
            raise InvalidInput("painting", f"cannot read {path}: {error.strerror}") from error
        pixels = images.decode(data, limits=_LIMITS, field=f"painting {path.name}")
        _check(pixels, path.name)
        return cls(style_id(path), path.name, hashlib.sha256(data).hexdigest(), pixels)

    def at_size(self, shorter: int) -> images.Pixels:
        """Return the painting with its shorter side at this many px."""
        return images.with_short_side(self.pixels, shorter)

    def thumbnail(self) -> bytes:
        return images.encode(images.with_long_side(self.pixels, _THUMBNAIL), quality=85)


def _check(pixels: images.Pixels, name: str) -> None:
    height, width = pixels.shape[:2]
    if min(height, width) < _LEAST_SIDE:
        raise InvalidInput(
            "painting",
            f"{name} is {width} x {height} px, too small to show strokes; give a scan or photo whose shorter side has "
            f"{_LEAST_SIDE} px or more, better 500",
        )
    if pixels.std(axis=(0, 1)).max() < _LEAST_DEVIATION:
        raise InvalidInput("painting", f"{name} is all one colour, which holds no strokes to learn; give another")


def read_paintings(paths: list[Path]) -> list[Painting]:
    """Read paintings, each of which becomes a style.

    Raises:
        InvalidInput: one cannot be read, or its file gives an id that is taken.
    """
    paintings = [Painting.read(path) for path in paths]
    styles = [painting.style for painting in paintings]
    for painting in paintings:
        if styles.count(painting.style) > 1:
            raise InvalidInput("painting", f"two files give the style id {painting.style!r}; rename one")
        if painting.style == IDENTITY:
            raise InvalidInput("painting", f"{painting.file} gives the id {IDENTITY!r}, which is taken; rename it")
    return paintings


def style_id(path: Path) -> str:
    """Return the style id that a painting's file name gives: `The_Scream.jpg` -> `the-scream`."""
    return slug(path.stem) or "style"


def style_grams(
    paintings: list[Painting], size: int, perception: Perception, device: torch.device
) -> dict[str, Tensor]:
    """Return the style targets: layer -> [S, C, C], one Gram matrix a painting."""
    each = [picture_grams(painting.at_size(size), perception, device) for painting in paintings]
    return {layer: torch.cat([grams[layer] for grams in each]) for layer in STYLE_LAYERS}


@torch.no_grad()
def picture_grams(pixels: images.Pixels, perception: Perception, device: torch.device) -> dict[str, Tensor]:
    """Return the Gram matrices of a picture [H, W, 3]: layer -> [1, C, C]."""
    image = torch.from_numpy(images.to_planes(pixels)).to(device)
    return {layer: gram(features) for layer, features in perception(image, STYLE_LAYERS).items()}

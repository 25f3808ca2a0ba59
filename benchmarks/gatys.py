"""The textbook's way (Gatys et al. 2016, as every tutorial has it), for others to be held against.

One scale, VGG-19 as it is loaded, torch.optim.LBFGS with its own defaults, 300 evaluations from the photo, the picture
clamped before each. It makes the same objective small as `impasto.nn.optimize`, so that the two can be compared.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from impasto import images
from impasto.images import Pixels
from impasto.nn.losses import content_loss, gram, style_loss, total_variation
from impasto.nn.optimize.objective import STYLE_UNIT, TV_UNIT
from impasto.nn.perception import Perception, load_perception
from impasto.optimization import Optimization

EVALUATIONS = 300


@dataclass(frozen=True)
class Pair:
    """A photo and a painting, [H, W, 3] each, the painting with the photo's area."""

    name: str
    photo: Pixels = field(repr=False)
    painting: Pixels = field(repr=False)


@dataclass(frozen=True)
class Moment:
    """A picture [1, 3, H, W], and how many seconds after the start it was there."""

    seconds: float
    picture: Tensor = field(repr=False)


class Judge:
    """VGG-19's objective of any picture for one pair, on the picture clamped to 0..1, as it would be saved."""

    def __init__(self, perception: Perception, pair: Pair, asked: Optimization) -> None:
        self._perception = perception
        self._asked = asked
        photo, painting = tensor(pair.photo), tensor(pair.painting)
        with torch.no_grad():
            self._content = perception(photo, asked.content_layers)
            self._grams = {name: gram(value) for name, value in perception(painting, asked.style_layers).items()}

    def weigh(self, picture: Tensor) -> Tensor:
        """Return the objective of a picture [1, 3, H, W], differentiable: [1]."""
        found = self._perception(picture, (*self._asked.content_layers, *self._asked.style_layers))
        return (
            self._asked.content_weight * content_loss(found, self._content)
            + self._asked.style_weight * STYLE_UNIT * style_loss(found, self._grams)
            + self._asked.tv_weight * TV_UNIT * total_variation(picture)
        )

    @torch.no_grad()
    def __call__(self, picture: Tensor) -> float:
        return self.weigh(picture.clamp(0, 1)).item()


def textbook(judge: Judge, photo: Pixels) -> Iterator[Moment]:
    """Optimise from the photo, and yield the picture at each evaluation."""
    picture = tensor(photo).requires_grad_()
    optimizer = torch.optim.LBFGS([picture])
    moments: list[Moment] = []
    begun = time.perf_counter()

    def closure() -> Tensor:
        with torch.no_grad():
            picture.clamp_(0, 1)
        optimizer.zero_grad()
        total = judge.weigh(picture).sum()
        torch.autograd.backward(total)
        assert picture.grad is not None
        picture.grad = picture.grad.contiguous()
        moments.append(Moment(time.perf_counter() - begun, picture.detach().clone()))
        return total

    count = 0
    while count < EVALUATIONS:
        optimizer.step(closure)  # type: ignore[no-untyped-call]
        count += len(moments)
        yield from moments
        moments.clear()


def plain_vgg(asked: Optimization, weights: Path | None) -> Perception:
    """Return VGG-19 without anything that makes it fast."""
    return load_perception((*asked.content_layers, *asked.style_layers), weights, name="vgg19")


def tensor(pixels: Pixels) -> Tensor:
    return torch.from_numpy(images.to_planes(pixels))


def read_pairs(photos: Sequence[Path], paintings: Sequence[Path], size: int) -> list[Pair]:
    """Return the first photo with the first painting, and so on, at a long side of `size` px."""
    return [read_pair(photo, painting, size) for photo, painting in zip(photos, paintings, strict=False)]


def read_pair(photo: Path, painting: Path, size: int) -> Pair:
    scene = images.with_long_side(images.decode(photo.read_bytes(), field=photo.name), size)
    style = images.decode(painting.read_bytes(), field=painting.name)
    factor = min(1.0, (scene[..., 0].size / style[..., 0].size) ** 0.5)
    style = images.resize(style, round(style.shape[1] * factor), round(style.shape[0] * factor))
    return Pair(f"{photo.stem} as {painting.stem}", scene, style)


def add_pictures(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which pictures and weights to take."""
    parser.add_argument("--photos", type=Path, nargs="+", required=True, metavar="FILE")
    parser.add_argument("--paintings", type=Path, nargs="+", required=True, metavar="FILE", help="one a photo")
    parser.add_argument("--vgg-weights", type=Path, metavar="FILE")

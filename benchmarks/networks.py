"""Which transformer paints best for its time: every design after the same short training.

    python -m benchmarks.networks --photos DIR --paintings DIR --validation DIR [--steps 200] [--styles ID ...]

Prints parameters, time at 512 px on every provider of this machine, and quality: style and content fraction at 256 px
on unseen photos (see `impasto_trainer.evaluation.judge`), and N_eq from the photo. Every design is trained on the same
crops, with the same recipe, by the compact perception; VGG-19 judges where its weights are at hand.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from benchmarks.trials import chosen_paintings, judging_eye, train, trial_parser, unseen_photos
from impasto import images
from impasto.bundle import Bundle
from impasto.cards import About
from impasto.engine import Engine, Provider, available_providers, open_engine
from impasto.machine import machine, table
from impasto.nn.designs import DESIGNS
from impasto.nn.layers import CodeReader, ConvNorm, Convolution, Residual
from impasto_exporter.export import export
from impasto_trainer.evaluation.judge import Eye, Judge
from impasto_trainer.evaluation.neq import PHOTO_CAP, Descent, Objective, Weights
from impasto_trainer.paintings import Painting
from impasto_trainer.photos import find_photos
from impasto_trainer.recipe import Recipe
from impasto_trainer.training import Training

TIMED_AT = 512  # px
_NEQ_PHOTOS = 1
_WARM_UP, _RUNS = 2, 7


class Quarter(nn.Module):
    """4 x 4 px folded into channels, everything at a quarter of the resolution, and unfolded at once."""

    size_multiple = 4
    inventory: ClassVar[dict[str, int]] = {}

    def __init__(self, width: int, residual_blocks: int) -> None:
        super().__init__()
        self.stem = ConvNorm(3 * 4 * 4, width, 3)
        self.blocks = nn.ModuleList([self._block(width) for _ in range(residual_blocks)])
        self.widen = ConvNorm(width, width, 3)
        self.out = Convolution(width, 3 * 4 * 4, 3, bias=True)

    def _block(self, width: int) -> nn.Module:
        return Residual(width)

    def forward(self, image: Tensor, code: CodeReader) -> Tensor:
        x = F.relu(self.stem(F.pixel_unshuffle(image, 4), code))
        for block in self.blocks:
            x = block(x, code)
        return F.pixel_shuffle(self.out(F.relu(self.widen(x, code))), 4)


class Apart(Convolution):
    """A convolution that keeps channels apart."""

    def __init__(self, channels: int, kernel: int) -> None:
        nn.Conv2d.__init__(self, channels, channels, kernel, groups=channels, bias=False)
        self.reflection = [kernel // 2] * 4


class Separable(nn.Module):
    """A residual of one 5 x 5 convolution a channel and two 1 x 1 across them (Howard et al. 2017)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.widen = ConvNorm(channels, 2 * channels, 1)
        self.apart = Apart(2 * channels, 5)
        self.join = ConvNorm(2 * channels, channels, 1)

    def forward(self, x: Tensor, code: CodeReader) -> Tensor:
        wide = F.relu(self.widen(x, code))
        change: Tensor = self.join(F.relu(self.apart(wide)), code)
        return x + change


class QuarterSeparable(Quarter):
    """The same with separable blocks."""

    def _block(self, width: int) -> nn.Module:
        return Separable(width)


@dataclass(frozen=True)
class Candidate:
    """A design, its size, and what it is called in the table."""

    label: str
    design: str
    width: int
    residual_blocks: int


CANDIDATES = (
    Candidate("Johnson, width 32", "johnson-cin", 32, 5),
    Candidate("Johnson, width 16", "johnson-cin", 16, 5),
    Candidate("quarter resolution, width 64", "quarter", 64, 6),
    Candidate("the same, separable, width 64", "quarter-separable", 64, 8),
    Candidate("shuffle, width 48", "shuffle-cin", 48, 4),
    Candidate("shuffle, width 64", "shuffle-cin", 64, 4),
)


def main(arguments: Sequence[str] | None = None) -> None:
    options = trial_parser(__doc__, steps=200).parse_args(arguments)
    DESIGNS.update({"quarter": Quarter, "quarter-separable": QuarterSeparable})  # type: ignore[dict-item]
    paintings, photos = chosen_paintings(options), find_photos(options.photos)
    eye, pictures = judging_eye(options), unseen_photos(options)
    print(f"{machine()}; {options.steps} steps of {options.batch} crops of {options.crop} px, {len(paintings)} styles")
    print(f"judged by {eye.perception.name} on {options.count} photos, N_eq on {_NEQ_PHOTOS}\n")
    judges = {p.style: Judge(eye, p.pixels, Recipe().painting_size) for p in paintings}
    header = [
        "network",
        "parameters",
        *(f"{provider.value} ms" for provider in available_providers()),
        "style",
        "content",
        "N_eq",
        "train s",
    ]
    rows = []
    for candidate in CANDIDATES:
        with tempfile.TemporaryDirectory() as folder:
            bundle, training = _train(candidate, photos, paintings, Path(folder) / "bundle", options)
            size = sum(weight.numel() for weight in training.objective.network.parameters())
            times = [f"{_time(bundle, provider):.0f}" for provider in available_providers()]
            engine = open_engine(bundle, provider=Provider.CPU)
            quality = _quality(bundle, engine, eye, judges, pictures, training)
        rows.append([candidate.label, f"{size:,}", *times, *quality, f"{training.seconds:.0f}"])
        tqdm.write(table(header, rows[-1:]))
    print(table(header, rows))


def _train(
    candidate: Candidate, photos: list[Path], paintings: list[Painting], out: Path, options: argparse.Namespace
) -> tuple[Bundle, Training]:
    recipe = Recipe(
        steps=options.steps,
        batch=options.batch,
        crop=options.crop,
        design=candidate.design,
        width=candidate.width,
        residual_blocks=candidate.residual_blocks,
        content_budget=0.0,
        learning_rate=options.learning_rate,
    )
    training = train(recipe, photos, paintings, candidate.label)
    made = export(training.checkpoint(), out, name="trial", version="0", about=About())
    return made.bundle, training


def _time(bundle: Bundle, provider: Provider) -> float:
    engine = open_engine(bundle, provider=provider)
    photo = np.random.default_rng(0).random((1, 3, TIMED_AT, TIMED_AT), dtype=np.float32)
    code = next(iter(bundle.codes.values()))[None]
    times = []
    for _ in range(_WARM_UP + _RUNS):
        begun = time.perf_counter()
        engine.run(photo, code)
        times.append(1e3 * (time.perf_counter() - begun))
    return statistics.median(times[_WARM_UP:])


def _quality(
    bundle: Bundle,
    engine: Engine,
    eye: Eye,
    judges: dict[str, Judge],
    pictures: list[images.Pixels],
    training: Training,
) -> list[str]:
    """Return style and content fraction and N_eq from the photo, medians over photos and styles."""
    styles, contents, iterations = [], [], []
    for style, judge in judges.items():
        weights = Weights.of({"recipe": training.recipe.to_dict()}, style)
        for number, photo in enumerate(pictures):
            painted = images.to_pixels(engine.run(images.to_planes(photo), bundle.code(style)[None]))
            before = eye.see(photo)
            style_fraction, content_fraction = judge.fractions(before, eye.see(painted))
            styles.append(style_fraction)
            contents.append(content_fraction)
            if number < _NEQ_PHOTOS:
                objective = Objective(eye.perception, before.content, judge.grams, weights)
                descent = Descent(objective, eye.tensor(photo))
                reached = descent.reach(objective.value(eye.tensor(painted)), PHOTO_CAP).iterations
                iterations.append(PHOTO_CAP if reached is None else reached)
    return [
        f"{statistics.median(styles):.3f}",
        f"{statistics.median(contents):.3f}",
        f"{statistics.median(iterations):g}",
    ]


if __name__ == "__main__":
    main()

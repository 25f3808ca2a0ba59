"""What sharing a transformer costs: dissimilar paintings trained each alone, and all in one.

    python -m benchmarks.sharing --photos DIR --paintings DIR --validation DIR [--steps 400] [--styles ID ...]

Every style sees as many photos alone as together, so the shared training takes as many times the steps as there are
styles. Prints the style and content fraction (see `impasto_trainer.evaluation.judge`) of each on unseen photos, medians
at 256 px. The compact perception trains; VGG-19 judges where its weights are at hand.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from pathlib import Path

from benchmarks.trials import chosen_paintings, judging_eye, train, trial_parser, unseen_photos
from impasto import images
from impasto.machine import machine, table
from impasto_trainer.evaluation.judge import Eye, Judge
from impasto_trainer.paintings import Painting
from impasto_trainer.photos import find_photos
from impasto_trainer.recipe import Recipe
from impasto_trainer.training import Training


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    paintings, photos = chosen_paintings(options), find_photos(options.photos)
    eye, unseen = judging_eye(options), unseen_photos(options)
    print(f"{machine()}; {options.steps} steps a style of {options.batch} crops of {options.crop} px")
    print(f"judged by {eye.perception.name} on {len(unseen)} photos\n", flush=True)
    together = _fractions(_train(paintings, photos, options), eye, unseen)
    rows: list[tuple[str, str, str]] = []
    for painting in paintings:
        (alone,) = _fractions(_train([painting], photos, options), eye, unseen)
        rows.append((painting.style, _pair(alone), _pair(together[len(rows)])))
    print(table(("style", "alone, style / content", "together, style / content"), rows))


def _train(paintings: list[Painting], photos: list[Path], options: argparse.Namespace) -> Training:
    recipe = Recipe(
        steps=options.steps * len(paintings),
        batch=options.batch,
        crop=options.crop,
        zoom=options.zoom,
        learning_rate=options.learning_rate,
        code_rate=options.code_rate,
    )
    return train(recipe, photos, paintings, ", ".join(painting.style for painting in paintings))


def _fractions(training: Training, eye: Eye, photos: list[images.Pixels]) -> list[tuple[float, float]]:
    """Return each style's style and content fraction, medians over the photos."""
    before = [eye.see(photo) for photo in photos]
    found = []
    for index, painting in enumerate(training.paintings):
        judge = Judge(eye, painting.pixels, training.recipe.painting_size)
        painted = [images.to_pixels(training.paint(eye.tensor(photo), index).numpy()) for photo in photos]
        pairs = [judge.fractions(*sights) for sights in zip(before, map(eye.see, painted), strict=True)]
        style, content = (statistics.median(values) for values in zip(*pairs, strict=True))
        found.append((style, content))
    return found


def _pair(fractions: tuple[float, float]) -> str:
    return f"{fractions[0]:.2f} / {fractions[1]:.2f}"


def _parser() -> argparse.ArgumentParser:
    parser = trial_parser(__doc__, steps=400)
    parser.add_argument("--zoom", type=float, default=2.5, help="[%(default)s]")
    parser.add_argument("--code-rate", type=float, default=Recipe().code_rate, help="[%(default)s]")
    return parser


if __name__ == "__main__":
    main()

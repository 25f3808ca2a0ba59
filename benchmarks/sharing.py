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

import torch
from tqdm import tqdm

from impasto import images
from impasto.machine import machine, table
from impasto.nn.losses import CONTENT_LAYERS, STYLE_LAYERS
from impasto.nn.perception import COMPACT, load_perception
from impasto_trainer.evaluation.judge import Eye, Judge
from impasto_trainer.evaluation.sample import spread
from impasto_trainer.paintings import Painting, read_paintings
from impasto_trainer.photos import PhotoCrops, find_photos
from impasto_trainer.recipe import Recipe
from impasto_trainer.training import Progress, Training

JUDGED_AT = 256  # px, long side
_STYLES = ("great-wave", "the-scream", "composition-vii")


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    paintings = [found for found in read_paintings(find_photos(options.paintings)) if found.style in options.styles]
    photos = find_photos(options.photos)
    eye = Eye(load_perception({*CONTENT_LAYERS, *STYLE_LAYERS}, options.vgg_weights), torch.device("cpu"))
    unseen = [_sized(path) for path in spread(find_photos(options.validation), options.count)]
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
    perception = load_perception({*CONTENT_LAYERS, *STYLE_LAYERS}, name=COMPACT.name)
    training = Training(recipe, PhotoCrops.of(photos, recipe), paintings, perception, device=torch.device("cpu"))
    with tqdm(total=recipe.steps, desc=", ".join(painting.style for painting in paintings)) as bar:

        def on_step(_: Progress) -> None:
            bar.update()

        training.run(1, on_step)
    return training


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


def _sized(path: Path) -> images.Pixels:
    return images.with_long_side(images.decode(path.read_bytes(), field=path.name), JUDGED_AT, multiple=8)


def _pair(fractions: tuple[float, float]) -> str:
    return f"{fractions[0]:.2f} / {fractions[1]:.2f}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, metavar="DIR", help="photos to learn on")
    parser.add_argument("--paintings", type=Path, required=True, metavar="DIR")
    parser.add_argument("--validation", type=Path, required=True, metavar="DIR", help="photos to judge on")
    parser.add_argument("--styles", nargs="+", default=_STYLES, metavar="ID", help="[%(default)s]")
    parser.add_argument("--steps", type=int, default=400, help="for each style [%(default)s]")
    parser.add_argument("--batch", type=int, default=4, help="[%(default)s]")
    parser.add_argument("--crop", type=int, default=128, help="px [%(default)s]")
    parser.add_argument("--zoom", type=float, default=2.5, help="[%(default)s]")
    parser.add_argument("--learning-rate", type=float, default=2e-3, help="[%(default)s]")
    parser.add_argument("--code-rate", type=float, default=Recipe().code_rate, help="[%(default)s]")
    parser.add_argument("--count", type=int, default=4, help="photos to judge on [%(default)s]")
    parser.add_argument("--vgg-weights", type=Path, metavar="FILE")
    return parser


if __name__ == "__main__":
    main()

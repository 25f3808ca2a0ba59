"""Short trainings by the compact perception, and what judges their pictures: what benchmarks of training share."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from tqdm import tqdm

from impasto import images
from impasto.backbones import COMPACT, CONTENT_LAYERS, STYLE_LAYERS
from impasto.nn.perception import load_perception
from impasto_trainer.evaluation.judge import Eye
from impasto_trainer.evaluation.sample import spread
from impasto_trainer.paintings import Painting, read_paintings
from impasto_trainer.photos import PhotoCrops, find_photos
from impasto_trainer.recipe import Recipe
from impasto_trainer.training import Progress, Training

JUDGED_AT = 256  # px, long side
STYLES = ("great-wave", "the-scream", "composition-vii")
_LAYERS = {*CONTENT_LAYERS, *STYLE_LAYERS}


def trial_parser(description: str | None, *, steps: int) -> argparse.ArgumentParser:
    """Return a parser of what every trial takes, with this many steps by default."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, metavar="DIR", help="photos to learn on")
    parser.add_argument("--paintings", type=Path, required=True, metavar="DIR")
    parser.add_argument("--validation", type=Path, required=True, metavar="DIR", help="photos to judge on")
    parser.add_argument("--styles", nargs="+", default=STYLES, metavar="ID", help="[%(default)s]")
    parser.add_argument("--steps", type=int, default=steps, help="[%(default)s]")
    parser.add_argument("--batch", type=int, default=4, help="[%(default)s]")
    parser.add_argument("--crop", type=int, default=128, help="px [%(default)s]")
    parser.add_argument("--learning-rate", type=float, default=2e-3, help="[%(default)s]")
    parser.add_argument("--count", type=int, default=4, help="photos to judge on [%(default)s]")
    parser.add_argument("--vgg-weights", type=Path, metavar="FILE")
    return parser


def chosen_paintings(options: argparse.Namespace) -> list[Painting]:
    return [found for found in read_paintings(find_photos(options.paintings)) if found.style in options.styles]


def judging_eye(options: argparse.Namespace) -> Eye:
    """Return VGG-19 where its weights are at hand, else the compact perception."""
    return Eye(load_perception(_LAYERS, options.vgg_weights), torch.device("cpu"))


def unseen_photos(options: argparse.Namespace) -> list[images.Pixels]:
    """Return the photos to judge on, [H, W, 3] each."""
    paths = spread(find_photos(options.validation), options.count)
    photos = [images.decode(path.read_bytes(), field=path.name) for path in paths]
    return [images.with_long_side(photo, JUDGED_AT, multiple=8) for photo in photos]


def train(recipe: Recipe, photos: list[Path], paintings: list[Painting], label: str) -> Training:
    """Train to the recipe's last step, with a bar."""
    perception = load_perception(_LAYERS, name=COMPACT.name)
    training = Training(recipe, PhotoCrops.of(photos, recipe), paintings, perception, device=torch.device("cpu"))
    with tqdm(total=recipe.steps, desc=label) as bar:

        def on_step(_: Progress) -> None:
            bar.update()

        training.run(1, on_step)
    return training

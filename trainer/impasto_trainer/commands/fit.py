"""Learn the styles of paintings from a folder of photos."""

from __future__ import annotations

import argparse
from dataclasses import MISSING, Field, fields, replace
from pathlib import Path
from typing import Any

from impasto.backbones import CONTENT_LAYERS, STYLE_LAYERS
from impasto.errors import CheckpointError, InvalidInput
from impasto.nn.checkpoint import CHECKPOINT_FILE, Checkpoint
from impasto_trainer.commands.options import add_device_option, add_perception_options, device, perception
from impasto_trainer.commands.running import add_running_options, pays_to_compile, run_to_the_end, split_photos
from impasto_trainer.paintings import read_paintings
from impasto_trainer.photos import PhotoCrops
from impasto_trainer.ranks import joined
from impasto_trainer.recipe import Recipe, fields_of
from impasto_trainer.start import codes_to_start_from, read_start, style_weights_to_start_from
from impasto_trainer.training import Training

NAME = "fit"
HELP = "learn styles: a transformer and a code for each painting"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("--photos", type=Path, required=True, metavar="DIR", help="photos to learn on")
    parser.add_argument("--painting", type=Path, required=True, nargs="+", metavar="FILE", help="one style each")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="checkpoint, sheets and losses go here")
    begin = parser.add_mutually_exclusive_group()
    begin.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out, with its recipe")
    begin.add_argument(
        "--from",
        type=Path,
        dest="start",
        metavar="BUNDLE|CHECKPOINT",
        help="begin with its weights, and the codes of the paintings that it knows, but at step 0",
    )
    add_perception_options(parser)
    add_device_option(parser)
    add_running_options(parser)
    recipe = parser.add_argument_group("recipe")
    for item in fields(Recipe):
        _add_recipe_option(recipe, item)


def run(options: argparse.Namespace) -> None:
    """Check everything, then train, saving as it goes."""
    if not options.resume and (options.out / CHECKPOINT_FILE).exists():
        raise InvalidInput("out", f"{options.out} holds a training; go on with it by --resume, or give another folder")
    earlier = Checkpoint.load(options.out / CHECKPOINT_FILE) if options.resume else None
    start = read_start(options.start) if options.start else None
    recipe = _recipe(options, earlier, start)
    training_photos, validation_photos = split_photos(options, recipe.architecture.size_multiple)
    paintings = read_paintings(options.painting)
    where = device(options.device)
    seen_by = perception(options, {*CONTENT_LAYERS, *STYLE_LAYERS})
    options.out.mkdir(parents=True, exist_ok=True)

    crops = PhotoCrops.of(training_photos, recipe)
    pays = pays_to_compile(options, recipe)
    with joined() as ranks:
        training = Training(recipe, crops, paintings, seen_by, device=where, compile=pays, ranks=ranks)
        if earlier:
            training.restore(earlier)
        if start:
            training.start_from(start.weights, codes_to_start_from(start, paintings))
            if not hasattr(options, "style_weight"):
                weights = style_weights_to_start_from(start, paintings, recipe.style_weight)
                training.balance.restore(weights)
            training.origin = {"file": options.start.name, "training": start.training}
        run_to_the_end(training, options.out, validation_photos, options)
        if ranks.writes:
            print(f"{options.out / CHECKPOINT_FILE}: {', '.join(p.style for p in paintings)}, {training.step} steps")


def _recipe(options: argparse.Namespace, earlier: Checkpoint | None, start: Checkpoint | None) -> Recipe:
    """Return the recipe: what is given, over what the resumed training had, over the defaults.

    Raises:
        CheckpointError: the resumed one had a recipe of another version, or its transformer is not `start`'s.
    """
    known = {item.name for item in fields(Recipe)}
    try:
        base = Recipe(**earlier.training["recipe"]) if earlier else Recipe()
    except (KeyError, TypeError) as error:
        raise CheckpointError(f"the checkpoint holds no recipe that this Impasto knows: {error}") from error
    taken = fields_of(start.architecture) if start else {}
    given = {name: getattr(options, name) for name in known if hasattr(options, name)}
    recipe = replace(base, **taken | given)
    if start and recipe.architecture != start.architecture:
        raise CheckpointError(f"{options.start} holds {start.architecture}, but the recipe makes {recipe.architecture}")
    return recipe


def _add_recipe_option(group: Any, item: Field[Any]) -> None:
    assert item.default is not MISSING
    group.add_argument(
        f"--{item.name.replace('_', '-')}",
        type=type(item.default),
        default=argparse.SUPPRESS,
        help=f"{item.metadata['help']} [{item.default}]",
    )

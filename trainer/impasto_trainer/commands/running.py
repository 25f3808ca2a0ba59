"""A training under way: what it shows, what it saves, and how it is stopped."""

from __future__ import annotations

import argparse
import os
import signal
import warnings
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from impasto import images
from impasto.errors import InvalidInput
from impasto_trainer.commands.options import at_least
from impasto_trainer.interruption import Interrupted, stoppable
from impasto_trainer.photos import find_photos
from impasto_trainer.recipe import Recipe
from impasto_trainer.record import SHEET_SIDE, NoRecord, Record
from impasto_trainer.training import Progress, Training

_COMPILE_PAYS = 1500  # steps; compiling takes a minute or two and then saves a tenth of each step on a CPU
_SHEET_PHOTOS = 4


def add_running_options(parser: argparse.ArgumentParser) -> None:
    """Let the caller say how a training goes about its steps; none of it changes what is learnt."""
    parser.add_argument("--validation", type=Path, metavar="DIR", help="photos for sheets [the last few of --photos]")
    parser.add_argument("--compile", choices=("auto", "on", "off"), default="auto", help="torch.compile [%(default)s]")
    loaders = min(4, os.cpu_count() or 1)
    parser.add_argument("--workers", type=at_least(0), default=loaders, metavar="N", help="loaders [%(default)s]")
    parser.add_argument("--save-every", type=at_least(1), default=250, metavar="STEPS", help="[%(default)s]")
    parser.add_argument("--sheet-every", type=at_least(1), default=500, metavar="STEPS", help="[%(default)s]")
    parser.add_argument("--tensorboard", action="store_true", help="losses, rate and sheets for TensorBoard, in --out")


def run_to_the_end(training: Training, out: Path, validation: list[images.Pixels], options: argparse.Namespace) -> None:
    """Train, leaving checkpoint, sheets and losses in `out` on the way and at the end.

    Raises:
        Interrupted: a signal came; the checkpoint has been saved.
        CheckpointError: the last checkpoint could not be written, or the losses not be brought in line with it.
        MissingDependency: TensorBoard is asked for and absent.
        TrainingError: the training diverges whatever the rate.
    """
    record = _record(training, out, validation, options)
    with stoppable() as asked, closing(record):

        def on_step(progress: Progress) -> None:
            record.step(progress)
            number = training.ranks.largest(asked())
            if number:
                raise Interrupted(signal.Signals(number))

        try:
            training.run(options.workers, on_step)
        except Interrupted:
            record.save()
            raise
        record.save()


def _record(training: Training, out: Path, validation: list[images.Pixels], options: argparse.Namespace) -> NoRecord:
    if not training.ranks.writes:
        return NoRecord()
    return Record(
        training,
        out,
        validation,
        save_every=options.save_every,
        sheet_every=options.sheet_every,
        tensorboard=options.tensorboard,
    )


def split_photos(options: argparse.Namespace, multiple: int) -> tuple[list[Path], list[images.Pixels]]:
    """Return the photos to train on, and a few decoded ones that training never sees."""
    photos = find_photos(options.photos)
    if options.validation:
        found = find_photos(options.validation)
        return photos, list(_some_readable(found[:: max(1, len(found) // _SHEET_PHOTOS)], multiple).values())
    held_out = _some_readable(reversed(photos), multiple)
    if len(photos) > _SHEET_PHOTOS:
        photos = [path for path in photos if path not in held_out]
    return photos, list(held_out.values())


def _some_readable(paths: Iterable[Path], multiple: int) -> dict[Path, images.Pixels]:
    """Return the first few photos that can be read, [H, W, 3], at the size of a sheet.

    Args:
        paths: where to look.
        multiple: px, that their sides are multiples of.

    Raises:
        InvalidInput: none can.
    """
    found: dict[Path, images.Pixels] = {}
    error: Exception | None = None
    for path in paths:
        try:
            photo = images.decode(path.read_bytes(), field=path.name)
            found[path] = images.with_long_side(photo, SHEET_SIDE, multiple=multiple)
        except (InvalidInput, OSError) as unreadable:
            error = unreadable
            warnings.warn(f"skipped: {error}", stacklevel=2)
        if len(found) == _SHEET_PHOTOS:
            break
    if not found:
        raise InvalidInput("photos", f"none can be read; the last one tried: {error}")
    return found


def pays_to_compile(options: argparse.Namespace, recipe: Recipe) -> bool:
    """Return whether to compile the step."""
    return options.compile == "on" or (options.compile == "auto" and recipe.steps >= _COMPILE_PAYS)

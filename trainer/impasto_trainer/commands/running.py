"""A training under way: what it shows, what it saves, and how it is stopped."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from tqdm import tqdm

from impasto import images
from impasto.errors import CheckpointError, InvalidInput
from impasto.sheets import contact_sheet
from impasto_trainer.commands.options import at_least
from impasto_trainer.interruption import Interrupted, stoppable
from impasto_trainer.logs import LossLog
from impasto_trainer.photos import find_photos
from impasto_trainer.recipe import Recipe
from impasto_trainer.training import CHECKPOINT_FILE, Progress, Training

_COMPILE_PAYS = 1500  # steps; compiling takes a minute or two and then saves a tenth of each step on a CPU
_LOG_EVERY = 50  # steps
_SHEET_PHOTOS = 4
_SHEET_SIDE = 512  # px, long side of a validation photo


def add_running_options(parser: argparse.ArgumentParser) -> None:
    """Let the caller say how a training goes about its steps; none of it changes what is learnt."""
    parser.add_argument("--validation", type=Path, metavar="DIR", help="photos for sheets [the last few of --photos]")
    parser.add_argument("--compile", choices=("auto", "on", "off"), default="auto", help="torch.compile [%(default)s]")
    loaders = min(4, os.cpu_count() or 1)
    parser.add_argument("--workers", type=at_least(0), default=loaders, metavar="N", help="loaders [%(default)s]")
    parser.add_argument("--save-every", type=at_least(1), default=250, metavar="STEPS", help="[%(default)s]")
    parser.add_argument("--sheet-every", type=at_least(1), default=500, metavar="STEPS", help="[%(default)s]")


def run_to_the_end(training: Training, out: Path, validation: list[images.Pixels], options: argparse.Namespace) -> None:
    """Train, leaving checkpoint, sheets and losses in `out` on the way and at the end.

    Raises:
        Interrupted: a signal came; the checkpoint has been saved.
        CheckpointError: the last checkpoint could not be written.
    """
    checkpoint = out / CHECKPOINT_FILE
    with stoppable() as stop_if_asked:
        try:
            _loop(training, out, validation, options, stop_if_asked)
        except Interrupted:
            training.checkpoint().save(checkpoint)
            raise
        training.checkpoint().save(checkpoint)


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
            found[path] = images.with_long_side(photo, _SHEET_SIDE, multiple=multiple)
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


def _loop(
    training: Training,
    out: Path,
    validation: list[images.Pixels],
    options: argparse.Namespace,
    stop_if_asked: Callable[[], None],
) -> None:
    log = LossLog(out / "losses.jsonl", _LOG_EVERY)
    with tqdm(total=training.recipe.steps, initial=training.step, unit="step", dynamic_ncols=True) as bar:

        def on_step(progress: Progress) -> None:
            with _going_on():
                log.add(progress)
            bar.set_postfix(
                content=f"{progress.content:.3f}",
                style=f"{progress.style:.3f}",
                tv=f"{progress.tv:.4f}",
                skipped=progress.unreadable,
                refresh=False,
            )
            bar.update()
            if progress.step % options.save_every == 0:
                with _going_on():
                    training.checkpoint().save(out / CHECKPOINT_FILE)
            if progress.step % options.sheet_every == 0 or progress.step == training.recipe.steps:
                with _going_on():
                    _sheet(training, validation, out / f"sheet-{progress.step:06d}.png")
            stop_if_asked()

        training.run(options.workers, on_step)


@contextmanager
def _going_on() -> Iterator[None]:
    """Tell of a file that cannot be written, as on a full disk, and go on: the training is worth more than the file."""
    try:
        yield
    except (CheckpointError, OSError) as error:
        tqdm.write(f"warning: {error}; training goes on", file=sys.stderr)


def _sheet(training: Training, photos: list[images.Pixels], path: Path) -> None:
    """Paint the validation photos in every style."""
    rows = []
    for photo in photos:
        planes = torch.from_numpy(images.to_planes(photo))
        painted = [training.paint(planes, index) for index in range(len(training.paintings))]
        rows.append([photo, *(images.to_pixels(picture.numpy()) for picture in painted)])
    labels = ["photo", *(painting.style for painting in training.paintings)]
    sheet = contact_sheet(rows, labels, cell=_SHEET_SIDE)
    path.write_bytes(images.encode(sheet, format=images.Format.PNG))

"""How fast a transformer is trained, and what a step spends its time on.

    python -m benchmarks.training --photos DIR --painting FILE... [--steps 20] [--vgg-weights FILE]

Trains with the default recipe (all crops of one size) and prints for every perception, eager and compiled: photos a
second, the share of the time in which a step waits for its photos, and what the rest goes on. Compiled, the
forward pass cannot be told apart, and stands under losses.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from impasto.backbones import COMPACT, CONTENT_LAYERS, STYLE_LAYERS, VGG19
from impasto.machine import machine, table
from impasto.nn.perception import load_perception
from impasto_trainer.commands.options import add_device_option, device
from impasto_trainer.paintings import Painting, read_paintings
from impasto_trainer.photos import PhotoCrops, find_photos
from impasto_trainer.recipe import Recipe
from impasto_trainer.training import Progress, Training

WARM_UP = 5  # steps that do not count; compiling happens in the first
_HEADER = (
    "perception", "step", "photos/s", "ms a step", "waits", "transformer", "perception", "losses", "backward", "Adam"
)  # fmt: skip


class Clock:
    """Adds up how long each part of a step takes; waits for the device at every look."""

    def __init__(self, where: torch.device) -> None:
        self.where = where
        self.seconds = dict.fromkeys(("forward", "transformer", "perception", "backward", "adam"), 0.0)
        self._forward_ended = 0.0
        self._adam_begun = 0.0

    def now(self) -> float:
        """Return the time in s, with all that was asked of the device done."""
        if self.where.type == "cuda":
            torch.cuda.synchronize(self.where)
        return time.perf_counter()

    @contextmanager
    def on(self, training: Training, *, inside: bool) -> Iterator[None]:
        """Time a training's parts for a while, those inside its forward pass only where nothing is compiled."""
        assert isinstance(training.terms, nn.Module)  # compiled or not
        handles = [
            *self._around(training.terms, "forward"),
            training.terms.register_forward_hook(lambda *_: self._note_end()),
            training.optimizer.register_step_pre_hook(lambda *_: self._begin_adam()),
            training.optimizer.register_step_post_hook(lambda *_: self._end_adam()),
        ]
        if inside:
            handles += self._around(training.objective.network, "transformer")
            handles += self._around(training.objective.perception, "perception")
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _around(self, module: nn.Module, name: str) -> list[Any]:
        begun = 0.0

        def begin(*_: object) -> None:
            nonlocal begun
            begun = self.now()

        def end(*_: object) -> None:
            self.seconds[name] += self.now() - begun

        return [module.register_forward_pre_hook(begin), module.register_forward_hook(end)]

    def _note_end(self) -> None:
        self._forward_ended = self.now()

    def _begin_adam(self) -> None:
        self._adam_begun = self.now()
        self.seconds["backward"] += self._adam_begun - self._forward_ended

    def _end_adam(self) -> None:
        self.seconds["adam"] += self.now() - self._adam_begun


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    where = device(options.device)
    name = torch.cuda.get_device_name(where) if where.type == "cuda" else "CPU"
    print(
        f"{name}; {machine()}; torch {torch.__version__}; batches of {options.batch}, {options.crop} px\n", flush=True
    )
    paintings, photos = read_paintings(options.painting), find_photos(options.photos)
    rows = [
        _row(options, photos, paintings, where, perception=perception, compiled=compiled)
        for perception in (VGG19.name, COMPACT.name)
        for compiled in ((False,) if options.eager else (False, True))
    ]
    print(table(_HEADER, rows))


def _row(
    options: argparse.Namespace,
    photos: list[Path],
    paintings: list[Painting],
    where: torch.device,
    *,
    perception: str,
    compiled: bool,
) -> tuple[str, ...]:
    recipe = Recipe(steps=WARM_UP + options.steps, crop=options.crop, batch=options.batch, large_every=0)
    weights = options.vgg_weights if perception == VGG19.name else None
    seen_by = load_perception({*CONTENT_LAYERS, *STYLE_LAYERS}, weights, name=perception)
    crops = PhotoCrops.of(photos, recipe)
    training = Training(recipe, crops, paintings, seen_by, device=where, compile=compiled)
    clock = Clock(where)
    waited, begun = 0.0, 0.0

    def on_step(progress: Progress) -> None:
        nonlocal waited, begun
        if progress.step == WARM_UP:
            clock.seconds = dict.fromkeys(clock.seconds, 0.0)
            begun = clock.now()
        elif progress.step > WARM_UP:
            waited += progress.waited

    with clock.on(training, inside=not compiled):
        training.run(options.workers, on_step)
    whole = clock.now() - begun
    inside = [0.0, 0.0, clock.seconds["forward"]] if compiled else _inside(clock.seconds)
    parts = [waited, *inside, clock.seconds["backward"], clock.seconds["adam"]]
    return (
        perception,
        "compiled" if compiled else "eager",
        f"{options.batch * options.steps / whole:.1f}",
        f"{1e3 * whole / options.steps:.0f}",
        *(f"{100 * part / whole:.1f} %" if part else "" for part in parts),
    )


def _inside(seconds: dict[str, float]) -> list[float]:
    """Return the time of the transformer, of the perception and of the rest of the forward pass."""
    painting, looking = seconds["transformer"], seconds["perception"]
    return [painting, looking, seconds["forward"] - painting - looking]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    recipe = Recipe()
    parser.add_argument("--photos", type=Path, required=True, metavar="DIR", help="photos to train on")
    parser.add_argument("--painting", type=Path, required=True, nargs="+", metavar="FILE", help="one style each")
    parser.add_argument("--steps", type=int, default=20, help="that count, each [%(default)s]")
    parser.add_argument("--crop", type=int, default=recipe.crop, help="px [%(default)s]")
    parser.add_argument("--batch", type=int, default=recipe.batch, help="[%(default)s]")
    parser.add_argument("--workers", type=int, default=4, metavar="N", help="loaders [%(default)s]")
    parser.add_argument("--vgg-weights", type=Path, metavar="FILE", help="VGG-19, safetensors")
    parser.add_argument("--eager", action="store_true", help="compile nothing: on a CPU that takes minutes")
    add_device_option(parser)
    return parser


if __name__ == "__main__":
    main()

"""What several commands take, and what is made of it."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path

import torch

from impasto.backbones import PERCEPTIONS
from impasto.errors import InvalidInput
from impasto.nn.perception import WEIGHTS_VARIABLE, Perception, load_perception
from impasto_trainer.ranks import local_rank


def add_perception_options(parser: argparse.ArgumentParser) -> None:
    """Let the caller say which perception looks at the pictures."""
    parser.add_argument(
        "--perception", choices=PERCEPTIONS, default="auto", help="[auto: VGG-19 where its weights are named]"
    )
    parser.add_argument("--vgg-weights", type=Path, metavar="FILE", help=f"VGG-19 [${WEIGHTS_VARIABLE}, torchvision's]")


def perception(options: argparse.Namespace, layers: Iterable[str]) -> Perception:
    """Return the perception that the options name.

    Raises:
        InvalidInput: weights of VGG-19 are given for another.
        WeightsNotFound: its weights cannot be had.
        MissingDependency: they would be torchvision's, and it is not installed.
    """
    return load_perception(layers, options.vgg_weights, name=options.perception)


def add_device_option(parser: argparse.ArgumentParser) -> None:
    """Let the caller say where to compute."""
    parser.add_argument("--device", help="cuda or cpu [cuda where there is one]")


def device(name: str | None) -> torch.device:
    """Return the device of this name, or the best there is; of several GPUs the one that is this process's.

    Raises:
        InvalidInput: torch knows no such device, or cannot use it here.
    """
    kind = name or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=f"cuda:{local_rank()}" if kind == "cuda" else kind).device
    except (RuntimeError, AssertionError) as error:  # torch built without CUDA raises the latter
        raise InvalidInput("device", f"{name!r} cannot be used: {error}") from error


def at_least(low: int) -> Callable[[str], int]:
    """Return a reader of whole numbers from `low` on, for an argument's `type`."""

    def whole_number(text: str) -> int:
        if int(text) < low:
            raise argparse.ArgumentTypeError(f"{text} is out of range; give {low} or more")
        return int(text)

    return whole_number

"""What a training begins with where it does not begin from nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from impasto.bundle import STARTER, load_bundle
from impasto.nn.bundled import read_checkpoint
from impasto.nn.checkpoint import CHECKPOINT_FILE, Checkpoint
from impasto_trainer.paintings import Painting


def or_starter(path: Path) -> Path:
    """Return the path, or the embedded bundle's where it is the word `starter`."""
    return STARTER if path == Path(STARTER.name) else path


def read_start(path: Path) -> Checkpoint:
    """Return what was trained before.

    Args:
        path: a checkpoint, the folder of a training, a bundle's directory, or `starter` for the embedded bundle.

    Raises:
        BundleError: the bundle cannot be read, or this Impasto does not know its architecture.
        CheckpointError: the checkpoint cannot be read.
    """
    path = or_starter(path)
    if (path / CHECKPOINT_FILE).is_file():
        return Checkpoint.load(path / CHECKPOINT_FILE)
    return read_checkpoint(load_bundle(path)) if path.is_dir() else Checkpoint.load(path)


def codes_to_start_from(start: Checkpoint, paintings: Sequence[Painting]) -> Tensor:
    """Return codes [S, D]: of a painting that `start` knows its own, of another the mean of all that it knows."""
    known = dict(zip(start.styles, start.codes, strict=True))
    mean = start.codes.mean(dim=0)
    return torch.stack([known.get(painting.style, mean) for painting in paintings])


def style_weights_to_start_from(start: Checkpoint, paintings: Sequence[Painting], otherwise: float) -> list[float]:
    """Return each painting's style weight: what `start` found for it, or `otherwise`."""
    found = start.training.get("style_weights", {})
    return [float(found.get(painting.style, otherwise)) for painting in paintings]

"""What an optimisation takes, told beforehand: memory follows the pixels."""

from __future__ import annotations

import math

import torch

from impasto.nn.optimize.lbfgs import HISTORY
from impasto.nn.perception import Perception

_FLOAT = 4  # bytes
_INDEX = 8  # bytes, of a maximum's place, which max pooling keeps
_PICTURES = 2 * HISTORY + 10  # of three channels: L-BFGS's pairs, and what a step and the photo take
_PASSING = 4  # times the largest layer, which come and go on the way through it
_RUNTIME = 500 * 2**20  # bytes, of torch itself
_LEAST_PIXELS = 64 * 64


def estimate(perception: Perception, pixels: int) -> int:
    """Return the bytes of memory that optimising a picture of so many pixels takes at its peak."""
    return _fixed(perception) + round(_per_pixel(perception) * pixels)


def affordable(perception: Perception, budget: int) -> int:
    """Return the pixels that fit into so many bytes; never fewer than 64 x 64, which everything has to do for."""
    return max(_LEAST_PIXELS, math.floor((budget - _fixed(perception)) / _per_pixel(perception)))


def is_shortage(error: BaseException) -> bool:
    """Tell whether torch or Python ran out of memory; on a CPU torch says so in words alone."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


def _fixed(perception: Perception) -> int:
    held = [*perception.parameters(), *perception.buffers()]
    return _RUNTIME + sum(value.numel() * value.element_size() for value in held)


def _per_pixel(perception: Perception) -> float:
    layers = [(int(name[4]) - 1, perception.backbone.channels[name], name) for name in perception.path]
    kept = sum(channels * _FLOAT / 4**block for block, channels, _ in layers)
    pooled = sum(
        perception.backbone.channels[before] * (_FLOAT + _INDEX) / 4**block
        for (block, _, name), (_, _, before) in zip(layers[1:], layers, strict=False)
        if name.endswith("_1")
    )
    largest = max(channels / 4**block for block, channels, _ in layers) * _FLOAT
    total: float = kept + pooled + _PASSING * largest + _PICTURES * 3 * _FLOAT
    return total

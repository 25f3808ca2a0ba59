"""What an optimisation takes, told beforehand: memory follows the pixels."""

from __future__ import annotations

import math

import torch

from impasto.nn.optimize.lbfgs import HISTORY
from impasto.nn.perception import Perception

_FLOAT = 4  # bytes
_INDEX = 8  # bytes, of a maximum's place, which max pooling keeps
_PICTURES = 2 * HISTORY + 30  # of three channels: L-BFGS's pairs, and what a step takes
_PASSING = 4  # times the largest layer, which come and go on the way through it
_WHOLE = 36  # bytes a pixel of the photo at its own size: itself, what it becomes, and enlarging that
_RUNTIME = 550 * 2**20  # bytes, of torch itself
_MAKING = 1.4  # times the weights, while they are brought into the form that they are used in
_LEAST_PIXELS = 64 * 64


def estimate(perception: Perception, pixels: int, photo: int) -> int:
    """Return the bytes that optimising a picture of so many pixels takes at its peak, the photo having `photo`."""
    return _fixed(perception, photo) + round(_per_pixel(perception) * pixels)


def affordable(perception: Perception, budget: int, photo: int) -> int:
    """Return the pixels that fit into so many bytes; never fewer than 64 x 64, which everything has to do for."""
    return max(_LEAST_PIXELS, math.floor((budget - _fixed(perception, photo)) / _per_pixel(perception)))


def is_shortage(error: BaseException) -> bool:
    """Tell whether torch or Python ran out of memory; on a CPU torch says so in words alone."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


def _fixed(perception: Perception, photo: int) -> int:
    held = [*perception.parameters(), *perception.buffers()]
    weights = sum(value.numel() * value.element_size() for value in held)
    return _RUNTIME + round(_MAKING * weights) + _WHOLE * photo


def _per_pixel(perception: Perception) -> float:
    layers = [(int(name[4]) - 1, perception.backbone.channels[name], name) for name in perception.path]
    copies = {name: 2 if name in perception.metrics else 1 for _, _, name in layers}
    ranks = perception.backbone.ranks
    kept = sum((copies[name] * channels + ranks.get(name, 0)) * _FLOAT / 4**block for block, channels, name in layers)
    pooled = sum(
        perception.backbone.channels[before] * (_FLOAT + _INDEX) / 4**block
        for (block, _, name), (_, _, before) in zip(layers[1:], layers, strict=False)
        if name.endswith("_1")
    )
    largest = max(channels / 4**block for block, channels, _ in layers) * _FLOAT
    total: float = kept + pooled + _PASSING * largest + _PICTURES * 3 * _FLOAT
    return total

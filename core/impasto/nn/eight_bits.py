"""Weights in 8 bits a number, as they ship: each output's filter with a scale of its own, symmetric around 0."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

_SCALE = ".scale"
_LARGEST = 127


def pack(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return filters [O, ...] in int8 beside their scales [O], and everything of one dimension in fp16."""
    packed: dict[str, Tensor] = {}
    for name, value in weights.items():
        if value.dim() == 1:
            packed[name] = value.half()
            continue
        scale = value.flatten(1).abs().amax(1).clamp_min(1e-12) / _LARGEST
        packed[name] = (value / _broadcast(scale, value)).round().to(torch.int8)
        packed[name + _SCALE] = scale
    return packed


def unpack(packed: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return what was packed, in fp32; what is not in 8 bits is taken as it is."""
    return {
        name: value.float() * _broadcast(packed[name + _SCALE], value) if value.dtype == torch.int8 else value.float()
        for name, value in packed.items()
        if not name.endswith(_SCALE)
    }


def _broadcast(scale: Tensor, like: Tensor) -> Tensor:
    return scale.view(-1, *[1] * (like.dim() - 1))

"""The perception that an optimisation looks through, made ready for its device."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from impasto.errors import InvalidInput
from impasto.nn.perception import Perception, load_perception
from impasto.nn.winograd import WinogradConv2d, pays
from impasto.optimization import Optimization


def perception_for(
    optimization: Optimization, weights: Path | None = None, *, device: torch.device | None = None
) -> Perception:
    """Return the perception that an optimisation asks for, on a device.

    It may serve several optimisations, one after the other, of the same layers, pooling and perception.

    Args:
        optimization: its layers, pooling and perception.
        weights: of VGG-19; see `impasto.nn.perception.load_perception`.
        device: the CPU by default.

    Raises:
        InvalidInput: the perception that `auto` has chosen lacks a layer.
        WeightsNotFound, MissingDependency: see `load_perception`.
    """
    layers = (*optimization.content_layers, *optimization.style_layers)
    if optimization.perception == "compact":
        weights = None
    try:
        perception = load_perception(layers, weights, name=optimization.perception, pooling=optimization.pooling)
    except InvalidInput:
        raise
    except ValueError as error:
        raise InvalidInput("optimization", f"{error}; leave other layers out, or give VGG-19's weights") from error
    perception = perception.to(device or torch.device("cpu")).to(memory_format=torch.channels_last)
    if device is None or device.type == "cpu":
        for name in perception.path:
            convolution = perception.features[name]
            if isinstance(convolution, nn.Conv2d) and pays(convolution):
                perception.features[name] = WinogradConv2d(convolution)
    return perception

"""The perception that an optimisation looks through, made ready for its device."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from impasto.backbones import BACKBONES, LOWRANK, VGG19, Backbone
from impasto.errors import InvalidInput
from impasto.nn.perception import Perception, load_perception, named_weights
from impasto.nn.winograd import WinogradConv2d, pays
from impasto.optimization import Optimization


def backbone_for(optimization: Optimization, weights: Path | None = None) -> Backbone:
    """Return what an optimisation looks through: for `auto`, VGG-19 where a file with its weights is named.

    Raises:
        InvalidInput: it lacks a layer that is asked for.
    """
    name = optimization.perception
    if name == "auto":
        name = VGG19.name if named_weights(weights) else LOWRANK.name
    backbone = BACKBONES[name]
    for field in ("content_layers", "style_layers"):
        for layer in getattr(optimization, field):
            if layer not in backbone.exits:
                raise InvalidInput(
                    f"optimization.{field}",
                    f"{layer!r} is no layer of the {name} perception, which looks here unless weights of {VGG19.name} "
                    f"are given; give some of {', '.join(backbone.exits)}",
                )
    return backbone


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
        InvalidInput: see `backbone_for`.
        WeightsNotFound, MissingDependency: see `load_perception`.
    """
    layers = (*optimization.content_layers, *optimization.style_layers)
    name = backbone_for(optimization, weights).name
    if name != VGG19.name:
        weights = None
    perception = load_perception(layers, weights, name=name, pooling=optimization.pooling)
    perception = perception.to(device or torch.device("cpu")).to(memory_format=torch.channels_last)
    if device is None or device.type == "cpu":
        for layer in perception.path:
            convolution = perception.features[layer]
            if isinstance(convolution, nn.Conv2d) and pays(convolution):
                perception.features[layer] = WinogradConv2d(convolution)
    return perception

"""The perception: VGG-19's features (Simonyan & Zisserman 2014), which define content and style."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from impasto.errors import MissingDependency, WeightsNotFound

WEIGHTS_VARIABLE = "IMPASTO_VGG_WEIGHTS"

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

# Convolutions per block and their channels; a max pooling stands between the blocks.
BLOCKS = ((2, 64), (2, 128), (4, 256), (4, 512), (4, 512))


def _conv_positions() -> dict[str, tuple[int, int, int]]:
    """Map `relu3_1` to the place of its convolution in torchvision's `features`, its inputs and outputs."""
    positions, index, inputs = {}, 0, 3
    for block, (count, channels) in enumerate(BLOCKS, start=1):
        for layer in range(1, count + 1):
            positions[f"relu{block}_{layer}"] = (index, inputs, channels)
            index, inputs = index + 2, channels
        index += 1
    return positions


CONV_POSITIONS = _conv_positions()
LAYERS = tuple(CONV_POSITIONS)


class Perception(nn.Module):
    """VGG-19 cut behind the deepest layer that is asked for, frozen."""

    mean: Tensor
    std: Tensor

    def __init__(self, layers: Iterable[str]) -> None:
        super().__init__()
        self.layers = tuple(sorted(set(layers), key=_depth))
        self.path = LAYERS[: _depth(self.layers[-1]) + 1]
        self.features = nn.ModuleDict()
        for name in self.path:
            index, inputs, outputs = CONV_POSITIONS[name]
            self.features[str(index)] = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1), persistent=False)
        self.requires_grad_(False)

    def forward(self, image: Tensor, layers: Sequence[str] | None = None) -> dict[str, Tensor]:
        """Return the features of each layer.

        Args:
            image: [N, 3, H, W], RGB in 0..1; H and W at least 16.
            layers: which of the perception's layers; all by default. Nothing behind the deepest is computed.

        Returns:
            Layer name -> [N, C, H / 2^k, W / 2^k], k poolings before it.
        """
        wanted = self.layers if layers is None else tuple(layers)
        deepest = max(_depth(name) for name in wanted)
        x = (image - self.mean) / self.std
        found = {}
        for name in self.path[: deepest + 1]:
            if name.endswith("_1") and name != "relu1_1":
                x = F.max_pool2d(x, 2)
            x = F.relu(self.features[str(CONV_POSITIONS[name][0])](x))
            if name in wanted:
                found[name] = x
        return found


def load_perception(layers: Iterable[str], weights: Path | None = None) -> Perception:
    """Return a perception with trained weights.

    Args:
        layers: names of `LAYERS`.
        weights: a safetensors file with torchvision's key names (`features.N.weight`, `features.N.bias`), in any float
            type. Without it the file that IMPASTO_VGG_WEIGHTS names is read; without that, torchvision's own
            IMAGENET1K_V1 weights are taken from its cache or downloaded.

    Raises:
        WeightsNotFound: the file is missing or is no such file, or the download failed.
        MissingDependency: no file is given and torchvision is not installed.
        ValueError: a layer that VGG-19 lacks.
    """
    perception = Perception(layers)
    path = weights or (Path(os.environ[WEIGHTS_VARIABLE]) if os.environ.get(WEIGHTS_VARIABLE) else None)
    wanted = {f"features.{index}.{kind}" for index in perception.features for kind in ("weight", "bias")}
    state = _read_file(path, wanted) if path else _torchvision_weights(wanted)
    perception.load_state_dict(state)
    return perception.eval()


def _depth(layer: str) -> int:
    if layer not in CONV_POSITIONS:
        raise ValueError(f"VGG-19 has no layer {layer!r}; it has {', '.join(LAYERS)}")
    return LAYERS.index(layer)


def _read_file(path: Path, wanted: set[str]) -> dict[str, Tensor]:
    try:
        with safe_open(path, framework="pt") as file:
            missing = wanted - set(file.keys())
            if missing:
                raise WeightsNotFound(f"{path} lacks {min(missing)}; torchvision's key names are expected")
            return {name: file.get_tensor(name).float() for name in wanted}
    except (OSError, SafetensorError) as error:
        raise WeightsNotFound(
            f"cannot read VGG-19 weights from {path}: {error}. Give a safetensors file by --vgg-weights "
            f"or {WEIGHTS_VARIABLE}"
        ) from error


def _torchvision_weights(wanted: set[str]) -> dict[str, Tensor]:
    try:
        from torchvision.models import VGG19_Weights
    except ImportError as error:
        raise MissingDependency("torchvision", "train") from error
    try:
        state = VGG19_Weights.IMAGENET1K_V1.get_state_dict(progress=False, check_hash=True)
    except (OSError, RuntimeError) as error:
        raise WeightsNotFound(
            f"torchvision could not download its VGG-19 weights ({error}). Give a safetensors file with them by "
            f"--vgg-weights or {WEIGHTS_VARIABLE}"
        ) from error
    return {name: state[name] for name in wanted}

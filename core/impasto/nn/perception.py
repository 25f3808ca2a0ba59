"""The perception: a frozen network whose features define content and style.

Three of them: VGG-19 (Simonyan & Zisserman 2014), which is the judge, and two that ship with Impasto and stand in for
it. The one of low rank has VGG-19's features, each of its convolutions being the product of two thin ones
(`impasto_trainer.factorization`): a picture that is optimised by it is nearly as good by VGG-19. The compact one has a
quarter of the channels (`impasto_trainer.distillation`): networks are trained by it in a fraction of the time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from impasto.backbones import BACKBONES, COMPACT, LOWRANK, PERCEPTIONS, VGG19, Backbone
from impasto.errors import InvalidInput, MissingDependency, WeightsNotFound
from impasto.nn.eight_bits import unpack

WEIGHTS_VARIABLE = "IMPASTO_VGG_WEIGHTS"
SHIPPED = {backbone.name: Path(__file__).with_name(f"{backbone.name}.safetensors") for backbone in (COMPACT, LOWRANK)}
"""The weights that come with Impasto."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


_POOLINGS: Mapping[str, Callable[[Tensor, int], Tensor]] = {"max": F.max_pool2d, "average": F.avg_pool2d}


class Perception(nn.Module):
    """A backbone cut behind the deepest layer that is asked for, frozen.

    At the exits of a measured backbone a square linear map R gives its features the lengths and angles that VGG-19's
    have: where M maps this layer's features onto VGG-19's and M = QR (Q's columns orthonormal), |Mx - My| = |Rx - Ry|
    and |M G M^T - M H M^T| = |R G R^T - R H R^T|. So every loss is what it would be on the features Mx, without ever
    making those.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, layers: Iterable[str], backbone: Backbone = VGG19, pooling: str = "max") -> None:
        super().__init__()
        self.backbone = backbone
        self.pooled = _POOLINGS[pooling]
        self.layers = tuple(sorted(set(layers), key=backbone.depth))
        self.path = tuple(backbone.channels)[: backbone.depth(self.layers[-1]) + 1]
        self.features = nn.ModuleDict()
        inputs = 3
        for name in self.path:
            self.features[name] = _convolution(inputs, backbone.channels[name], backbone.ranks.get(name))
            inputs = backbone.channels[name]
        measured = [name for name in self.path if backbone.measured and name in backbone.exits]
        self.metrics = nn.ModuleDict(
            {name: nn.Conv2d(backbone.channels[name], backbone.channels[name], 1, bias=False) for name in measured}
        )
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1), persistent=False)
        self.requires_grad_(False)

    @property
    def name(self) -> str:
        return self.backbone.name

    def forward(self, image: Tensor, layers: Sequence[str] | None = None) -> dict[str, Tensor]:
        """Return the features of each layer.

        Args:
            image: [N, 3, H, W], RGB in 0..1; H and W at least 16.
            layers: which of the perception's layers; all by default. Nothing behind the deepest is computed.

        Returns:
            Layer name -> [N, C, H / 2^k, W / 2^k], k poolings before it.
        """
        wanted = self.layers if layers is None else tuple(layers)
        deepest = max(self.backbone.depth(name) for name in wanted)
        x = (image - self.mean) / self.std
        found = {}
        for name in self.path[: deepest + 1]:
            if name.endswith("_1") and name != "relu1_1":
                x = self.pooled(x, 2)
            x = F.relu(self.features[name](x))
            if name in wanted:
                found[name] = self.metrics[name](x) if name in self.metrics else x
        return found


def _convolution(inputs: int, outputs: int, rank: int | None) -> nn.Module:
    if rank is None:
        return nn.Conv2d(inputs, outputs, 3, padding=1)
    return nn.Sequential(nn.Conv2d(inputs, rank, 3, padding=1, bias=False), nn.Conv2d(rank, outputs, 1))


def named_weights(given: Path | None) -> Path | None:
    """Return the file with VGG-19's weights: the one given, or the one that IMPASTO_VGG_WEIGHTS names, if any."""
    named = os.environ.get(WEIGHTS_VARIABLE)
    return given or (Path(named) if named else None)


def load_perception(
    layers: Iterable[str], weights: Path | None = None, *, name: str = "auto", pooling: str = "max"
) -> Perception:
    """Return a perception with trained weights.

    Args:
        layers: names of the backbone's exits.
        weights: VGG-19 as a safetensors file with torchvision's key names (`features.N.weight`, `features.N.bias`), in
            any float type. Without it the file that IMPASTO_VGG_WEIGHTS names is read; without that, torchvision's own
            IMAGENET1K_V1 weights are taken from its cache or downloaded.
        name: of a backbone, or `auto`: VGG-19 where a file with its weights is named, else the compact one.
        pooling: `max`, as all were trained, or `average` (Gatys et al. 2016, section 2).

    Raises:
        InvalidInput: a name that means nothing, or weights of VGG-19 for another.
        WeightsNotFound: the file is missing or is no such file, or the download failed.
        MissingDependency: VGG-19 is asked for, no file is given and torchvision is not installed.
        ValueError: a layer that the backbone lacks.
    """
    if name not in PERCEPTIONS:
        raise InvalidInput("perception", f"{name!r} is unknown; give {', '.join(PERCEPTIONS)}")
    if name in SHIPPED and weights:
        raise InvalidInput(
            "vgg-weights", f"are for VGG-19, but the {name} perception is asked for; give one of the two"
        )
    path = named_weights(weights)
    if name == "auto":
        name = VGG19.name if path else COMPACT.name
    if name in SHIPPED:
        perception = Perception(layers, BACKBONES[name], pooling)
        shipped = unpack(load_file(SHIPPED[name]))
        perception.load_state_dict({key: shipped[key] for key in perception.state_dict()})
        return perception.eval()
    perception = Perception(layers, VGG19, pooling)
    keys = {key: torchvision_key(key) for key in perception.state_dict()}
    state = _read_file(path, list(keys.values())) if path else _torchvision_weights(list(keys.values()))
    perception.load_state_dict({key: state[there] for key, there in keys.items()})
    return perception.eval()


def torchvision_key(key: str) -> str:
    """Return torchvision's name of a weight of ours: `features.relu1_2.bias` -> `features.2.bias`."""
    _, layer, kind = key.split(".")
    places, index = {}, 0
    for name in VGG19.channels:
        index += name.endswith("_1") and name != "relu1_1"
        places[name] = index
        index += 2
    return f"features.{places[layer]}.{kind}"


def _read_file(path: Path, wanted: Sequence[str]) -> dict[str, Tensor]:
    try:
        with safe_open(path, framework="pt") as file:
            missing = set(wanted) - set(file.keys())
            if missing:
                raise WeightsNotFound(f"{path} lacks {min(missing)}; torchvision's key names are expected")
            return {name: file.get_tensor(name).float() for name in wanted}
    except (OSError, SafetensorError) as error:
        raise WeightsNotFound(
            f"cannot read VGG-19 weights from {path}: {error}. Give a safetensors file by --vgg-weights "
            f"or {WEIGHTS_VARIABLE}"
        ) from error


def _torchvision_weights(wanted: Sequence[str]) -> dict[str, Tensor]:
    try:
        from torchvision.models import VGG19_Weights
    except ImportError as error:
        raise MissingDependency("torchvision", "train") from error
    try:
        state = VGG19_Weights.IMAGENET1K_V1.get_state_dict(progress=False, check_hash=True)
    except (OSError, RuntimeError) as error:
        raise WeightsNotFound(
            f"torchvision could not download its VGG-19 weights ({error}). Give a safetensors file with them by "
            f"--vgg-weights or {WEIGHTS_VARIABLE}, or leave the perception to those that ship"
        ) from error
    return {name: state[name] for name in wanted}

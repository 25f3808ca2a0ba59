"""The layers of the perceptions, by name: known without torch, so that a wrong name can be refused without it.

The losses of Gatys et al. 2016 (section 2) take content from one layer and style from five.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

CONTENT_LAYERS = ("relu4_2",)
STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")


@dataclass(frozen=True)
class Backbone:
    """A chain of 3 x 3 convolutions, each with a ReLU.

    Attributes:
        name: what options and records call it.
        channels: layer -> its channels, in order; `relu3_1` is the first convolution of the third block, and a max
            pooling stands between the blocks.
        exits: the layers that can be asked for.
        measured: whether a linear map stands at each exit (see `Perception`).
        ranks: layer -> the channels that its convolution passes through on its way: 3 x 3 to so many, then 1 x 1.
    """

    name: str
    channels: Mapping[str, int]
    exits: tuple[str, ...]
    measured: bool = False
    ranks: Mapping[str, int] = field(default_factory=dict)

    def depth(self, layer: str) -> int:
        """Return how many convolutions lie before a layer, or raise ValueError if it cannot be asked for."""
        if layer not in self.exits:
            raise ValueError(f"{self.name} has no layer {layer!r}; it has {', '.join(self.exits)}")
        return list(self.channels).index(layer)


def _layers(*blocks: tuple[int, int]) -> dict[str, int]:
    """Return the layers of blocks that each have so many convolutions of so many channels."""
    return {
        f"relu{block}_{layer}": channels
        for block, (count, channels) in enumerate(blocks, start=1)
        for layer in range(1, count + 1)
    }


_VGG19_LAYERS = _layers((2, 64), (2, 128), (4, 256), (4, 512), (4, 512))
VGG19 = Backbone("vgg19", _VGG19_LAYERS, exits=tuple(_VGG19_LAYERS))
COMPACT = Backbone(
    "compact",
    _layers((2, 16), (2, 32), (3, 64), (3, 128), (1, 128)),
    exits=("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu4_2", "relu5_1"),
    measured=True,
)
_LOWRANK_LAYERS = _layers((2, 64), (2, 128), (4, 256), (4, 512), (1, 512))
LOWRANK = Backbone(
    "lowrank",
    _LOWRANK_LAYERS,
    exits=tuple(_LOWRANK_LAYERS),
    ranks={
        "relu1_2": 32,
        "relu2_1": 40,
        "relu2_2": 56,
        **dict.fromkeys(("relu3_1", "relu3_2", "relu3_3", "relu3_4"), 72),
        **dict.fromkeys(("relu4_1", "relu4_2"), 112),
        "relu4_3": 128,
        **dict.fromkeys(("relu4_4", "relu5_1"), 160),
    },
)
BACKBONES = {backbone.name: backbone for backbone in (VGG19, LOWRANK, COMPACT)}
PERCEPTIONS = ("auto", *BACKBONES)
"""What a perception can be asked for by; `auto` is VGG-19 where a file with its weights is named, else one of the two
that come with Impasto: `compact` where a network is trained, `lowrank` where a picture is optimised."""

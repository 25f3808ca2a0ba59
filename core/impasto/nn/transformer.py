"""The transformer: a photo and a style code in, the painted photo out.

A design (see `impasto.nn.designs`) with conditional instance norm (Dumoulin et al. 2017, equation 5), and a gate of
ours behind it: see docs/architecture.md.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from impasto.codes import GATE_CHANNELS
from impasto.nn.designs import DESIGNS
from impasto.nn.layers import CodeReader, ConvNorm, Convolution


@dataclass(frozen=True)
class Architecture:
    """What a transformer is built from; its fields are stored in checkpoint and bundle.

    Attributes:
        name: the design, one of `impasto.nn.designs.DESIGNS`.
        width: channels of the first convolution.
        residual_blocks: how many residual blocks there are at the lowest resolution.
    """

    name: str = "shuffle-cin"
    width: int = 64
    residual_blocks: int = 4

    def __post_init__(self) -> None:
        if self.name not in DESIGNS:
            raise ValueError(f"architecture {self.name!r} is unknown; this version builds {', '.join(DESIGNS)}")
        if self.width < 1 or self.residual_blocks < 0:
            raise ValueError(f"width {self.width} must be 1 or more, residual_blocks {self.residual_blocks} 0 or more")

    @property
    def size_multiple(self) -> int:
        """Heights and widths must be multiples of this, px."""
        return DESIGNS[self.name].size_multiple

    @property
    def norm_channels(self) -> tuple[int, ...]:
        """Channels of every conditional norm, in the order in which a code holds their gammas and betas."""
        return tuple(layer.channels for layer in self._blueprint.modules() if isinstance(layer, ConvNorm))

    @property
    def code_size(self) -> int:
        """D: every gamma and beta, then the gate."""
        return 2 * sum(self.norm_channels) + 2 * GATE_CHANNELS

    @property
    def node_inventory(self) -> dict[str, int]:
        """The heavy nodes that an export must hold, neither more nor fewer, by ONNX operator."""
        convolutions = sum(isinstance(layer, Convolution) for layer in self._blueprint.modules())
        return {
            "Conv": convolutions,
            "Pad": convolutions,
            "InstanceNormalization": len(self.norm_channels),
            **DESIGNS[self.name].inventory,
        }

    def build(self) -> nn.Module:
        """Return the design with fresh weights."""
        return DESIGNS[self.name](self.width, self.residual_blocks)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @cached_property
    def _blueprint(self) -> nn.Module:
        """The design without memory for its weights."""
        with torch.device("meta"):
            return self.build()


class TransformerNet(nn.Module):
    """Paints photos in the style that each one's code says."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.design = architecture.build()

    def forward(self, image: Tensor, style: Tensor) -> Tensor:
        """Paint.

        Args:
            image: [N, 3, H, W], RGB in 0..1; H and W are multiples of the architecture's size_multiple, 16 or more.
            style: [N, D], one code a photo.

        Returns:
            [N, 3, H, W], RGB in 0..1.
        """
        code = CodeReader(style)
        painted = torch.sigmoid(self.design(image, code))
        a, b = code.take(GATE_CHANNELS), code.take(GATE_CHANNELS)
        return (a * image + b * painted).clamp(0.0, 1.0)


def new_code(architecture: Architecture) -> Tensor:
    """Return the code [D] that training starts from: gammas 1, betas 0, the gate fully on the network's side."""
    parts = []
    for channels in architecture.norm_channels:
        parts += [torch.ones(channels), torch.zeros(channels)]
    return torch.cat([*parts, torch.zeros(GATE_CHANNELS), torch.ones(GATE_CHANNELS)])


def identity_code(styles: Tensor) -> Tensor:
    """Return the identity code [D] for a transformer that paints `styles` [S, D].

    Only its gate (a = 1, b = 0) makes it the identity. Its gammas and betas are the mean of the styles', so that a
    strength between 0 and 1 leads the network through parameters that it was trained near.
    """
    code = styles.mean(dim=0)
    code[-2 * GATE_CHANNELS :] = torch.cat([torch.ones(GATE_CHANNELS), torch.zeros(GATE_CHANNELS)])
    return code

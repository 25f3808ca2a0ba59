"""The transformer: a photo and a style code in, the painted photo out.

Johnson et al. 2016 ("Perceptual Losses for Real-Time Style Transfer", supplementary table 1) with reflection padding,
upsampling followed by a convolution in place of a transposed one (Odena et al. 2016; bilinear, where they recommend
nearest: that left a weave of 4 px in flat areas), and conditional instance norm (Dumoulin et al. 2017, equation 5).
The gate is ours: see docs/architecture.md.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.codes import GATE_CHANNELS

# Instance norm divides by a deviation that is almost nothing where a picture is flat, and so turns its sensor noise
# into texture. A larger epsilon than torch's 1e-5 passes less of it through each norm; what fifteen in a row still
# amplify, training on flat pictures has to calm.
NORM_EPSILON = 1e-3


@dataclass(frozen=True)
class Architecture:
    """What a transformer is built from; its fields are stored in checkpoint and bundle.

    Attributes:
        name: the design; the only one so far is `johnson-cin`.
        width: channels of the first convolution; the residual blocks have four times as many.
        residual_blocks: how many residual blocks there are at a quarter of the resolution.
    """

    name: str = "johnson-cin"
    width: int = 32
    residual_blocks: int = 5

    def __post_init__(self) -> None:
        if self.name != "johnson-cin":
            raise ValueError(f"architecture {self.name!r} is unknown; this version builds 'johnson-cin'")
        if self.width < 1 or self.residual_blocks < 0:
            raise ValueError(f"width {self.width} must be 1 or more, residual_blocks {self.residual_blocks} 0 or more")

    @property
    def size_multiple(self) -> int:
        """Heights and widths must be multiples of this: the picture is halved twice."""
        return 4

    @property
    def norm_channels(self) -> tuple[int, ...]:
        """Channels of every conditional norm, in the order in which a code holds their gammas and betas."""
        w = self.width
        return (w, 2 * w, 4 * w, *([4 * w] * (2 * self.residual_blocks)), 2 * w, w)

    @property
    def code_size(self) -> int:
        """D: every gamma and beta, then the gate."""
        return 2 * sum(self.norm_channels) + 2 * GATE_CHANNELS

    @property
    def node_inventory(self) -> dict[str, int]:
        """The heavy nodes that an export must hold, neither more nor fewer, by ONNX operator."""
        norms = len(self.norm_channels)
        return {"Conv": norms + 1, "InstanceNormalization": norms, "Resize": 2, "Pad": norms + 1}

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class Convolution(nn.Conv2d):
    """A convolution that keeps the size (over its stride) by reflecting the border."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, bias: bool = False) -> None:
        super().__init__(inputs, outputs, kernel, stride, bias=bias)
        self.reflection = [kernel // 2] * 4

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.pad(x, self.reflection, mode="reflect"))


class CodeReader:
    """Hands out a code's gammas and betas in the frozen order, one norm at a time."""

    def __init__(self, code: Tensor) -> None:
        self.code = code
        self.position = 0

    def take(self, channels: int) -> Tensor:
        part = self.code[:, self.position : self.position + channels]
        self.position += channels
        return part[:, :, None, None]


class ConvNorm(nn.Module):
    def __init__(self, inputs: int, outputs: int, kernel: int, *, stride: int = 1) -> None:
        super().__init__()
        self.conv = Convolution(inputs, outputs, kernel, stride=stride)
        self.channels = outputs

    def forward(self, x: Tensor, code: CodeReader) -> Tensor:
        x = F.instance_norm(self.conv(x), eps=NORM_EPSILON)
        return x * code.take(self.channels) + code.take(self.channels)


class Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = ConvNorm(channels, channels, 3)
        self.second = ConvNorm(channels, channels, 3)

    def forward(self, x: Tensor, code: CodeReader) -> Tensor:
        change: Tensor = self.second(F.relu(self.first(x, code)), code)
        return x + change


class TransformerNet(nn.Module):
    """Paints photos in the style that each one's code says."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        w = architecture.width
        self.down = nn.ModuleList(
            [ConvNorm(3, w, 9), ConvNorm(w, 2 * w, 3, stride=2), ConvNorm(2 * w, 4 * w, 3, stride=2)]
        )
        self.blocks = nn.ModuleList([Residual(4 * w) for _ in range(architecture.residual_blocks)])
        self.up = nn.ModuleList([ConvNorm(4 * w, 2 * w, 3), ConvNorm(2 * w, w, 3)])
        self.out = Convolution(w, 3, 9, bias=True)

    def forward(self, image: Tensor, style: Tensor) -> Tensor:
        """Paint.

        Args:
            image: [N, 3, H, W], RGB in 0..1; H and W are multiples of 4, 16 or more.
            style: [N, D], one code a photo.

        Returns:
            [N, 3, H, W], RGB in 0..1.
        """
        code = CodeReader(style)
        x = image
        for layer in self.down:
            x = F.relu(layer(x, code))
        for block in self.blocks:
            x = block(x, code)
        for layer in self.up:
            x = F.relu(layer(F.interpolate(x, scale_factor=2.0, mode="bilinear"), code))
        painted = torch.sigmoid(self.out(x))
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

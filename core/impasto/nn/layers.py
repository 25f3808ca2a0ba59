"""What transformers are made of: convolutions that reflect the border, and norms that a style code conditions."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

# Instance norm divides by a deviation that is almost nothing where a picture is flat, and so turns its sensor noise
# into texture. A larger epsilon than torch's 1e-5 passes less of it through each norm; what fifteen in a row still
# amplify, training on flat pictures has to calm.
NORM_EPSILON = 1e-3


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
    """A convolution and a conditional instance norm (Dumoulin et al. 2017, equation 5)."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, stride: int = 1) -> None:
        super().__init__()
        self.conv = Convolution(inputs, outputs, kernel, stride=stride)
        self.channels = outputs

    def forward(self, x: Tensor, code: CodeReader) -> Tensor:
        x = F.instance_norm(self.conv(x), eps=NORM_EPSILON)
        return x * code.take(self.channels) + code.take(self.channels)


class Residual(nn.Module):
    """Two convolutions whose result is added to what went in (He et al. 2016; no ReLU behind the sum)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = ConvNorm(channels, channels, 3)
        self.second = ConvNorm(channels, channels, 3)

    def forward(self, x: Tensor, code: CodeReader) -> Tensor:
        change: Tensor = self.second(F.relu(self.first(x, code)), code)
        return x + change

"""The transformers' designs: what lies between the photo and the gate.

A design registers its norms in the order in which it runs them: that order is the code's.
"""

from __future__ import annotations

from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from impasto.nn.layers import CodeReader, ConvNorm, Convolution, Residual


class Johnson(nn.Module):
    """Johnson et al. 2016 ("Perceptual Losses for Real-Time Style Transfer", supplementary table 1).

    With reflection padding, and upsampling followed by a convolution in place of a transposed one (Odena et al. 2016;
    bilinear, where they recommend nearest: that left a weave of 4 px in flat areas).
    """

    size_multiple = 4
    inventory: ClassVar[dict[str, int]] = {"Resize": 2}

    def __init__(self, width: int, residual_blocks: int) -> None:
        super().__init__()
        w = width
        self.down = nn.ModuleList(
            [ConvNorm(3, w, 9), ConvNorm(w, 2 * w, 3, stride=2), ConvNorm(2 * w, 4 * w, 3, stride=2)]
        )
        self.blocks = nn.ModuleList([Residual(4 * w) for _ in range(residual_blocks)])
        self.up = nn.ModuleList([ConvNorm(4 * w, 2 * w, 3), ConvNorm(2 * w, w, 3)])
        self.out = Convolution(w, 3, 9, bias=True)

    def forward(self, image: Tensor, code: CodeReader) -> Tensor:
        x = image
        for layer in self.down:
            x = F.relu(layer(x, code))
        for block in self.blocks:
            x = block(x, code)
        for layer in self.up:
            x = F.relu(layer(F.interpolate(x, scale_factor=2.0, mode="bilinear"), code))
        painted: Tensor = self.out(x)
        return painted


class Shuffle(nn.Module):
    """Ours: no convolution at full resolution, and most of them at an eighth of it.

    4 x 4 px are folded into channels on the way in and unfolded on the way out (Shi et al. 2016, section 2.2), in two
    steps of 2 with a convolution between them. Half of the blocks' width works at a quarter of the resolution, where
    strokes are drawn, around residual blocks at an eighth, where they are laid out (Ronneberger et al. 2015's skip).
    """

    size_multiple = 8
    inventory: ClassVar[dict[str, int]] = {"Resize": 1}

    def __init__(self, width: int, residual_blocks: int) -> None:
        super().__init__()
        w = width
        self.stem = ConvNorm(3 * 4 * 4, w, 3)
        self.before = Residual(w)
        self.down = ConvNorm(w, 2 * w, 3, stride=2)
        self.blocks = nn.ModuleList([Residual(2 * w) for _ in range(residual_blocks)])
        self.up = ConvNorm(2 * w, w, 3)
        self.after = Residual(w)
        self.widen = ConvNorm(w, w, 3)
        self.refine = ConvNorm(w // 4, w // 4, 3)
        self.out = Convolution(w // 4, 3 * 2 * 2, 3, bias=True)

    def forward(self, image: Tensor, code: CodeReader) -> Tensor:
        fine = F.relu(self.stem(F.pixel_unshuffle(image, 4), code))
        fine = self.before(fine, code)
        x = F.relu(self.down(fine, code))
        for block in self.blocks:
            x = block(x, code)
        x = fine + F.relu(self.up(F.interpolate(x, scale_factor=2.0, mode="bilinear"), code))
        x = self.after(x, code)
        x = F.pixel_shuffle(F.relu(self.widen(x, code)), 2)
        x = F.relu(self.refine(x, code))
        return F.pixel_shuffle(self.out(x), 2)


DESIGNS: dict[str, type[Johnson] | type[Shuffle]] = {"johnson-cin": Johnson, "shuffle-cin": Shuffle}

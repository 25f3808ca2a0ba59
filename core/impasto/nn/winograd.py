"""3 x 3 convolutions with frozen weights by Winograd's minimal filtering, F(4 x 4, 3 x 3), for CPUs in fp32.

Lavin & Gray 2016, section 4.3: 36 multiplications make 16 outputs where the direct way takes 144. What it costs is
passes over the data to transform it, which pay from some 128 channels on; between 256 and 512 channels it takes less
than half the time of oneDNN's direct convolution. Chunks of rows keep what is transformed in the cache. The result is
within 1e-5 of the direct one's largest value.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LEAST_CHANNELS = 128  # of inputs and of outputs; with fewer the direct convolution is as fast
_CHUNK = 640  # tiles transformed at once

_INPUT = torch.tensor(  # B^T
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ],
    dtype=torch.float64,
)
_FILTER = torch.tensor(  # G
    [
        [1 / 4, 0, 0],
        [-1 / 6, -1 / 6, -1 / 6],
        [-1 / 6, 1 / 6, -1 / 6],
        [1 / 24, 1 / 12, 1 / 6],
        [1 / 24, -1 / 12, 1 / 6],
        [0, 0, 1],
    ],
    dtype=torch.float64,
)
_OUTPUT = torch.tensor(  # A^T
    [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]], dtype=torch.float64
)
# In two dimensions a tile is transformed along both: one product with the Kronecker square does both at once.
_INPUT_2D = torch.kron(_INPUT, _INPUT).float()
_OUTPUT_2D = torch.kron(_OUTPUT, _OUTPUT).float()


def pays(convolution: nn.Conv2d) -> bool:
    """Tell whether `WinogradConv2d` is faster on a CPU than this convolution itself."""
    return (
        convolution.kernel_size == (3, 3)
        and min(convolution.in_channels, convolution.out_channels) >= LEAST_CHANNELS
        and convolution.weight.dtype == torch.float32
    )


class WinogradConv2d(nn.Module):
    """A frozen 3 x 3 convolution of stride 1 and padding 1, differentiable by its input.

    Under autocast to bfloat16, in which the transforms would drown, it is done the direct way.
    """

    forwards: Tensor
    backwards: Tensor
    bias: Tensor
    direct: Tensor

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        assert convolution.bias is not None
        weight = convolution.weight.detach()
        self.register_buffer("forwards", _transformed(weight), persistent=False)
        # The gradient of a convolution is one with the filters turned round, from its outputs to its inputs.
        self.register_buffer("backwards", _transformed(weight.flip(2, 3).transpose(0, 1)), persistent=False)
        self.register_buffer("bias", convolution.bias.detach().clone(), persistent=False)
        self.register_buffer("direct", weight.bfloat16(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        if torch.is_autocast_enabled(x.device.type):
            return F.conv2d(x, self.direct, self.bias, padding=1)
        result: Tensor = _Filtered.apply(x, self.forwards, self.backwards, self.bias)
        return result


class _Filtered(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, forwards: Tensor, backwards: Tensor, bias: Tensor) -> Tensor:
        ctx.backwards = backwards
        return _convolved(x, forwards).add_(bias[:, None, None])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        return _convolved(gradients[0], ctx.backwards), None, None, None


def _transformed(weight: Tensor) -> Tensor:
    """Return filters [O, I, 3, 3] as [36, I, O]."""
    outputs, inputs = weight.shape[:2]
    tiles = torch.einsum("ai,bj,ocij->abco", _FILTER, _FILTER, weight.double().cpu())
    return tiles.reshape(36, inputs, outputs).float().to(weight.device).contiguous()


def _convolved(x: Tensor, filters: Tensor) -> Tensor:
    """Return x [N, I, H, W] filtered: [N, O, H, W], its memory in the order of channels last."""
    n, _, height, width = x.shape
    rows, columns = -(-height // 4), -(-width // 4)
    padded = F.pad(x.permute(0, 2, 3, 1), (0, 0, 1, 4 * columns + 1 - width, 1, 4 * rows + 1 - height))
    result = x.new_empty(n, 4 * rows, 4 * columns, filters.shape[2])
    step = max(1, _CHUNK // columns)
    for picture, out in zip(padded, result, strict=True):
        for top in range(0, rows, step):
            bottom = min(top + step, rows)
            _filter_rows(picture[4 * top : 4 * bottom + 2], filters, out[4 * top : 4 * bottom])
    return result[:, :height, :width].permute(0, 3, 1, 2)


def _filter_rows(x: Tensor, filters: Tensor, out: Tensor) -> None:
    """Filter x [4 R + 2, 4 C + 2, I] into out [4 R, 4 C, O]."""
    inputs, outputs = filters.shape[1:]
    rows, columns = out.shape[0] // 4, out.shape[1] // 4
    down, right, channel = x.stride()
    overlapping = x.as_strided(
        (6, 6, rows, columns, inputs), (down, right, 4 * down, 4 * right, channel), x.storage_offset()
    )
    tiles = (_INPUT_2D @ overlapping.reshape(36, -1)).view(36, -1, inputs)
    products = torch.bmm(tiles, filters).view(36, -1)
    blocks = (_OUTPUT_2D @ products).view(4, 4, rows, columns, outputs)
    out.view(rows, 4, columns, 4, outputs).copy_(blocks.permute(2, 0, 3, 1, 4))

"""Content, style and smoothness as numbers that mean the same on every backbone, layer and size.

The terms are Gatys et al. 2016's (equations 1, 3, 4), with one departure: each layer's squared error is divided by the
squared norm of its target. VGG-19 exists with activations 50 times apart in scale, and its layers differ as much.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

_LEAST_VARIANCE = 1e-3  # of the range 0..1, squared, over three colours: a picture of one colour has none


def gram(features: Tensor) -> Tensor:
    """Return the Gram matrix of each picture's features over their number of positions, in fp32.

    Gatys et al. 2016, equation 3. [N, C, H, W] -> [N, C, C].
    """
    result: Tensor = _Gram.apply(features.float())
    return result


class _Gram(torch.autograd.Function):
    """F^T F / n, with F [n, C] by rows of positions, which is how channels last lie in memory.

    Left to autograd, F would count as two inputs with two gradients, in another order than the features', and adding
    these up takes longer than the product itself.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor) -> Tensor:
        ctx.save_for_backward(features)
        flat = features.permute(0, 2, 3, 1).flatten(1, 2)
        with torch.autocast(features.device.type, enabled=False):
            product: Tensor = flat.transpose(1, 2) @ flat / flat.shape[1]
        return product

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (features,) = ctx.saved_tensors
        positions = features.permute(0, 2, 3, 1)
        with torch.autocast(features.device.type, enabled=False):
            symmetric = (gradients[0] + gradients[0].transpose(1, 2)) / positions[0, ..., 0].numel()
            gradient: Tensor = positions.flatten(1, 2) @ symmetric
        return gradient.view(positions.shape).permute(0, 3, 1, 2)


def relative_error(value: Tensor, target: Tensor) -> Tensor:
    """Return sum (value - target)^2 / sum target^2 of each picture, in fp32: [N, ...] -> [N].

    `target` may have N = 1 and then serves all.
    """
    value, target = value.float().flatten(1), target.float().flatten(1)
    return (value - target).square().sum(1) / target.square().sum(1).clamp_min(1e-12)


def content_loss(features: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> Tensor:
    """Return the mean over layers of the features' relative error: [N].

    Args:
        features: layer -> [N, C, H, W] of the painted picture.
        targets: layer -> [N, C, H, W] of the photo; its layers are the ones that count.
    """
    return torch.stack([relative_error(features[name], targets[name]) for name in targets]).mean(0)


def style_loss(features: Mapping[str, Tensor], grams: Mapping[str, Tensor]) -> Tensor:
    """Return the mean over layers of the Gram matrices' relative error: [N].

    Args:
        features: layer -> [N, C, H, W] of the painted picture.
        grams: layer -> [N or 1, C, C] of the painting; its layers are the ones that count.
    """
    return gram_loss({name: gram(features[name]) for name in grams}, grams)


def gram_loss(grams: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> Tensor:
    """Return the style loss of pictures whose Gram matrices are known: [N].

    Args:
        grams: layer -> [N, C, C] of the painted pictures.
        targets: layer -> [N or 1, C, C] of the painting; its layers are the ones that count.
    """
    return torch.stack([relative_error(grams[name], targets[name]) for name in targets]).mean(0)


def color_moments(image: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean [N, 3] and the mean square [N, 3, 3] of the colours of pictures [N, 3, H, W]."""
    flat = image.float().flatten(2)
    return flat.mean(2), flat @ flat.transpose(1, 2) / flat.shape[2]


def color_loss(image: Tensor, mean: Tensor, mean_square: Tensor) -> Tensor:
    """Return how far the colours of pictures [N, 3, H, W] are from moments as `color_moments` gives them: [N].

    The means' distance is relative to the variance, that of the covariances to the covariance's norm.
    """
    found, found_square = color_moments(image)
    covariance = mean_square - mean[:, :, None] * mean[:, None, :]
    off = found_square - found[:, :, None] * found[:, None, :] - covariance
    variance = covariance.diagonal(dim1=1, dim2=2).sum(1).clamp_min(_LEAST_VARIANCE)
    return (found - mean).square().sum(1) / variance + off.square().sum((1, 2)) / variance.square()


def total_variation(image: Tensor) -> Tensor:
    """Return the mean squared difference of neighbouring pixels: [N, 3, H, W] -> [N].

    Mahendran & Vedaldi 2015, equation 5, with beta = 2.
    """
    image = image.float()
    down = (image[:, :, 1:, :] - image[:, :, :-1, :]).square().mean((1, 2, 3))
    right = (image[:, :, :, 1:] - image[:, :, :, :-1]).square().mean((1, 2, 3))
    return down + right


def grid(image: Tensor, period: int) -> Tensor:
    """Return the energy of a pattern that repeats every `period` px all over the picture: [N, 3, H, W] -> [N].

    The variance of the means of the period^2 phases: almost nothing in a photo (1e-6), while a transformer that
    enlarges its features by this factor can paint such a pattern into everything (2e-4 is a visible weave).

    Args:
        image: RGB in 0..1; H and W are multiples of `period`.
        period: px.
    """
    n, c, height, width = image.shape
    cells = image.float().reshape(n, c, height // period, period, width // period, period)
    return cells.mean((2, 4)).flatten(2).var(2, correction=0).mean(1)

"""What an optimisation makes small: Gatys et al. 2016, equation 7, in relative losses, with colours and smoothness.

The user's weights are the field's: content 1, style 1e3 (hardly) to 1e8 (nothing but), total variation 1e-4. They grew
up with losses that are sums of squares of one network's activations. Ours are relative (`impasto.nn.losses`), so that
they mean the same on every perception, at every size and in every layer, and two constants carry the user's over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field

import torch
from torch import Tensor

from impasto.nn.losses import color_loss, color_moments, content_loss, gram, gram_loss, total_variation
from impasto.nn.perception import Perception
from impasto.nn.precision import mixed_precision
from impasto.optimization import Optimization

STYLE_UNIT = 4e-5
"""What a style weight of 1 is in relative losses."""

TV_UNIT = 5e4
"""What a weight of the total variation of 1 is."""

COLOR_SHARE = 0.1
"""Of the style's weight, for the colours' mean and covariance. Gram matrices are energies, so that a dark photo can
please them with a few burnt highlights; with the colours given, style and content both get lower in as many steps."""

RANGE_WEIGHT = 200.0
"""Of the mean squared distance of the pixels from 0..1. What lies outside is cut off when the picture is saved, and
highlights would be burnt out; to clamp it on the way would corrupt L-BFGS's curvature."""


@dataclass(frozen=True)
class Evaluation:
    """The objective at one picture.

    Attributes:
        total: the weighted sum.
        content, style: the relative losses.
        gradient: of the total, shaped like the picture.
    """

    total: float
    content: float
    style: float
    gradient: Tensor = field(repr=False)


class Objective:
    """Weighs pictures [1, 3, H, W] of one size.

    Attributes:
        rough: whether the perception looks in bfloat16. A gradient is then some hundredths off: little on the way down,
            and too much at the bottom, where it is what is left of forces that nearly cancel out.
    """

    def __init__(
        self, perception: Perception, photo: Tensor, paintings: Sequence[tuple[Tensor, float]], asked: Optimization
    ) -> None:
        """Look at the targets.

        Args:
            perception: with the layers that are asked for.
            photo: [1, 3, H, W], RGB in 0..1.
            paintings: [1, 3, h, w] each and their weights, whose sum is above 0.
            asked: layers and weights.
        """
        self.rough = False
        self.perception = perception
        self.layers = (*asked.content_layers, *asked.style_layers)
        self.weights = asked.content_weight, asked.style_weight * STYLE_UNIT, asked.tv_weight * TV_UNIT
        with torch.no_grad():
            self.content = perception(photo, asked.content_layers)
            self.grams = mixed_grams(perception, paintings, asked.style_layers)
            self.colors = mixed_colors(paintings)

    def __call__(self, picture: Tensor) -> Evaluation:
        picture = picture.detach().requires_grad_()
        with mixed_precision(picture.device) if self.rough else nullcontext():
            features = self.perception(picture, self.layers)
        content = content_loss(features, self.content)
        style = gram_loss({name: gram(features[name]) for name in self.grams}, self.grams)
        content_weight, style_weight, tv_weight = self.weights
        total = content_weight * content + style_weight * style + tv_weight * total_variation(picture)
        total = total + COLOR_SHARE * style_weight * color_loss(picture, *self.colors)
        total = total + RANGE_WEIGHT * (picture - picture.clamp(0, 1)).square().mean((1, 2, 3))
        (gradient,) = torch.autograd.grad(total.sum(), picture)
        # In one order, whatever the layers preferred: sums over it, and so a resumed run, depend on that to a bit.
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        # At once: a GPU is waited for each time that it is asked.
        whole, of_content, of_style = torch.cat([total, content, style]).tolist()
        return Evaluation(whole, of_content, of_style, gradient)


@torch.no_grad()
def mixed_grams(
    perception: Perception, paintings: Sequence[tuple[Tensor, float]], layers: Sequence[str]
) -> Mapping[str, Tensor]:
    """Return the weighted mean of the paintings' Gram matrices: layer -> [1, C, C]."""
    whole = sum(weight for _, weight in paintings)
    mixed: dict[str, Tensor] = {}
    for painting, weight in paintings:
        if weight > 0:
            for name, features in perception(painting, layers).items():
                mixed[name] = mixed.get(name, 0) + gram(features) * (weight / whole)
    return mixed


def mixed_colors(paintings: Sequence[tuple[Tensor, float]]) -> tuple[Tensor, Tensor]:
    """Return the weighted means of the paintings' colour moments, as of one picture made of all: [1, 3], [1, 3, 3]."""
    shares = torch.tensor([weight for _, weight in paintings]) / sum(weight for _, weight in paintings)
    means, squares = zip(*(color_moments(painting) for painting, _ in paintings), strict=True)
    shares = shares.to(means[0])
    return (shares[:, None] * torch.cat(means)).sum(0)[None], (shares[:, None, None] * torch.cat(squares)).sum(0)[None]

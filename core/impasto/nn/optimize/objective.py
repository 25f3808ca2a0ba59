"""What an optimisation makes small: Gatys et al. 2016, equation 7, in relative losses, and a total variation.

The user's weights are the field's: content 1, style 1e3 (hardly) to 1e8 (nothing but), total variation 1e-4. They grew
up with losses that are sums of squares of one network's activations. Ours are relative (`impasto.nn.losses`), so that
they mean the same on every perception, at every size and in every layer, and two constants carry the user's over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from impasto.nn.losses import content_loss, gram, gram_loss, total_variation
from impasto.nn.perception import Perception
from impasto.optimization import Optimization

STYLE_UNIT = 4e-5
"""What a style weight of 1 is in relative losses."""

TV_UNIT = 5e4
"""What a weight of the total variation of 1 is."""


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
    """Weighs pictures [1, 3, H, W] of one size."""

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
        self.perception = perception
        self.layers = (*asked.content_layers, *asked.style_layers)
        self.weights = asked.content_weight, asked.style_weight * STYLE_UNIT, asked.tv_weight * TV_UNIT
        with torch.no_grad():
            self.content = {name: value.clone() for name, value in perception(photo, asked.content_layers).items()}
            self.grams = mixed_grams(perception, paintings, asked.style_layers)

    def __call__(self, picture: Tensor) -> Evaluation:
        picture = picture.detach().requires_grad_()
        features = self.perception(picture, self.layers)
        content = content_loss(features, self.content)
        style = gram_loss({name: gram(features[name]) for name in self.grams}, self.grams)
        content_weight, style_weight, tv_weight = self.weights
        total = content_weight * content + style_weight * style + tv_weight * total_variation(picture)
        (gradient,) = torch.autograd.grad(total.sum(), picture)
        # In one order, whatever the layers preferred: sums over it, and so a resumed run, depend on that to a bit.
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        return Evaluation(total.item(), content.item(), style.item(), gradient)


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

"""What a training step paints, and how it weighs the result.

Gatys et al. 2016's content and style terms on the transformer's pictures (Johnson et al. 2016, section 3), with terms
of ours for smoothness, for patterns that repeat with the network's grid, and for pictures that do not flicker.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from impasto.backbones import CONTENT_LAYERS
from impasto.nn.losses import content_loss, gram, grid, style_loss, total_variation
from impasto.nn.perception import Perception
from impasto.nn.transformer import TransformerNet, identity_code
from impasto_trainer.draws import LARGEST_SHIFT, Draw

TERMS = ("content", "style", "tv", "grid", "stability")
_MARGIN = 2 * LARGEST_SHIFT  # px: beside its border a shifted photo is another photo


class Objective(nn.Module):
    """Paints a batch and weighs the result."""

    def __init__(
        self,
        network: TransformerNet,
        codes: nn.Parameter,
        perception: Perception,
        grams: Mapping[str, Tensor],
        identity: Tensor | None = None,
    ) -> None:
        """Put together what a step needs.

        Args:
            network: the transformer.
            codes: [S, D], one a style.
            perception: what looks at photos and pictures.
            grams: layer -> [S, C, C], the style targets.
            identity: [D], the code at strength 0; by default the one that goes with `codes` at the time.
        """
        super().__init__()
        self.network = network
        self.codes = codes
        self.perception = perception
        self.grams = dict(grams)
        self.identity = identity

    def forward(self, photos: Tensor, draw: Draw) -> Tensor:
        """Return the terms of `TERMS` for each photo, unweighted: [N, 5].

        At a strength s the style target lies where the code does: between the photo's own Gram matrices and the
        painting's. So does a blend's, between those of its paintings.

        Args:
            photos: [N, 3, H, W], RGB in 0..1.
            draw: the step's.
        """
        painted, stability = self._paint(photos, draw)
        seen, looked_at = (picture[:, :, draw.rows][:, :, :, draw.columns] for picture in (photos, painted))
        with torch.no_grad():
            before = self.perception(seen)
            targets = {layer: self._target(gram(before[layer]), layer, draw) for layer in self.grams}
        features = self.perception(looked_at)
        content = content_loss(features, {layer: before[layer] for layer in CONTENT_LAYERS})
        style = style_loss(features, targets)
        grids = grid(painted, self.network.architecture.size_multiple)
        return torch.stack([content, style, total_variation(painted), grids, stability.expand_as(content)], dim=1)

    def code(self, shares: Tensor, strength: Tensor) -> Tensor:
        """Return the codes [N, D] of blends [N, S] at strengths [N]."""
        identity = identity_code(self.codes) if self.identity is None else self.identity
        with torch.autocast(shares.device.type, enabled=False):
            return torch.lerp(identity.expand(len(shares), -1), shares @ self.codes, strength[:, None])

    def _paint(self, photos: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
        """Return the pictures, and how much the first one changes when its photo is shifted and gets noise.

        The mean squared difference between the shifted photo's picture and the picture shifted, away from the border:
        Gupta et al. 2017 ("Characterizing and Improving Stability in Neural Style Transfer") have it between the
        frames of videos; a shift needs none.
        """
        code = self.code(draw.shares, draw.strength)
        if draw.noise is None:
            painted: Tensor = self.network(photos, code)
            return painted, painted.new_zeros((), dtype=torch.float32)
        again = photos[:1, :, draw.moved_rows][:, :, :, draw.moved_columns] + draw.noise
        together = self.network(torch.cat([photos, again.clamp(0, 1)]), torch.cat([code, code[:1]]))
        painted, again = together[:-1], together[-1:]
        expected = painted[:1, :, draw.moved_rows][:, :, :, draw.moved_columns]
        inner = slice(_MARGIN, -_MARGIN)
        return painted, (again - expected).float()[:, :, inner, inner].square().mean()

    def _target(self, own: Tensor, layer: str, draw: Draw) -> Tensor:
        """Return the Gram matrices [N, C, C] to reach from the photos' own."""
        shares, strength = draw.shares.float(), draw.strength.float()
        with torch.autocast(own.device.type, enabled=False):
            paintings = torch.tensordot(shares, self.grams[layer], dims=1)
        return torch.lerp(own, paintings, strength[:, None, None])

"""How far a painted photo has gone: its style fraction and its content fraction.

The style fraction is the style loss of the painted photo over the photo's own: 0 is the painting's hand, 1 is none of
it. The content fraction is the content loss of the painted photo over that of the painting: 0 is the photo, 1 shares
nothing with it. Both by the losses of `impasto.nn.losses`, the painting seen at the size that it was learnt at (its
Gram matrices) or at the photo's (its features).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from impasto import images
from impasto.backbones import CONTENT_LAYERS, STYLE_LAYERS
from impasto.nn.losses import content_loss, gram, gram_loss
from impasto.nn.perception import Perception


@dataclass(frozen=True)
class Sight:
    """What a perception sees in a picture.

    Attributes:
        size: width and height, px.
        content: layer -> features [1, C, h, w].
        grams: layer -> [1, C, C].
    """

    size: tuple[int, int]
    content: Mapping[str, Tensor] = field(repr=False)
    grams: Mapping[str, Tensor] = field(repr=False)


class Eye:
    """A perception that looks at whole pictures, one at a time."""

    def __init__(self, perception: Perception, device: torch.device) -> None:
        self.perception = perception.to(device)
        self.device = device

    def tensor(self, pixels: images.Pixels) -> Tensor:
        """Return a picture [H, W, 3] as [1, 3, H, W] in 0..1, where the perception is."""
        return torch.from_numpy(images.to_planes(pixels)).to(self.device)

    @torch.no_grad()
    def see(self, pixels: images.Pixels) -> Sight:
        """Return what there is to see in a picture [H, W, 3]."""
        found = self.perception(self.tensor(pixels), (*CONTENT_LAYERS, *STYLE_LAYERS))
        return Sight(
            size=(pixels.shape[1], pixels.shape[0]),
            content={layer: found[layer] for layer in CONTENT_LAYERS},
            grams={layer: gram(found[layer]) for layer in STYLE_LAYERS},
        )


class Judge:
    """Weighs painted photos against one painting.

    Attributes:
        grams: the style targets, layer -> [1, C, C].
    """

    def __init__(self, eye: Eye, painting: images.Pixels, learnt_at: int) -> None:
        """Look at the painting [H, W, 3] with its shorter side at `learnt_at` px."""
        self.eye = eye
        self.painting = painting
        self.grams = eye.see(images.with_short_side(painting, learnt_at)).grams
        self._content: dict[tuple[int, int], Mapping[str, Tensor]] = {}

    def fractions(self, photo: Sight, painted: Sight) -> tuple[float, float]:
        """Return the style and the content fraction of a painted photo."""
        style = gram_loss(painted.grams, self.grams) / gram_loss(photo.grams, self.grams)
        other = content_loss(self._content_at(photo.size), photo.content)
        content = content_loss(painted.content, photo.content) / other
        return style.item(), content.item()

    def _content_at(self, size: tuple[int, int]) -> Mapping[str, Tensor]:
        """Return the painting's features at the size of a photo, which few photos do not share with others."""
        if size not in self._content:
            self._content[size] = self.eye.see(images.resize(self.painting, *size)).content
        return self._content[size]

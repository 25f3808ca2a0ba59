"""A new style for a transformer that a bundle has: the code that it starts from, and how near it came in the end.

Dumoulin et al. 2017, section 3: a transformer that has learnt several styles paints another one once that one's scales
and offsets are trained, with every convolution left as it is.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from impasto import images
from impasto.backbones import STYLE_LAYERS
from impasto.bundle import Bundle
from impasto.codes import Codes
from impasto.nn.losses import gram, gram_loss
from impasto.nn.perception import Perception
from impasto.nn.transformer import TransformerNet
from impasto_trainer.paintings import Painting, picture_grams

CLEARLY_WORSE = 1.5
"""Times what the worst of the bundle's own styles leaves: a new one that leaves more than that has not been reached."""

JUDGED_AT = 256  # px, long side of the photos that a style is judged on


@dataclass(frozen=True)
class Nearest:
    """The style of a bundle whose painting is nearest to a new one.

    Attributes:
        style: its id.
        distance: the relative error of its thumbnail's Gram matrices, the mean over the layers; 0 is the same picture.
    """

    style: str
    distance: float


@dataclass(frozen=True)
class Reach:
    """How much of the photos' distance to a style is left in what a code paints.

    Attributes:
        style: its id.
        left: the style fraction: style loss of the painted photo over the photo's own, the median over the photos.
        worst: the bundle's own style that leaves most.
        worst_left: what that one leaves, of the same photos.
    """

    style: str
    left: float
    worst: str
    worst_left: float

    @property
    def fails(self) -> bool:
        """Whether it is clearly worse than what the bundle's own styles get."""
        return self.left > CLEARLY_WORSE * self.worst_left


class Comparison:
    """Compares styles by their thumbnails, all that a bundle has of its own paintings, and so fair to a new one.

    Args:
        perception: what looks at the pictures.
        photos: what styles are judged on, [H, W, 3] each; none of them was trained on.
        size_multiple: of the transformer, px.
    """

    def __init__(self, perception: Perception, photos: Sequence[images.Pixels], size_multiple: int) -> None:
        self.perception = perception
        self.photos = [images.with_long_side(photo, JUDGED_AT, multiple=size_multiple) for photo in photos]
        self.device = next(perception.parameters()).device
        self.before = [picture_grams(photo, perception, self.device) for photo in self.photos]
        self._looked_at: dict[bytes, dict[str, Tensor]] = {}

    def nearest(self, painting: Painting, bundle: Bundle) -> Nearest:
        """Return the bundle's style whose painting is nearest by Gram matrices."""
        wanted = self._grams(painting.thumbnail())
        found = (
            Nearest(style, gram_loss(self._grams(info.thumbnail), wanted).item())
            for style, info in bundle.styles.items()
        )
        return min(found, key=lambda one: one.distance)

    def reached(
        self, codes: Mapping[str, Codes], paintings: Iterable[Painting], bundle: Bundle, network: TransformerNet
    ) -> list[Reach]:
        """Return how near new codes [D] come to their paintings, beside the bundle's own styles."""
        own = {style: self._left(network, code, bundle.styles[style].thumbnail) for style, code in bundle.codes.items()}
        worst = max(own, key=lambda style: own[style])
        return [
            Reach(p.style, self._left(network, codes[p.style], p.thumbnail()), worst, own[worst]) for p in paintings
        ]

    @torch.no_grad()
    def _left(self, network: TransformerNet, code: Codes, thumbnail: bytes) -> float:
        """Return the style fraction that a code leaves, the median over the photos."""
        wanted = self._grams(thumbnail)
        style = torch.from_numpy(code)[None].to(self.device)
        fractions = []
        for photo, before in zip(self.photos, self.before, strict=True):
            painted = network(torch.from_numpy(images.to_planes(photo)).to(self.device), style)
            after = {layer: gram(features) for layer, features in self.perception(painted, STYLE_LAYERS).items()}
            fractions.append((gram_loss(after, wanted) / gram_loss(before, wanted)).item())
        return statistics.median(fractions)

    def _grams(self, thumbnail: bytes) -> dict[str, Tensor]:
        if thumbnail not in self._looked_at:
            self._looked_at[thumbnail] = picture_grams(images.decode(thumbnail), self.perception, self.device)
        return self._looked_at[thumbnail]

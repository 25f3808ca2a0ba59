"""The trained style that comes nearest to a painting that nobody has trained: where an optimisation may begin."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from impasto import images
from impasto.backbones import COMPACT, STYLE_LAYERS
from impasto.bundle import Bundle
from impasto.images import Pixels
from impasto.nn.bundled import read_network
from impasto.nn.interruptions import Interrupted, interruptible
from impasto.nn.losses import gram, gram_loss
from impasto.nn.perception import load_perception
from impasto.nn.precision import mixed_precision

_LOOKED_AT = 256  # px, the long side at which paintings are compared
_LARGEST = 1280  # px, the long side up to which the network paints; strokes, unlike edges, lose little when enlarged


class NearestStyle:
    """A bundle's styles, told apart by the Gram matrices of their thumbnails as the compact perception sees them."""

    def __init__(self, bundle: Bundle, device: torch.device | None = None) -> None:
        """Read the network and look at every thumbnail.

        Raises:
            BundleError: the network cannot be built.
        """
        self._device = device or torch.device("cpu")
        self._bundle = bundle
        self._network = read_network(bundle).to(self._device)
        self._perception = load_perception(STYLE_LAYERS, name=COMPACT.name).to(self._device)
        self._grams = {style: self._look(images.decode(info.thumbnail)) for style, info in bundle.styles.items()}

    def paint_like(
        self, photo: Pixels, paintings: Sequence[tuple[Pixels, float]], interrupted: Callable[[], bool]
    ) -> Pixels:
        """Return the photo painted in the style that is nearest, [H, W, 3], at the photo's own size.

        Raises:
            Interrupted: `interrupted`, which is asked at every layer, said so.
        """
        with interruptible((*self._perception.features.values(), *self._network.modules()), interrupted):
            painted = self.paint(photo, self.find(paintings))
        if interrupted():  # while the picture was given its size
            raise Interrupted
        return painted

    def find(self, paintings: Sequence[tuple[Pixels, float]]) -> str:
        """Return the id of the style that is nearest to paintings of these weights."""
        seen = [(self._look(pixels), weight) for pixels, weight in paintings if weight > 0]

        def distance(style: str) -> float:
            return sum(weight * float(gram_loss(self._grams[style], grams)) for grams, weight in seen)

        return min(self._grams, key=distance)

    @torch.inference_mode()
    def paint(self, photo: Pixels, style: str) -> Pixels:
        """Return the photo painted in a style, [H, W, 3], at the photo's own size."""
        height, width = photo.shape[:2]
        code = torch.from_numpy(self._bundle.code(style))[None].to(self._device)
        with mixed_precision(self._device):
            painted = self._network(self._planes(_fitting(photo, self._bundle.size_multiple)), code)
        return images.resize(images.to_pixels(painted.float().cpu().numpy()), width, height)

    @torch.inference_mode()
    def _look(self, painting: Pixels) -> Mapping[str, Tensor]:
        """Return layer -> Gram matrix [1, C, C]."""
        width, height = images.fit(painting.shape[1], painting.shape[0], _LOOKED_AT)
        sized = images.resize(painting, max(width, images.MIN_SIDE), max(height, images.MIN_SIDE))
        return {layer: gram(features) for layer, features in self._perception(self._planes(sized)).items()}

    def _planes(self, pixels: Pixels) -> Tensor:
        return torch.from_numpy(images.to_planes(pixels)).to(self._device)


def _fitting(photo: Pixels, multiple: int) -> Pixels:
    """Return the photo at the nearest size that a network takes."""
    height, width = photo.shape[:2]
    width, height = images.fit(width, height, min(_LARGEST, max(width, height)))
    smallest = -(-images.MIN_SIDE // multiple)
    sides = (max(smallest, round(side / multiple)) * multiple for side in (width, height))
    return images.resize(photo, *sides)

"""The paintings of a bundle as the perception sees them, to hold what is painted against."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from impasto import images
from impasto.bundle import Bundle
from impasto.engine.sight import Features, Grams, Seen, Sight, content_loss, gram_loss, gram_losses
from impasto.images import Pixels, Planes
from impasto_server.bundles.trials import Trial

_LONGEST = 384  # px, of a thumbnail as bundles have them
_ANY_SIDE = images.Limits(min_side=1)
_NO_LOSS = 1e-12
_LUMINANCE = np.asarray((0.299, 0.587, 0.114), np.float32)  # ITU-R BT.601
_TOLD_APART_BY = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")  # the compact perception's relu5_1 is its weakest


@dataclass(frozen=True)
class _Painting:
    """A painting, from its thumbnail.

    Attributes:
        spread: standard deviation of its luminance, of 0..1.
        content: its features at the photo's size.
        grams: its Gram matrices at the thumbnail's size.
    """

    spread: float
    content: Features
    grams: Grams


class Gallery:
    """A bundle's paintings beside the probe photo.

    Args:
        bundle: whose.
        photo: [1, 3, H, W], RGB in 0..1.
        sight: sees them.

    Raises:
        InvalidInput: a thumbnail is no picture.
    """

    def __init__(self, bundle: Bundle, photo: Planes, sight: Sight) -> None:
        self._sight = sight
        self._photo = photo
        self._period = bundle.size_multiple
        self._photo_seen = sight.see(photo)
        self._paintings = {
            style: self._hang(images.decode(info.thumbnail, limits=_ANY_SIDE, field=f"thumbnail of {style}"))
            for style, info in bundle.styles.items()
        }

    def try_style(self, style: str, painted: Planes) -> Trial:
        """Return a style's figures, from the photo painted in it: [1, 3, H, W], RGB in 0..1."""
        painting, photo = self._paintings[style], self._photo_seen
        seen, swapped = self._sight.see(painted), self._sight.see(np.ascontiguousarray(painted[:, ::-1]))
        style_loss = gram_loss(seen.grams, painting.grams)
        nearest, astray = self._astray(style, seen)
        return Trial(
            style=style,
            spread=_spread(painted),
            lively=min(_spread(self._photo), painting.spread),
            content=_ratio(content_loss(seen.content, photo.content), content_loss(painting.content, photo.content)),
            style_loss=style_loss,
            photo_loss=gram_loss(photo.grams, painting.grams),
            weave=_grid(painted, self._period),
            photo_weave=_grid(self._photo, self._period),
            swapped=_ratio(gram_loss(swapped.grams, painting.grams), style_loss),
            nearest=nearest,
            astray=astray,
        )

    def _hang(self, thumbnail: Pixels) -> _Painting:
        planes = images.to_planes(_fitting(thumbnail))
        height, width = self._photo.shape[2:]
        return _Painting(
            spread=_spread(planes),
            content=self._sight.see(images.to_planes(images.resize(thumbnail, width, height))).content,
            grams=self._sight.see(planes).grams,
        )

    def _astray(self, style: str, seen: Seen) -> tuple[str, float]:
        """Return the nearest of the other paintings, and how many times as far the style's own is."""
        distances = {name: _distance(seen.grams, painting.grams) for name, painting in self._paintings.items()}
        own = distances.pop(style)
        nearest = min(distances, key=lambda name: distances[name], default="")
        return nearest, own / distances[nearest] if nearest else 0.0


def _distance(grams: Grams, targets: Grams) -> float:
    """Return the geometric mean of the layers' losses, which tells paintings apart better than their mean."""
    losses = gram_losses(grams, targets)
    return float(np.exp(np.mean([np.log(max(losses[layer], _NO_LOSS)) for layer in _TOLD_APART_BY])))


def _fitting(thumbnail: Pixels) -> Pixels:
    """Return a thumbnail at a size that the perception takes, and that a bundle's maker cannot blow up."""
    height, width = thumbnail.shape[:2]
    fitting = images.fit(width, height, min(_LONGEST, max(width, height)))
    width, height = (max(images.MIN_SIDE, side) for side in fitting)
    return images.resize(thumbnail, width, height)


def _ratio(one: float, other: float) -> float:
    return max(one, _NO_LOSS) / max(other, _NO_LOSS)


def _spread(picture: Planes) -> float:
    return float(np.tensordot(_LUMINANCE, picture[0], axes=1).std())


def _grid(picture: Planes, period: int) -> float:
    """Return the variance of the means of the period^2 phases, as `impasto.nn.losses.grid` does."""
    channels, height, width = picture.shape[1:]
    cells = picture.reshape(channels, height // period, period, width // period, period)
    return float(cells.mean((1, 3), dtype=np.float64).reshape(channels, -1).var(1).mean())

"""Whose colours the result has (Gatys et al. 2016, "Preserving Color in Neural Artistic Style Transfer")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from impasto.images import Pixels

_LIGHTNESS = np.asarray([0.299, 0.587, 0.114], np.float32)  # of R, G, B: the Y of YIQ
_RIDGE = 1e-4  # of the range 0..1, squared: a grey picture has no variance in two directions


class Palette(Protocol):
    """What is done to the pictures before and after."""

    def photo(self, photo: Pixels) -> Pixels:
        """Return the photo [H, W, 3] as it is to be painted."""

    def painting(self, painting: Pixels, photo: Pixels) -> Pixels:
        """Return a painting [h, w, 3] as its style is to be taken, for this photo."""

    def finish(self, painted: Pixels, photo: Pixels) -> Pixels:
        """Return the painted photo [H, W, 3] as it leaves; the photo is as large."""


class AsPainted:
    """The painting's colours."""

    def photo(self, photo: Pixels) -> Pixels:
        return photo

    def painting(self, painting: Pixels, photo: Pixels) -> Pixels:  # noqa: ARG002
        return painting

    def finish(self, painted: Pixels, photo: Pixels) -> Pixels:  # noqa: ARG002
        return painted


class Luminance:
    """The photo's colours: its lightness alone is painted, in the painting's (section 3.2)."""

    def photo(self, photo: Pixels) -> Pixels:
        return _grey(_lightness(photo))

    def painting(self, painting: Pixels, photo: Pixels) -> Pixels:
        theirs, ours = _lightness(painting), _lightness(photo)
        return _grey((theirs - theirs.mean()) * (ours.std() / max(theirs.std(), 1.0)) + ours.mean())

    def finish(self, painted: Pixels, photo: Pixels) -> Pixels:
        change = _lightness(painted) - _lightness(photo)
        return _rounded(photo + change[:, :, None])


class Histogram(AsPainted):
    """Those of a painting that has taken on the photo's mean and covariance (section 3.1, "Image Analogies")."""

    def painting(self, painting: Pixels, photo: Pixels) -> Pixels:
        theirs, ours = _colours(painting), _colours(photo)
        matrix = _root(_covariance(ours)) @ np.linalg.inv(_root(_covariance(theirs)))
        matched = (theirs - theirs.mean(0)) @ matrix.T + ours.mean(0)
        return _rounded(matched.reshape(painting.shape) * 255)


PALETTES: dict[str, Palette] = {"painting": AsPainted(), "luminance": Luminance(), "histogram": Histogram()}


def prepared(palette: Palette, photo: Pixels, paintings: Sequence[Pixels]) -> tuple[Pixels, list[Pixels]]:
    """Return photo and paintings as they are to be looked at."""
    return palette.photo(photo), [palette.painting(painting, photo) for painting in paintings]


def _lightness(pixels: Pixels) -> NDArray[np.float32]:
    return pixels.astype(np.float32) @ _LIGHTNESS


def _grey(lightness: NDArray[np.float32]) -> Pixels:
    return np.ascontiguousarray(np.broadcast_to(_rounded(lightness)[:, :, None], (*lightness.shape, 3)))


def _rounded(values: NDArray[np.floating]) -> Pixels:
    rounded: Pixels = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return rounded


def _colours(pixels: Pixels) -> NDArray[np.float64]:
    return pixels.reshape(-1, 3) / 255.0


def _covariance(colours: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.cov(colours.T) + _RIDGE * np.eye(3)


def _root(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    values, vectors = np.linalg.eigh(covariance)
    root: NDArray[np.float64] = (vectors * np.sqrt(values)) @ vectors.T
    return root

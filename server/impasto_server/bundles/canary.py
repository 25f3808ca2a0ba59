"""The canary: before anyone is served from a bundle, the probe photo is painted in each of its styles and looked at."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from math import exp, log

import numpy as np

from impasto.bundle import Bundle
from impasto.codes import Codes
from impasto.engine import Engine
from impasto.engine.probe import probe_photo
from impasto.engine.sight import Sight
from impasto.errors import InvalidInput
from impasto.images import Planes
from impasto_server.bundles.gallery import Gallery
from impasto_server.bundles.trials import MOST_SWAPPED, Trial
from impasto_server.errors import BundleRefused

_IDENTITY_ERROR = 1 / 255
_RANGE_ERROR = 1e-3
_FEW_ASTRAY, _MOST_ASTRAY = 3, 1 / 3  # styles, and the share of a bundle's, that may be for their paintings' likeness

_log = logging.getLogger(__name__)


class Canary:
    """The probe that a bundle has to pass: what it paints are paintings, each in the hand of its own.

    A style that is nearer to another painting of its bundle than to its own is logged as a warning: two paintings may
    be that much alike.

    Args:
        threads: to look with; 0 is every core that this process may use.

    Raises:
        MissingDependency, EngineError: there is nothing to look with.
    """

    def __init__(self, threads: int = 0) -> None:
        self._sight = Sight(threads)

    def check(self, bundle: Bundle, engine: Engine) -> None:
        """Paint the probe photo with every code of a bundle, one at a time.

        Args:
            bundle: as it was read.
            engine: of its transformer.

        Raises:
            BundleRefused: a code does not give what it should; names the style, what was measured, what is allowed.
            EngineError: the engine failed.
        """
        photo = probe_photo(bundle.size_multiple)
        try:
            _check_identity(photo, _painted(engine, photo, bundle.identity, "the code identity"))
            gallery = self._gallery(bundle, photo)
            trials = [_tried(gallery, engine, photo, style, bundle.code(style)) for style in bundle.styles]
            _check_colours(trials)
            _check_hands(trials)
        except BundleRefused as refused:
            raise BundleRefused(
                f"the bundle {bundle.name}@{bundle.version} failed the probe: {refused.reason}"
            ) from refused
        for trial in trials:
            if trial.is_astray:
                _log.warning(
                    "bundle %s@%s: the style %s paints more like %s than like its own painting; are they mixed up?",
                    bundle.name,
                    bundle.version,
                    trial.style,
                    trial.nearest,
                )

    def _gallery(self, bundle: Bundle, photo: Planes) -> Gallery:
        try:
            return Gallery(bundle, photo, self._sight)
        except InvalidInput as error:
            raise BundleRefused(str(error)) from error


def _tried(gallery: Gallery, engine: Engine, photo: Planes, style: str, code: Codes) -> Trial:
    trial = gallery.try_style(style, _painted(engine, photo, code, f"the style {style}"))
    if faults := trial.faults():
        raise BundleRefused(f"the photo painted in the style {style} {', and '.join(faults)}")
    return trial


def _painted(engine: Engine, photo: Planes, code: Codes, what: str) -> Planes:
    """Paint, and look whether it is a picture at all: an engine promises that, but this is where promises are tried."""
    painted = engine.run(photo, code[None])
    if painted.shape != photo.shape:
        raise BundleRefused(f"{what} makes a picture of {painted.shape}; the photo's {photo.shape} is allowed")
    if not np.isfinite(painted).all():
        raise BundleRefused(f"{what} makes a picture with numbers that are not finite")
    if painted.min() < -_RANGE_ERROR or painted.max() > 1 + _RANGE_ERROR:
        raise BundleRefused(f"{what} makes numbers from {painted.min():.3g} to {painted.max():.3g}; 0 to 1 is allowed")
    return painted


def _check_identity(photo: Planes, painted: Planes) -> None:
    error = float(np.abs(painted - photo).max())
    if error > _IDENTITY_ERROR:
        raise BundleRefused(
            f"the code identity changes the photo by {error * 255:.1f} of 255; "
            f"at most {_IDENTITY_ERROR * 255:.0f} is allowed"
        )


def _check_colours(trials: Sequence[Trial]) -> None:
    """Refuse a bundle whose styles come nearer to their paintings by a swap of red and blue.

    All of them together: for a painting without strong colours it makes no difference.
    """
    swapped = exp(sum(log(trial.swapped) for trial in trials) / len(trials))
    if swapped < MOST_SWAPPED:
        raise BundleRefused(
            f"red and blue seem to be swapped: that way round, its styles' losses are {swapped:.2f} times what they "
            f"are; at least {MOST_SWAPPED} is allowed"
        )


def _check_hands(trials: Sequence[Trial]) -> None:
    """Refuse a bundle too many of whose styles paint like another of its paintings: as if with another transformer."""
    astray = [trial for trial in trials if trial.is_astray]
    if len(astray) > max(_FEW_ASTRAY, _MOST_ASTRAY * len(trials)):
        raise BundleRefused(
            f"{len(astray)} of {len(trials)} styles paint more like another painting of the bundle than their own: "
            f"{astray[0].style} like {astray[0].nearest}; {_FEW_ASTRAY} are allowed, or a third"
        )

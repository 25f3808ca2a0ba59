"""The gate that a lower precision must pass: no style of a bundle may suffer visibly from it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Protocol

from impasto.bundle import Bundle
from impasto.codes import Codes
from impasto.engine.base import Cancellation
from impasto.engine.probe import decibels, probe_photo
from impasto.images import Planes

LEAST_DECIBELS = 45.0
"""PSNR that a lower precision must keep against fp32 on the probe photo; 8 bits a channel show 59 at best."""

_log = logging.getLogger(__name__)


class Painter(Protocol):
    """What paints as an Engine does."""

    def run(self, images: Planes, codes: Codes, cancellation: Cancellation | None = None) -> Planes: ...


def decibels_kept(bundle: Bundle, exact: Painter, rough: Painter) -> Iterator[tuple[str, float]]:
    """Yield each style with the PSNR, dB, of what `rough` makes of the probe photo in it against `exact`."""
    photo = probe_photo(bundle.size_multiple)
    for style, code in bundle.codes.items():
        yield style, decibels(exact.run(photo, code[None]), rough.run(photo, code[None]))


def passes(bundle: Bundle, exact: Painter, rough: Painter, precision: str) -> bool:
    """Return whether every style keeps LEAST_DECIBELS in a precision, by what its engine paints; log the first not to.

    Args:
        bundle: whose styles.
        exact: paints in fp32.
        rough: paints in the precision.
        precision: its name, for the log.
    """
    for style, kept in decibels_kept(bundle, exact, rough):
        if not kept >= LEAST_DECIBELS:
            _log.warning(
                "bundle %s: %s keeps %.1f dB of the style %s on a photo, less than %g, so it is not used",
                bundle.name,
                precision,
                kept,
                style,
                LEAST_DECIBELS,
            )
            return False
    return True

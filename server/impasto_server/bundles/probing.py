"""What a bundle has to pass before anyone is painted for with it."""

from __future__ import annotations

from typing import Protocol

from impasto.bundle import Bundle
from impasto.engine import Engine


class Probe(Protocol):
    """Tries a bundle."""

    def check(self, bundle: Bundle, engine: Engine) -> None:
        """Paint with a bundle, on a thread that may take its time.

        Args:
            bundle: as it was read.
            engine: of its transformer.

        Raises:
            BundleRefused: it should not be served; says why.
            EngineError: it cannot be painted with.
        """


class NoProbe:
    """Passes every bundle: for engines that paint nothing worth looking at."""

    def check(self, bundle: Bundle, engine: Engine) -> None:
        """Pass it."""

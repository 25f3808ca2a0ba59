"""The bundles of a server: those that it begins with, and how they change while it serves."""

from __future__ import annotations

from collections.abc import Callable

from impasto.logs import Log
from impasto_server.bundles.fetching import Cache
from impasto_server.bundles.ledger import Ledger
from impasto_server.bundles.library import Library
from impasto_server.bundles.loading import Loader, OpenChecked, begin_with
from impasto_server.bundles.probing import Probe
from impasto_server.bundles.shelf import Shelf
from impasto_server.bundles.store import BundleStore
from impasto_server.bundles.watcher import Unwatched, Watcher, Watching
from impasto_server.config import Config
from impasto_server.metrics import Metrics


class Stock:
    """Keeps bundles. To be used inside a running event loop.

    Args:
        config: which bundles, and where new ones come from.
        library: those to begin with, in the order of the configuration.
        open: opens their engines.
        probe: what they have to pass.
        changed: told of each change of what is held.
        metrics: of loads, and of the store.
        log: a line for each load, refusal and retirement.

    Attributes:
        shelf: what is held.
        loader: what puts it there.
        watching: what looks for more.

    Raises:
        InvalidInput, MissingDependency: the store's URL is of no use here.
    """

    def __init__(
        self,
        config: Config,
        library: Library,
        open: OpenChecked,
        probe: Probe,
        *,
        changed: Callable[[Library], None],
        metrics: Metrics,
        log: Log,
    ) -> None:
        self._config = config
        self._log = log
        self.shelf = Shelf(config.bundle_versions, library, changed)
        cache = Cache(config.bundle_cache_folder)
        self.loader = Loader(self.shelf, cache, open, probe, counted=metrics.bundle_loaded, log=log)
        self.watching = self._watcher(config.bundle_store, metrics) if config.bundle_store else Unwatched()

    async def begin(self) -> None:
        """Open the engines, look into the store once, and wait until there is something to paint with.

        Raises:
            EngineError, MissingDependency: a bundle to begin with cannot be painted with here.
            BundleRefused: it does not pass the probe.
        """
        await self.loader.begin(self._config.bundle_sources)
        await self.watching.begin()
        if not self.shelf.held:
            self._log.warning("waiting for a bundle", reason="none is given, and the store has none that can be served")
        await self.shelf.filled()

    async def stop(self) -> None:
        """Look for no more; what is held is painted with to the end."""
        await self.watching.stop()
        self.loader.close()

    def _watcher(self, url: str, metrics: Metrics) -> Watching:
        store = BundleStore(url)
        return Watcher(
            store,
            self.loader,
            self.shelf,
            newest=self._config.bundle_versions,
            seconds=self._config.bundle_poll_seconds,
            ledger=Ledger(self._config.bundle_cache_folder, store.name),
            reachable=metrics.bundle_store,
            log=self._log,
        )


def starting_library(config: Config) -> Library:
    """Return the bundles that a server begins with, read and verified.

    Raises:
        BundleError, BundleRefused: one is damaged.
        InvalidInput, MissingDependency: a URL is of no use here, or no bundle is there.
        BundleUnreachable: it cannot be fetched.
    """
    return begin_with(config.bundle_sources, Cache(config.bundle_cache_folder))

"""The bundles of a server: those that it begins with, and how they change while it serves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from impasto.logs import Log
from impasto_server.bundles.fetching import Cache, is_url
from impasto_server.bundles.ledger import Ledger
from impasto_server.bundles.library import Library
from impasto_server.bundles.loading import Loader, OpenChecked
from impasto_server.bundles.probing import Probe
from impasto_server.bundles.shelf import Shelf
from impasto_server.bundles.store import BundleStore
from impasto_server.bundles.watcher import Unwatched, Watcher, Watching
from impasto_server.config import Config
from impasto_server.metrics import Metrics

_SAY_AGAIN = 1.0  # s, between two looks why there is nothing to paint with


class Stock:
    """Keeps bundles. To be used inside a running event loop.

    Args:
        config: which bundles, and where new ones come from.
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
        open: OpenChecked,
        probe: Probe,
        *,
        changed: Callable[[Library], None],
        metrics: Metrics,
        log: Log,
    ) -> None:
        self._config = config
        self._log = log
        self.shelf = Shelf(config.bundle_versions, Library(()), changed)
        self._cache = Cache(config.bundle_cache_folder)
        self.loader = Loader(self.shelf, self._cache, open, probe, counted=metrics.bundle_loaded, log=log)
        self.watching = self._watcher(config.bundle_store, metrics) if config.bundle_store else Unwatched()

    async def begin(self, waiting: Callable[[str], None]) -> None:
        """Load what the server begins with, look into the store once, and wait until there is something to paint with.

        Args:
            waiting: told what for, whenever that may have changed.

        Raises:
            FolderUnusable: copies of bundles cannot be kept where they should be.
            BundleError, InvalidInput, EngineError, MissingDependency, BundleRefused: see `Loader.begin`.
        """
        sources = self._config.bundle_sources
        if self._config.bundle_store or any(map(is_url, sources)):
            await self.loader.on_thread(self._cache.check)
        await self.loader.begin(sources, waiting)
        await self.watching.begin()
        if not self.shelf.held:
            await self._wait_for_the_store(waiting)

    async def stop(self) -> None:
        """Look for no more; what is held is painted with to the end."""
        await self.watching.stop()
        self.loader.close()

    async def _wait_for_the_store(self, waiting: Callable[[str], None]) -> None:
        self._log.warning("waiting for a bundle", reason=self._why_none())
        while not self.shelf.held:
            waiting(f"waiting for a bundle: {self._why_none()}")
            with suppress(TimeoutError):
                await asyncio.wait_for(self.shelf.filled(), _SAY_AGAIN)

    def _why_none(self) -> str:
        if self.watching.trouble:
            return self.watching.trouble
        refused = [f"{one.source} is refused: {one.reason}" for one in self.shelf.refusals.values()]
        return refused[-1] if refused else "none is given, and the store has none"

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

"""The way of a bundle onto the shelf: fetched, verified, its engine opened and warmed, tried, and only then served."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from time import perf_counter
from typing import Protocol, TypeVar

from impasto.backoff import Backoff
from impasto.bundle import Bundle
from impasto.engine import Engine
from impasto.errors import EngineError, InvalidInput, MissingDependency
from impasto.logs import Log
from impasto.places import without_credentials
from impasto_server.bundles.fetching import Cache
from impasto_server.bundles.library import Library
from impasto_server.bundles.probing import Probe
from impasto_server.bundles.shelf import Held, Refusal, Shelf
from impasto_server.bundles.store import label
from impasto_server.bundles.versions import is_newer
from impasto_server.errors import BundleRefused, BundleUnreachable

THREAD_NAME = "impasto-bundles"
_THREADS = 2  # one may wait for a store that is away

T = TypeVar("T")


class OpenChecked(Protocol):
    """Opens the engine of a bundle that has passed a check; what it returns is what keeps the engine open."""

    def __call__(self, bundle: Bundle, check: Callable[[Bundle, Engine], None]) -> Awaitable[object]: ...


class Loader:
    """Loads bundles, one at a time. To be used inside a running event loop.

    Args:
        shelf: where they are put.
        cache: where they are kept.
        open: opens their engines.
        probe: what they have to pass.
        counted: told of each load what came of it: `loaded`, `refused` or `unreachable`.
        log: a line for each.
    """

    def __init__(
        self,
        shelf: Shelf,
        cache: Cache,
        open: OpenChecked,
        probe: Probe,
        *,
        counted: Callable[[str], None],
        log: Log,
    ) -> None:
        self._shelf = shelf
        self._cache = cache
        self._open = open
        self._probe = probe
        self._counted = counted
        self._log = log
        self._turn = asyncio.Lock()
        self._threads = ThreadPoolExecutor(_THREADS, THREAD_NAME)

    async def begin(self, sources: Sequence[str], waiting: Callable[[str], None]) -> None:
        """Fetch what the server begins with, open the engines, and put it on the shelf, all at once.

        Args:
            sources: where each bundle lies. One that cannot be reached is waited for.
            waiting: told what for; nothing once it is over.

        Raises:
            BundleError: one is damaged, or in a folder where there is none.
            InvalidInput: a URL is of no use here, or no bundle is there.
            EngineError, MissingDependency: one cannot be painted with here.
            BundleRefused: one is damaged, or does not pass the probe.
        """
        await self.on_thread(self._cache.tidy)
        library = Library([await self._reached(source, waiting) for source in sources])
        async with self._turn:
            new = [
                await self._equipped(bundle, without_credentials(source)[0])
                for bundle, source in zip(library.bundles, sources, strict=True)
            ]
            pinnable = [held for held in new if held.bundle is not library.current[held.bundle.name]]
            self._shelf.put(*(held for held in new if held not in pinnable))
            self._let_go(self._shelf.put(*pinnable, current=False))

    async def load(self, source: str, *, by_hand: bool = False, called: str | None = None) -> Held:
        """Load a bundle, and return it; if it is held already that changes nothing but, by hand, which is current.

        Args:
            source: a folder, or a URL that fsspec knows.
            by_hand: make it current whatever its version; else it becomes so if it is newer than the current one.
            called: where it came from, if that is not what it is fetched by.

        Raises:
            InvalidInput: the source is no place, or no bundle is there.
            BundleDamaged: its files are not what its manifest says.
            BundleRefused: it cannot be painted with, does not pass the probe, or is another one of a version that is
                held.
            BundleUnreachable: it cannot be fetched at the moment.
        """
        async with self._turn:
            begun = perf_counter()
            bundle = await self._fetched(source)
            held = self._same(bundle)
            if held is not None and not by_hand:
                return held
            if held is None:
                held = await self._equipped_or_refused(bundle, called or without_credentials(source)[0])
            return self._serve(held, current=by_hand or self._is_newest(bundle), seconds=perf_counter() - begun)

    async def refuse(self, source: str, refused: BundleRefused) -> Refusal:
        """Count, log and remember that a bundle is not served."""
        name, version = await self.on_thread(_label_of, source)
        refusal = Refusal(name, version, without_credentials(source)[0], datetime.now(UTC), refused.reason)
        self._shelf.refuse(refusal)
        self._counted("refused")
        self._log.warning("bundle refused", bundle=f"{name}@{version}", source=refusal.source, reason=refused.reason)
        return refusal

    def retire(self, name: str, version: str, reason: str) -> None:
        """Take a version off the shelf; what has begun with it ends with it.

        Raises:
            BundleNotHeld, LastBundle: see `Shelf.take_out`.
        """
        self._retired([self._shelf.take_out(name, version)], reason)

    async def on_thread(self, work: Callable[..., T], *arguments: object) -> T:
        """Do what may take its time, such as to ask a store."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)

    def close(self) -> None:
        """Begin with nothing more; what has begun goes on to its end."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _reached(self, source: str, waiting: Callable[[str], None]) -> Bundle:
        """Return a bundle as soon as where it lies can be reached."""
        name, backoff, away = without_credentials(source)[0], Backoff(), False
        while True:
            try:
                bundle = await self.on_thread(self._cache.bundle_at, source)
            except InvalidInput as error:
                raise InvalidInput("bundles", error.reason) from error
            except BundleUnreachable as error:
                waiting(f"waiting for a bundle: {error}")
                if not away:
                    self._log.warning("bundle away", source=name, reason=error.reason)
                away = True
                await asyncio.sleep(backoff.next())
            else:
                if away:
                    waiting("")
                    self._log.info("bundle back", source=name)
                return bundle

    async def _fetched(self, source: str) -> Bundle:
        try:
            return await self.on_thread(self._cache.fetch, source)
        except BundleUnreachable:
            self._counted("unreachable")
            raise

    def _same(self, bundle: Bundle) -> Held | None:
        """Return the bundle as it is held, or None where it is not.

        Raises:
            BundleRefused: its version is held, with other content.
        """
        held = self._shelf.find(bundle.name, bundle.version)
        if held is not None and held.bundle.manifest != bundle.manifest:
            raise BundleRefused(
                f"version {bundle.version} of {bundle.name!r} is served already, with other content; give it a number "
                "of its own"
            )
        return held

    async def _equipped_or_refused(self, bundle: Bundle, source: str) -> Held:
        try:
            return await self._equipped(bundle, source)
        except (EngineError, MissingDependency) as error:
            raise BundleRefused(str(error)) from error

    async def _equipped(self, bundle: Bundle, source: str) -> Held:
        keeps = await self._open(bundle, self._probe.check)
        return Held(bundle, source, datetime.now(UTC), keeps)

    def _is_newest(self, bundle: Bundle) -> bool:
        current = self._shelf.current(bundle.name)
        return current is None or is_newer(bundle.version, current.bundle.version)

    def _serve(self, held: Held, *, current: bool, seconds: float) -> Held:
        left = self._shelf.put(held, current=current)
        self._counted("loaded")
        self._log.info(
            "bundle loaded",
            bundle=held.name,
            source=held.source,
            state="current" if current else "pinnable",
            seconds=round(seconds, 2),
        )
        self._retired(left, "there are newer versions, as many as are held")
        return held

    def _retired(self, left: list[Held], reason: str) -> None:
        for held in left:
            self._log.info("bundle retired", bundle=held.name, source=held.source, reason=reason)
        self._let_go(left)

    def _let_go(self, left: list[Held]) -> None:
        """Drop them on a thread: to close an engine may take a moment."""
        if left:
            self._threads.submit(left.clear)


def _label_of(source: str) -> tuple[str, str]:
    """Return a bundle's name and version for who looks at a list, whatever state it is in."""
    try:
        return label(source)
    except Exception:  # for which it is refused, or it has gone meanwhile
        return "unknown", "unknown"

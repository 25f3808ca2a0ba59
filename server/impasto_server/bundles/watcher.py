"""Watching a store: what is new in it is loaded, what has gone from it is retired."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from impasto.errors import ImpastoError, InvalidInput
from impasto.logs import Log
from impasto_server.bundles.ledger import Entry, Ledger
from impasto_server.bundles.loading import Loader
from impasto_server.bundles.shelf import Held, Refusal, Shelf
from impasto_server.bundles.store import BundleStore, Offer, label
from impasto_server.bundles.versions import oldest_first
from impasto_server.errors import BundleDamaged, BundleRefused, BundleUnreachable, NoBundleStore

_LONGEST_PAUSE = 300.0  # s, between two looks at a store that is away, unless it is looked at more rarely anyway
_LOOKS_UNTIL_GONE = 2  # that do not find a bundle: one that is being replaced may not be there for a moment


class Watching(Protocol):
    """Looks for new bundles.

    Attributes:
        trouble: why the latest look met no store; empty where it did.
    """

    trouble: str

    async def begin(self) -> None:
        """Look once, and then again and again, until stopped."""

    async def look(self) -> Sequence[Held | Refusal]:
        """Look now, load what is new, and return what was loaded or refused.

        Raises:
            NoBundleStore: there is nowhere to look.
            BundleUnreachable: the store cannot be reached.
        """

    async def stop(self) -> None:
        """Look no more."""


class Unwatched:
    """Where no store is watched."""

    trouble = ""

    async def begin(self) -> None:
        """Do nothing."""

    async def look(self) -> Sequence[Held | Refusal]:
        """Raise NoBundleStore."""
        raise NoBundleStore("this server watches no store of bundles; start it with --bundle-store, or use LoadBundle")

    async def stop(self) -> None:
        """Do nothing."""


@dataclass
class _Known:
    """What is known of one folder of the store.

    Attributes:
        offer: as it was when it was last looked at.
        label: the name and version of the bundle in it; None where they could not be read.
        settled: whether it was loaded or refused: then it is left alone until its files change.
        refused: whether it was that.
        doubted: whether what was in it was found damaged, with the files that it has now.
        missed: looks that have not found it since it was last there.
    """

    offer: Offer
    label: tuple[str, str] | None = None
    settled: bool = False
    refused: bool = False
    doubted: bool = False
    missed: int = 0


class Watcher:
    """Watches a store. To be used inside a running event loop.

    A bundle that is being copied is found damaged, or without all of its files: so one that is, is tried again at the
    next look, and refused only if its files have not changed between the two.

    Args:
        store: what to watch.
        loader: loads what is new in it.
        shelf: where that is.
        newest: how many versions of each bundle to load, the newest ones.
        seconds: between two looks.
        ledger: where what is served is noted, to begin with that where the store is away.
        reachable: told after each look whether the store could be reached.
        log: where it says that the store has gone, or come back.
    """

    def __init__(
        self,
        store: BundleStore,
        loader: Loader,
        shelf: Shelf,
        *,
        newest: int,
        seconds: float,
        ledger: Ledger,
        reachable: Callable[[bool], None],
        log: Log,
    ) -> None:
        self._store = store
        self._loader = loader
        self._shelf = shelf
        self._newest = newest
        self._seconds = seconds
        self._ledger = ledger
        self._reachable = reachable
        self._log = log
        self.trouble = ""
        self._known: dict[str, _Known] = {}
        self._failures = 0  # looks in a row that met no store
        self._turn = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Look once, and then again and again, until stopped."""
        await self._look_unless_away()
        if self._failures:
            await self._take_up_what_was_served()
        self._task = asyncio.create_task(self._watch())

    async def look(self) -> Sequence[Held | Refusal]:
        """Look now, as `Watching` says."""
        async with self._turn:
            try:
                self._take_note(await self._loader.on_thread(self._store.offers))
                await self._read_labels()
                outcomes = await self._load()
            except BundleUnreachable as error:
                self._away(error)
                raise
            self._back()
            await self._note_what_is_served()
            return outcomes

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _watch(self) -> None:
        while True:
            longest = max(self._seconds, _LONGEST_PAUSE)
            await asyncio.sleep(min(longest, self._seconds * 2.0 ** min(self._failures, 16)))
            await self._look_unless_away()

    async def _look_unless_away(self) -> None:
        try:
            await self.look()
        except BundleUnreachable:
            pass  # which has been logged
        except Exception as error:
            self._log.error("unexpected error", exc_info=error)

    def _take_note(self, offers: Sequence[Offer]) -> None:
        """Compare what is there with what was, and retire what has gone."""
        there = {offer.source: offer for offer in offers}
        for source, offer in there.items():
            known = self._known.get(source)
            if known is None or known.offer.fingerprint != offer.fingerprint:
                self._known[source] = _Known(offer)
            else:
                known.missed = 0
        if there:  # a store of which nothing at all is left is not what it was: an unmounted disk, an emptied bucket
            self._miss([known for source, known in self._known.items() if source not in there])

    def _miss(self, absent: Iterable[_Known]) -> None:
        for known in absent:
            known.missed += 1
            if known.missed >= _LOOKS_UNTIL_GONE:
                del self._known[known.offer.source]
                self._shelf.forget_refusals([known.offer.name])
                self._retire_what_came_from(known.offer.name)

    def _retire_what_came_from(self, source: str) -> None:
        for held in [held for held in self._shelf.held if held.source == source]:
            name, version = held.bundle.name, held.bundle.version
            if len(self._shelf.library.held(name)) > 1:
                self._loader.retire(name, version, "it has gone from the store")
            else:
                reason = "it has gone from the store, and nothing is there in its place"
                self._log.warning("bundle kept", bundle=held.name, reason=reason)

    async def _read_labels(self) -> None:
        for known in self._known.values():
            if known.label is None and not known.settled:
                try:
                    known.label = await self._loader.on_thread(label, known.offer.source)
                except (BundleRefused, BundleUnreachable, InvalidInput):
                    continue  # the attempt to load it will say why

    def _wanted(self) -> list[_Known]:
        """Return what is to be loaded, the oldest first: of each bundle the newest, unless they are there already."""
        by_name: dict[str, list[_Known]] = {}
        for known in sorted(self._known.values(), key=lambda known: (known.offer.written, known.offer.source)):
            if known.label is not None and not known.refused:
                by_name.setdefault(known.label[0], []).append(known)
        newest = [
            known
            for several in by_name.values()
            for known in oldest_first(several, lambda known: known.label[1] if known.label else "")[-self._newest :]
        ]
        unlabelled = [known for known in self._known.values() if known.label is None]
        return [known for known in (*newest, *unlabelled) if not known.settled and not known.missed]

    async def _load(self) -> list[Held | Refusal]:
        """Load what is to be loaded; one that cannot be had keeps none of the others away."""
        outcomes, away = [], None
        for known in self._wanted():
            try:
                outcome = await self._tried(known)
            except BundleUnreachable as error:
                away = error
            else:
                outcomes += [outcome] if outcome else []
        if away is not None:
            raise away
        return outcomes

    async def _tried(self, known: _Known) -> Held | Refusal | None:
        source = known.offer.source
        try:
            held = await self._loader.load(source)
        except BundleDamaged as error:
            if not known.doubted:
                known.doubted = True
                return None
            return await self._refused(known, error)
        except BundleRefused as error:
            return await self._refused(known, error)
        except InvalidInput:  # it has gone meanwhile
            return None
        except BundleUnreachable:
            raise
        except Exception as error:
            self._log.error("unexpected error", exc_info=error)
            return await self._refused(known, BundleRefused(f"loading it failed: {type(error).__name__}"))
        known.settled = True
        return held

    async def _refused(self, known: _Known, error: BundleRefused) -> Refusal:
        known.settled = known.refused = True
        return await self._loader.refuse(known.offer.source, error)

    async def _note_what_is_served(self) -> None:
        sources = {known.offer.name for known in self._known.values()}
        served = [Entry(held.source, held.bundle.path.name) for held in self._shelf.held if held.source in sources]
        await self._loader.on_thread(self._ledger.write, served[::-1])  # a bundle's current version is held first

    async def _take_up_what_was_served(self) -> None:
        for source, copy in await self._loader.on_thread(self._ledger.read):
            try:
                await self._loader.load(str(copy), called=source)
            except ImpastoError as error:
                self._log.warning("bundle not taken up", source=source, reason=str(error))
            else:
                offer = self._store.was_offered(source)
                self._known[offer.source] = _Known(offer, settled=True)

    def _away(self, error: BundleUnreachable) -> None:
        if not self._failures:
            self._log.warning("bundle store away", store=self._store.name, reason=error.reason)
        self._failures += 1
        self.trouble = str(error)
        self._reachable(False)

    def _back(self) -> None:
        if self._failures:
            self._log.info("bundle store back", store=self._store.name)
        self._failures = 0
        self.trouble = ""
        self._reachable(True)

"""Which versions of which bundles are held, and which of each is current."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from impasto.bundle import Bundle
from impasto_server.bundles.library import Library
from impasto_server.bundles.versions import oldest_first
from impasto_server.errors import BundleNotHeld, LastBundle

_MOST_REFUSALS = 50  # that are remembered


@dataclass(frozen=True, eq=False)
class Held:
    """A version of a bundle that can be painted with.

    Attributes:
        bundle: the bundle.
        source: where it came from, without credentials.
        time: when it was loaded.
        keeps: its transformer's engine, see `Brush.keeps`.
    """

    bundle: Bundle
    source: str
    time: datetime
    keeps: object = field(repr=False)

    @property
    def name(self) -> str:
        """For logs."""
        return f"{self.bundle.name}@{self.bundle.version}"


@dataclass(frozen=True)
class Refusal:
    """A bundle that is not served.

    Attributes:
        bundle, version: as it calls itself; `unknown` where it does not.
        source: where it lies, without credentials.
        time: when it was refused.
        reason: why.
    """

    bundle: str
    version: str
    source: str
    time: datetime
    reason: str


class Shelf:
    """Holds bundles. For one event loop; `library` may be read from any thread.

    Every change makes a new library, which takes the old one's place in one step.

    Args:
        capacity: versions of each bundle, the current one included.
        library: what there is before anything is put on it, to be looked at and not to be painted with.
        changed: told of each change.

    Attributes:
        library: what there is now. Whoever needs it twice for one request reads it once.
        refusals: the latest, by their source.
    """

    def __init__(self, capacity: int, library: Library, changed: Callable[[Library], None] = lambda _: None) -> None:
        self.library = library
        self.refusals: dict[str, Refusal] = {}
        self._capacity = capacity
        self._changed = changed
        self._held: dict[str, tuple[Held, ...]] = {}  # of each name the current one, then those that were so last
        self._filled = asyncio.Event()

    @property
    def held(self) -> list[Held]:
        """Every version."""
        return [held for versions in self._held.values() for held in versions]

    def current(self, name: str) -> Held | None:
        """Return the current version of a bundle, or None where none is held."""
        return next(iter(self._held.get(name, ())), None)

    def find(self, name: str, version: str) -> Held | None:
        return next((held for held in self._held.get(name, ()) if held.bundle.version == version), None)

    async def filled(self) -> None:
        """Wait until something is on it."""
        await self._filled.wait()

    def put(self, *new: Held, current: bool = True) -> list[Held]:
        """Put versions on the shelf, and return those that had to leave it for them.

        Args:
            new: versions; one that is there already only changes its place.
            current: whether each becomes its bundle's current one.
        """
        left = [one for held in new for one in self._put(held, current)]
        for held in new:
            self.refusals.pop(held.source, None)
        self._renew()
        return left

    def take_out(self, name: str, version: str) -> Held:
        """Take a version off the shelf, and return it. The newest of the others becomes current in its place.

        Raises:
            BundleNotHeld: it is not there.
            LastBundle: it is the last of all.
        """
        found = self.find(name, version)
        if found is None:
            raise BundleNotHeld(
                f"bundles/{name}/versions/{version}",
                (f"bundles/{held.bundle.name}/versions/{held.bundle.version}" for held in self.held),
                name,
                self.library.held(name),
            )
        if len(self.held) == 1:
            raise LastBundle(f"{found.name} is all that is served; load another bundle first")
        rest = [held for held in self._held[name] if held is not found]
        if found is self.current(name):
            rest = oldest_first(reversed(rest), lambda held: held.bundle.version)[::-1]
        self._held[name] = tuple(rest)
        if not rest:
            del self._held[name]
        self._renew()
        return found

    def refuse(self, refusal: Refusal) -> None:
        """Remember a bundle that is not served."""
        self.refusals.pop(refusal.source, None)
        self.refusals[refusal.source] = refusal
        while len(self.refusals) > _MOST_REFUSALS:
            del self.refusals[next(iter(self.refusals))]

    def forget_refusals(self, sources: Iterable[str]) -> None:
        """Forget those of bundles that are not there any more."""
        for source in sources:
            self.refusals.pop(source, None)

    def _put(self, held: Held, current: bool) -> tuple[Held, ...]:
        name = held.bundle.name
        others = tuple(one for one in self._held.get(name, ()) if one.bundle.version != held.bundle.version)
        order = (held, *others) if current or not others else (others[0], held, *others[1:])
        self._held[name] = order[: self._capacity]
        return order[self._capacity :]

    def _renew(self) -> None:
        held = self.held
        self.library = Library(
            [one.bundle for one in held],
            current={name: versions[0].bundle.version for name, versions in self._held.items()},
            keeps={one.bundle.transformer: one.keeps for one in held},
        )
        if held:
            self._filled.set()
        self._changed(self.library)

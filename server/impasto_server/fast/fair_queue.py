"""A queue in which one client's flood does not keep the next one waiting.

Start-time fair queueing (Goyal, Vin and Cheng 1996, "Start-time fair queueing", section 2): an item's start tag is the
time at which it would begin were each client served at an equal share of the machine; the smallest tag goes first.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count, islice
from typing import Generic, TypeVar

Item = TypeVar("Item")


@dataclass(order=True)
class _Entry(Generic[Item]):
    start: float
    number: int
    item: Item = field(compare=False)
    group: Hashable = field(compare=False)
    gone: bool = field(default=False, compare=False)


class FairQueue(Generic[Item]):
    """Not safe for several threads at once. An item may be in it only once, and must be hashable."""

    def __init__(self) -> None:
        self._heap: list[_Entry[Item]] = []
        self._entries: dict[Item, _Entry[Item]] = {}
        self._finish: dict[str, float] = {}
        self._now = 0.0
        self._numbers = count()

    def __len__(self) -> int:
        return len(self._entries)

    def ahead(self, client: str) -> list[Item]:
        """Return what would go before an item that this client put in now."""
        start = self._start(client)
        return [entry.item for entry in self._entries.values() if entry.start <= start]

    def put(self, item: Item, *, client: str, cost: float, group: Hashable) -> None:
        """Add an item.

        Args:
            item: the item.
            client: whose it is.
            cost: of serving it, above 0, in a unit of the caller's.
            group: items of the same group may be taken together.
        """
        entry = _Entry(self._start(client), next(self._numbers), item, group)
        self._finish[client] = entry.start + cost
        self._entries[item] = entry
        heappush(self._heap, entry)

    def take(self, most: int = 1) -> list[Item]:
        """Remove and return the first item, and others of its group, in their order; an empty list from an empty queue.

        Args:
            most: how many in all.
        """
        first = self._first()
        if first is None:
            return []
        self._now = max(self._now, first.start)
        others = (entry for entry in sorted(self._heap) if not entry.gone and entry.group == first.group)
        taken = [entry.item for entry in islice(others, most)] if most > 1 else [first.item]
        for item in taken:
            self.remove(item)
        return taken

    def first(self) -> Item | None:
        """Return the item that goes first, without removing it."""
        entry = self._first()
        return None if entry is None else entry.item

    def remove(self, item: Item) -> bool:
        """Take an item out, and return whether it was in."""
        entry = self._entries.pop(item, None)
        if entry is None:
            return False
        entry.gone = True
        if not self._entries:  # nobody has been served more than others of those who wait
            self._heap.clear()
            self._finish.clear()
        return True

    def _start(self, client: str) -> float:
        return max(self._now, self._finish.get(client, 0.0))

    def _first(self) -> _Entry[Item] | None:
        while self._heap and self._heap[0].gone:
            heappop(self._heap)
        return self._heap[0] if self._heap else None

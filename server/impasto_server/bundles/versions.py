"""Which version of a bundle is the newer one: versions are numbered by whoever makes bundles."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


def number(version: str) -> tuple[int, ...] | None:
    """Return `2.10` as (2, 10); None where a part is no number."""
    parts = version.split(".")
    return tuple(map(int, parts)) if all(part.isascii() and part.isdigit() for part in parts) else None


def is_newer(version: str, than: str) -> bool:
    """Tell whether a version that has appeared after another is newer.

    Numbers are compared part by part, so that 2.10 is newer than 2.9. Where one of the two is none, what appeared
    later is newer.
    """
    new, old = number(version), number(than)
    return new is None or old is None or new > old


def oldest_first(items: Iterable[T], version: Callable[[T], str]) -> list[T]:
    """Return items, given in the order in which they appeared, by their versions.

    They stay in that order unless every version is a number: a sequence with a few numbers in it has no other.
    """
    found = list(items)
    if all(number(version(item)) for item in found):
        found.sort(key=lambda item: number(version(item)) or ())
    return found

"""What a soak counts: calls by kind and outcome, how long they took, what was wrong."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from time import perf_counter

from benchmarks.load import percentile
from impasto.machine import table
from impasto_client import ImpastoClientError

OK = "OK"
_MOST_TOLD = 20  # failures that are told in full


class Tally:
    """Counts calls.

    Attributes:
        failures: what was not to be, in words.
        checked: pictures that were looked at.
        compared: of these, held against an earlier one of the same request.
    """

    def __init__(self) -> None:
        self.failures: list[str] = []
        self.checked = 0
        self.compared = 0
        self._outcomes: dict[str, Counter[str]] = defaultdict(Counter)
        self._seconds: dict[str, list[float]] = defaultdict(list)

    @property
    def calls(self) -> int:
        return sum(sum(counts.values()) for counts in self._outcomes.values())

    @contextmanager
    def call(self, kind: str, expected: Collection[str] = ()) -> Iterator[None]:
        """Count a call, and what it ends with.

        Args:
            kind: whose it is.
            expected: names of the client's errors that are no failures.
        """
        begun = perf_counter()
        try:
            yield
        except ImpastoClientError as error:
            name = type(error).__name__
            self._outcomes[kind][name] += 1
            if name not in expected:
                self.fail(f"{kind}: {name}: {error}")
        else:
            self._outcomes[kind][OK] += 1
            self._seconds[kind].append(perf_counter() - begun)

    def note(self, kind: str, outcome: str) -> None:
        """Count what is no call."""
        self._outcomes[kind][outcome] += 1

    def fail(self, what: str) -> None:
        """Note what was not to be."""
        self.failures.append(what)

    def table(self) -> str:
        """Return what became of each kind of calls."""
        rows = [
            (
                kind,
                sum(counts.values()),
                counts[OK],
                ", ".join(f"{count} {name}" for name, count in sorted(counts.items()) if name != OK) or "-",
                _seconds(self._seconds[kind], 50),
                _seconds(self._seconds[kind], 99),
            )
            for kind, counts in sorted(self._outcomes.items())
        ]
        return table(("callers", "calls", "answered", "otherwise", "p50, s", "p99, s"), rows)

    def told(self) -> list[str]:
        """Return the failures as they go into a report: the first of them."""
        rest = len(self.failures) - _MOST_TOLD
        return self.failures[:_MOST_TOLD] + ([f"and {rest} more"] if rest > 0 else [])


def _seconds(values: list[float], percent: int) -> str:
    return f"{percentile(values, percent):.2f}" if values else "-"

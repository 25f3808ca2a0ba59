"""What a server takes over time, and whether it grows."""

from __future__ import annotations

import statistics
import urllib.request
from dataclasses import dataclass

from benchmarks.processes import open_files, resident, threads
from benchmarks.replicas import Replica
from impasto.machine import table

_MIB = 2**20


@dataclass(frozen=True)
class Sample:
    """At one moment: minutes since the start, bytes, files and sockets, threads."""

    minute: float
    memory: int
    files: int
    threads: int


class Vitals:
    """Of the server that lives all the while."""

    def __init__(self, server: Replica) -> None:
        self._server = server
        self._samples: list[Sample] = []

    def sample(self, minute: float) -> None:
        pid = self._server.pid
        self._samples.append(Sample(minute, resident(pid), open_files(pid), threads(pid)))

    def memory(self, begin: float, end: float) -> float:
        """Return the median of these minutes, in MiB."""
        found = [sample.memory for sample in self._samples if begin <= sample.minute < end]
        return statistics.median(found) / _MIB if found else float("nan")

    def table(self, minutes: float, rows: int = 15) -> str:
        """Return medians of so many equal parts of the time."""
        step = minutes / rows
        lines = []
        for number in range(rows):
            part = [s for s in self._samples if number * step <= s.minute < (number + 1) * step]
            if part:
                memory = [s.memory / _MIB for s in part]
                lines.append(
                    (
                        f"{(number + 1) * step:.1f}",
                        f"{statistics.median(memory):.0f} ({min(memory):.0f} to {max(memory):.0f})",
                        f"{statistics.median(s.files for s in part):.0f}",
                        max(s.threads for s in part),
                    )
                )
        return table(("up to minute", "resident, MiB", "files and sockets", "threads"), lines)

    def in_flight(self) -> float:
        """Return how many photos the server says to have in the works."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._server.http}/metrics", timeout=10) as page:
            lines = page.read().decode().splitlines()
        return next(float(line.split()[1]) for line in lines if line.startswith("impasto_requests_in_flight "))

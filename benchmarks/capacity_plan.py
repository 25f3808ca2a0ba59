"""From what a picture or a job costs to how many pods: the arithmetic of docs/capacity.md."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import ceil
from pathlib import Path

SURGE = 0.25  # of the pods, that a rolling update adds: Kubernetes' own
_HOUR = 3600.0  # s


@dataclass(frozen=True)
class Cost:
    """What one picture takes.

    Attributes:
        name: of the photos.
        megapixels: that are painted.
        cpu: s of a core, in the server.
        engine: s in the engine, of them or beside them.
        rate: pictures a second that one replica came to.
        sent, received: bytes, of the photo and of the result.
        caller: s of a core, in the load's generator.
    """

    name: str
    megapixels: float
    cpu: float
    engine: float
    rate: float
    sent: float
    received: float
    caller: float


@dataclass(frozen=True)
class Plan:
    """How many pods it takes.

    Attributes:
        serving: that paint, at the planned utilisation.
        spread: as many more as it takes to go on without one zone, the same in each.
        surge: that a rolling update adds for a while.
    """

    serving: int
    spread: int
    surge: int


def plan(rate: float, cost: float, *, cores: float, utilisation: float, zones: int) -> Plan:
    """Return the pods for so many pictures a second.

    Args:
        rate: pictures a second, at the peak.
        cost: s of a core that one takes.
        cores: of a pod.
        utilisation: of them that keeps the latency, 0 to 1.
        zones: over which the pods are spread; with 1 none may be lost, with more one.
    """
    serving = ceil(rate * cost / (cores * utilisation))
    spread = zones * ceil(serving / (zones - 1)) if zones > 1 else serving
    return Plan(serving, spread, ceil(spread * SURGE))


def workers(jobs_an_hour: float, seconds: float, utilisation: float) -> int:
    """Return the workers for so many jobs an hour, each of so many seconds."""
    return ceil(jobs_an_hour * seconds / (_HOUR * utilisation))


def growth(utilisation: float, scale_up_seconds: float) -> float:
    """Return the share by which load may grow in a minute until new pods are there and no queue grows without end."""
    return (1 / utilisation - 1) * 60 / scale_up_seconds


def job_seconds(page: Path, size: int) -> dict[str, float]:
    """Return the seconds of an optimised picture of so many px a side by perception, as docs/performance.md has them.

    Raises:
        ValueError: the page has no such part.
    """
    name = f"optimize-{size}"
    found = re.search(f"<!-- {name}: made by a benchmark -->(.*?)<!-- {name}: end -->", page.read_text(), re.DOTALL)
    if not found:
        raise ValueError(f"{page} has no part {name}")
    rows = re.findall(r"^\| Impasto, (\w+) +\| +([\d.]+) \|", found[1], re.MULTILINE)
    return {perception: float(seconds) for perception, seconds in rows}

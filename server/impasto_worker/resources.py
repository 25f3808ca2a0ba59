"""What this process may use of the machine: what a container's limits leave of its memory and cores."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path("/")
_CGROUPS = "sys/fs/cgroup"
_V2, _V1_MEMORY, _V1_CPU = "", "memory", "cpu"  # controllers, as /proc/self/cgroup names them; v2 has one tree for all


def available_memory(root: Path = _ROOT) -> int:
    """Return the bytes that can still be had: of the machine's, and under every cgroup's limit."""
    return min([_machines_memory(root), *_left_in_cgroups(root)])


def cores(root: Path = _ROOT) -> int:
    """Return on how many cores this process may compute, a container's quota rounded up."""
    quotas = [math.ceil(quota) for quota in _quotas(root)]
    return max(1, min([len(os.sched_getaffinity(0)), *quotas]))


def _machines_memory(root: Path) -> int:
    text = _read(root / "proc/meminfo")
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        if name == "MemAvailable":
            return int(rest.split()[0]) * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _left_in_cgroups(root: Path) -> Iterator[int]:
    """Yield limit less use of each group that has a limit; what the page cache holds there can be had back."""
    for folder in _folders(root, _V2):
        yield from _left(folder, "memory.max", "memory.current", "inactive_file")
    for folder in _folders(root, _V1_MEMORY):
        yield from _left(folder, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


def _left(folder: Path, limit: str, used: str, cached: str) -> Iterator[int]:
    most, use = _read(folder / limit).strip(), _read(folder / used).strip()
    if most.isdigit() and use.isdigit():
        stat = dict(line.split() for line in _read(folder / "memory.stat").splitlines())
        yield max(0, int(most) - int(use) + int(stat.get(cached, 0)))


def _quotas(root: Path) -> Iterator[float]:
    for folder in _folders(root, _V2):
        quota, _, period = _read(folder / "cpu.max").strip().partition(" ")
        if quota.isdigit():
            yield int(quota) / int(period)
    for folder in _folders(root, _V1_CPU):
        quota, period = (_read(folder / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period"))
        if quota.isdigit():
            yield int(quota) / int(period)


def _folders(root: Path, controller: str) -> Iterator[Path]:
    """Yield the folders of this process's group and of those above it.

    A container sees its own group as the top while the path may still be the host's: what does not exist has no limit.
    """
    top = root / _CGROUPS / controller
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            group = top / path.lstrip("/")
            yield group
            yield from (above for above in group.parents if above.is_relative_to(top))


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""

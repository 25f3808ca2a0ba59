"""What a process and its children take, as Linux counts it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_TICK = 1 / os.sysconf("SC_CLK_TCK")  # s


@dataclass(frozen=True)
class Usage:
    """What processes that are alive have taken.

    Attributes:
        cpu: s of processors.
        peak: bytes, the sum of the most that each has ever held.
    """

    cpu: float
    peak: int


def usage(root: int) -> Usage:
    """Return what a process has taken, together with those that it started."""
    stats = {pid: fields for pid in _pids() if (fields := _stat(pid))}
    family = {root}
    while grown := {pid for pid, fields in stats.items() if int(fields[1]) in family} - family:
        family |= grown
    ticks = sum(int(stats[pid][11]) + int(stats[pid][12]) for pid in family)
    return Usage(ticks * _TICK, sum(_amount(pid, "VmHWM") for pid in family))


def _pids() -> list[int]:
    return [int(path.name) for path in _PROC.iterdir() if path.name.isdigit()]


def _stat(pid: int) -> list[str]:
    """Return the fields of its `stat` from `state` on, none if it has ended; the name before may hold blanks."""
    try:
        return (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def resident(pid: int) -> int:
    """Return the bytes that a process holds."""
    return _amount(pid, "VmRSS")


def open_files(pid: int) -> int:
    """Return how many files and sockets a process holds; 0 if it has ended."""
    try:
        return len(list((_PROC / str(pid) / "fd").iterdir()))
    except OSError:
        return 0


def threads(pid: int) -> int:
    """Return how many threads a process has; 0 if it has ended."""
    fields = _stat(pid)
    return int(fields[17]) if fields else 0


def forget_peak(pid: int) -> None:
    """Begin to look for a process's peak anew."""
    (_PROC / str(pid) / "clear_refs").write_text("5", encoding="ascii")


def _amount(pid: int, name: str) -> int:
    """Return an amount of its `status`, in bytes; 0 if it has ended."""
    try:
        lines = (_PROC / str(pid) / "status").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:")), 0)

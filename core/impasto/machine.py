"""What this process has to run on; and a measurement's machine, and its result as a table."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Iterator, Sequence
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_UNLIMITED = 2**63  # bytes
_PAGE = os.sysconf("SC_PAGE_SIZE")  # bytes


def usable_cores() -> int:
    """Return how many cores this process may keep busy: those it may run on, and no more than its cgroup's quota."""
    return max(1, math.ceil(min(len(os.sched_getaffinity(0)), _quota(_CGROUPS))))


def usable_bytes() -> int:
    """Return how much memory this process may hold: the machine's, and no more than its cgroup's limit."""
    return min(os.sysconf("SC_PHYS_PAGES") * _PAGE, *_memory_limits(_CGROUPS))


def resident_bytes() -> int:
    """Return how much memory this process holds."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * _PAGE


def _quota(root: Path) -> float:
    """Return the cores that a container's quota comes to; infinite without one. As cgroups v2 and v1 tell it."""
    try:
        quota, period = (root / "cpu.max").read_text(encoding="ascii").split()
    except (OSError, ValueError):
        try:
            quota, period = ((root / "cpu" / f"cpu.cfs_{name}_us").read_text().strip() for name in ("quota", "period"))
        except OSError:
            return math.inf
    return int(quota) / int(period) if quota.isdigit() else math.inf  # `max` or -1 is no limit


def _memory_limits(root: Path) -> Iterator[int]:
    """Yield a container's limits in bytes, as cgroups v2 and v1 tell them; an enormous one where there is none."""
    yield _UNLIMITED
    for file in (root / "memory.max", root / "memory" / "memory.limit_in_bytes"):
        try:
            text = file.read_text(encoding="ascii").strip()
        except OSError:
            continue
        if text.isdigit():  # `max` is no limit
            yield int(text)


def machine() -> str:
    """Return the processor, the cores this process may use, and the Python version, on one line."""
    return f"{_processor()}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}"


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a Markdown table with aligned columns, numbers to the right."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[k]) for row in [list(header), *cells]) for k in range(len(header))]
    lines = [_line(header, widths), f"|{'|'.join('-' * (width + 2) for width in widths)}|"]
    return "\n".join([*lines, *(_line(row, widths) for row in cells)])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = (
        cell.ljust(width) if k == 0 else cell.rjust(width)
        for k, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return f"| {' | '.join([first, *rest])} |"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())

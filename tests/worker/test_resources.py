"""What a process may use, read from made-up machines."""

from __future__ import annotations

import os
from pathlib import Path

from impasto_worker.resources import available_memory, cores

GB = 1024**3
UNLIMITED_V1 = "9223372036854771712"


def machine(root: Path, files: dict[str, str]) -> Path:
    """Write a machine of 8 GB whose process is in these cgroups."""
    for name, text in {"proc/meminfo": f"MemTotal: 99 kB\nMemAvailable: {8 * GB // 1024} kB\n", **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_without_limits_it_is_what_the_machine_has(tmp_path: Path) -> None:
    bare = machine(tmp_path, {})
    assert available_memory(bare) == 8 * GB
    assert cores(bare) == len(os.sched_getaffinity(0))


def test_a_containers_limit_counts_less_what_it_uses_and_cannot_give_back(tmp_path: Path) -> None:
    group = "sys/fs/cgroup"
    files = {
        "proc/self/cgroup": "0::/\n",
        f"{group}/memory.max": f"{4 * GB}\n",
        f"{group}/memory.current": f"{2 * GB}\n",
        f"{group}/memory.stat": f"anon 5\ninactive_file {GB}\n",
        f"{group}/cpu.max": "50000 100000\n",
    }
    assert available_memory(machine(tmp_path, files)) == 3 * GB
    assert cores(tmp_path) == 1


def test_the_tightest_of_nested_limits_counts(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "0::/pod/box\n",
        "sys/fs/cgroup/pod/memory.max": f"{2 * GB}\n",
        "sys/fs/cgroup/pod/memory.current": "0\n",
        "sys/fs/cgroup/pod/box/memory.max": "max\n",
        "sys/fs/cgroup/pod/box/memory.current": "0\n",
        "sys/fs/cgroup/pod/box/cpu.max": "max 100000\n",
    }
    assert available_memory(machine(tmp_path, files)) == 2 * GB
    assert cores(tmp_path) == len(os.sched_getaffinity(0))


def test_the_first_version_of_cgroups_is_read_as_well(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "4:memory:/docker/abc\n2:cpu,cpuacct:/docker/abc\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{GB}\n",
        "sys/fs/cgroup/memory/memory.usage_in_bytes": f"{GB // 2}\n",
        "sys/fs/cgroup/memory/memory.stat": f"total_inactive_file {GB // 4}\n",
        "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "100000\n",
        "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
    }
    assert available_memory(machine(tmp_path, files)) == GB * 3 // 4
    assert cores(tmp_path) == 1


def test_the_first_versions_word_for_no_limit_is_none(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "4:memory:/\n2:cpu:/\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{UNLIMITED_V1}\n",
        "sys/fs/cgroup/memory/memory.usage_in_bytes": "0\n",
        "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
        "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
    }
    assert available_memory(machine(tmp_path, files)) == 8 * GB
    assert cores(tmp_path) == len(os.sched_getaffinity(0))


def test_this_machine_has_some_of_both() -> None:
    assert available_memory() > 2**20
    assert cores() >= 1

"""What a process has to run on."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest

from impasto import machine


def cgroup(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu.max": "150000 100000\n"}, 1.5),
        ({"cpu.max": "max 100000\n"}, math.inf),
        ({"cpu__cpu.cfs_quota_us": "400000\n", "cpu__cpu.cfs_period_us": "100000\n"}, 4),
        ({"cpu__cpu.cfs_quota_us": "-1\n", "cpu__cpu.cfs_period_us": "100000\n"}, math.inf),
        ({}, math.inf),
    ],
    ids=["version 2", "version 2 without a limit", "version 1", "version 1 without a limit", "no cgroups"],
)
def test_a_containers_quota_is_read(tmp_path: Path, files: dict[str, str], cores: float) -> None:
    assert machine._quota(cgroup(tmp_path, **files)) == cores


@pytest.mark.parametrize(("quota", "cores"), [(0.1, 1), (1.5, 2), (math.inf, None)])
def test_the_usable_cores_are_the_quota_rounded_up_and_no_more_than_there_are(
    monkeypatch: pytest.MonkeyPatch, quota: float, cores: int | None
) -> None:
    monkeypatch.setattr(machine, "_quota", lambda _: quota)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    assert machine.usable_cores() == (cores or 8)


def test_a_process_holds_some_memory() -> None:
    assert 2**20 < machine.resident_bytes() < 2**40

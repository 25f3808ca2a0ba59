"""How much memory a process may hold."""

from __future__ import annotations

from pathlib import Path

from impasto.machine import _memory_limits, usable_bytes


def test_a_containers_limit_is_obeyed_in_both_versions_of_cgroups(tmp_path: Path) -> None:
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory.max").write_text("1000\n")
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("2000\n")

    assert min(_memory_limits(tmp_path)) == 1000


def test_without_a_limit_it_is_the_machines_memory(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("max\n")

    assert min(_memory_limits(tmp_path)) > usable_bytes() > 0

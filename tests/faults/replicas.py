"""Replicas of a server, and what is asked of them, in tests of faults."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.processes import open_files
from benchmarks.replicas import LIGHT, PATIENCE, Replica, all_of, replicas, until

__all__ = ["LIGHT", "PATIENCE", "Replica", "all_of", "replica", "replicas", "until", "until_released"]


@contextmanager
def replica(folder: Path, *options: str) -> Iterator[Replica]:
    """Run one."""
    with replicas(folder, 1, *options) as (one,):
        yield one


def until_released(server: Replica, files: int) -> None:
    """Wait until a server holds no more files and sockets than this."""
    until(lambda: open_files(server.pid) <= files, f"at most {files} open files, not {open_files(server.pid)}")

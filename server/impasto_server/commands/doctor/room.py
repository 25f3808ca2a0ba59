"""Processors, memory, and the folder that the server keeps its state in."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from impasto.findings import Finding, ok, problem, warning
from impasto.machine import usable_bytes, usable_cores
from impasto_server.config import Config

_GB = 1e9
_MEMORY_NEEDED = 2 * _GB  # bytes; for one engine and photos of the sizes that are allowed by default
_DISK_NEEDED = 1 * _GB  # bytes; jobs hold their photos and pictures for a day
_DISK_LEAST = 0.1 * _GB  # bytes


def room(config: Config) -> Iterator[Finding]:
    """Tell whether there is enough of each."""
    yield _processors(config)
    yield _memory()
    yield from _folder(config.state_folder)


def _processors(config: Config) -> Finding:
    cores, there = usable_cores(), os.cpu_count() or 1
    says = f"{cores} of {there} cores may be used"
    wanted = config.engine_threads * config.engine_runs
    if wanted > cores:
        return warning(
            "processors",
            f"{says}, and engine_threads times engine_runs are {wanted}: they would wait for each other",
            "impasto-server --engine-threads 0",
        )
    return ok("processors", says)


def _memory() -> Finding:
    usable = usable_bytes()
    says = f"{usable / _GB:.1f} GB of memory may be used"
    if usable < _MEMORY_NEEDED:
        return warning(
            "memory",
            f"{says}, less than the {_MEMORY_NEEDED / _GB:.0f} GB that photos of the largest size may take",
            "impasto-server --working-size 512 --max-pixels 12000000",
        )
    return ok("memory", says)


def _folder(folder: Path) -> Iterator[Finding]:
    there = folder
    while not os.path.exists(there):  # noqa: PTH110  # Path.exists raises where a folder does not let one look
        there = there.parent
    if not os.path.isdir(there):  # noqa: PTH112
        yield problem("state", f"{folder} cannot be made, as {there} is a file", "impasto-server --state-dir FOLDER")
        return
    if not os.access(there, os.W_OK | os.X_OK):
        yield problem(
            "state", f"{folder} cannot be written: {there} does not let this user", "impasto-server --state-dir FOLDER"
        )
        return
    yield ok("state", f"{folder} {'can be written' if there == folder else 'can be made'}")
    yield _disk(there)


def _disk(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    says = f"{free / _GB:.1f} GB are free where {folder} is"
    if free < _DISK_LEAST:
        return problem("disk", f"{says}: jobs will fail", f"df -h {folder}")
    if free < _DISK_NEEDED:
        return warning("disk", f"{says}, which a few hundred jobs may fill", f"df -h {folder}")
    return ok("disk", says)

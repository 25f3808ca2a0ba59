"""Servers in processes of their own that are not ready, or never come to it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.programs import Program, started

REAL = "impasto_server.main"
FAKE = "tests.server.processes"
"""The same program, with an engine that needs no runtime."""


@contextmanager
def starting(folder: Path, *options: str, module: str = FAKE, **settings: object) -> Iterator[Program]:
    """Start a server, and make sure that it has ended.

    Args:
        folder: where its log is written, and its state.
        options: of the program.
        module: what to run.
        settings: environment variables, in lower case.
    """
    log = folder / f"server-{len(list(folder.glob('server-*.log')))}.log"
    ports = log.with_suffix(".json")
    given = ("--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--ports-file", str(ports), "--jobs", "off")
    command = [sys.executable, "-m", module, *given, "--state-dir", str(folder / "state"), *options]
    with started(command, log, ports, {"hang": "", "switch": folder / "switch", **settings}) as parts:
        yield Program(*parts)


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[Path]:
    """Make a folder on a file system of its own, in memory, or skip the test where that is not allowed."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"nothing can be mounted here: {done.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)

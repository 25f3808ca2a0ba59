"""`impasto` as a process of its own, to be interrupted and to outlive servers."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

# Whoever runs the tests in the background may have SIGINT ignored, which children would inherit.
_PROGRAM = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from impasto_client.cli import program
program()
"""
_TIMEOUT = 60.0  # s; no test should take so long


class Program:
    """A running `impasto`, whose standard output and error are read as they come."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.lines: list[str] = []

    def says(self, pattern: str) -> str:
        """Read its standard error up to a line in which the pattern is found, and return that."""
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.lines.append(line.rstrip("\n"))
            if re.search(pattern, line):
                return self.lines[-1]
        raise AssertionError(f"it never said {pattern!r}, but {self.lines}")

    def prints(self) -> str:
        """Return the next line of its standard output."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().rstrip("\n")

    def interrupt(self) -> None:
        """Do what Ctrl-C does."""
        self._process.send_signal(signal.SIGINT)

    def ends(self) -> tuple[int, str]:
        """Wait for its end; return its exit status and its standard output."""
        output, rest = self._process.communicate(timeout=_TIMEOUT)
        self.lines += (rest or "").splitlines()
        return self._process.returncode, output


@contextmanager
def impasto(*arguments: object, stderr: int | IO[bytes] = subprocess.PIPE) -> Iterator[Program]:
    """Run it with these arguments; end it when the block is left."""
    command = [sys.executable, "-c", _PROGRAM, *map(str, arguments)]
    environment = os.environ | {"GRPC_VERBOSITY": "NONE"}  # a server that is stopped at once makes gRPC's own log talk
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True, env=environment) as process:
        try:
            yield Program(process)
        finally:
            process.kill()

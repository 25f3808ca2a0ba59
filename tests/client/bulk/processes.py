"""`impasto bulk` as a process of its own, to be killed and stopped."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

WAIT = 60.0  # s; no test should take so long

# Whoever runs the tests in the background may have SIGINT ignored, which children would inherit.
_PROGRAM = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from impasto_client.cli import main
sys.exit(main())
"""


@contextmanager
def bulk(*arguments: object, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """Run it with these arguments; end it when the block is left."""
    command = [sys.executable, "-c", _PROGRAM, *map(str, arguments)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | environment
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait for its end; return its exit status and what it has said on standard output and error."""
    output, errors = process.communicate(timeout=WAIT)
    return process.returncode, output, errors


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)

"""How a program starts: with a word about the extra to install where what it needs is not there."""

from __future__ import annotations

import os
import signal
import sys
from importlib import import_module

from impasto.errors import MissingDependency

_FIRST = 1  # the id of a container's first process
_ENDED_BY_SIGTERM = 128 + signal.SIGTERM  # as a shell has it


def run(module: str, *, extra: str) -> int:
    """Run a module's `main`, and return its exit status.

    Every program is installed with the base distribution, but an extra brings what it imports.

    Args:
        module: where `main` is.
        extra: the extra of the distribution that the module needs.
    """
    if os.getpid() == _FIRST:
        # Linux has no default action for this one, so what arrives while the program is imported would be lost, and the
        # container be killed when its time to stop is over. The program's own handlers take the place of this.
        signal.signal(signal.SIGTERM, lambda *_: os._exit(_ENDED_BY_SIGTERM))
    try:
        program = import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == module.partition(".")[0]:
            raise
        print(MissingDependency(error.name or module, extra), file=sys.stderr)
        return 1
    status: int = program.main()
    return status

"""How a program starts: with a word about the extra to install where what it needs is not there."""

from __future__ import annotations

import sys
from importlib import import_module

from impasto.errors import MissingDependency


def run(module: str, *, extra: str) -> int:
    """Run a module's `main`, and return its exit status.

    Every program is installed with the base distribution, but an extra brings what it imports.

    Args:
        module: where `main` is.
        extra: the extra of the distribution that the module needs.
    """
    try:
        program = import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == module.partition(".")[0]:
            raise
        print(MissingDependency(error.name or module, extra), file=sys.stderr)
        return 1
    status: int = program.main()
    return status

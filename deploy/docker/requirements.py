"""Print what Impasto and some of its extras require, a line each, without Impasto itself.

    python requirements.py pyproject.toml server cpu

So that an image has a layer of dependencies that stays the same while the code changes.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path


def requirements(pyproject: Path, extras: Sequence[str]) -> list[str]:
    """Return the requirements, each once.

    Raises:
        SystemExit: there is no such extra, or it names other extras of Impasto, which no image needs.
    """
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    optional = project["optional-dependencies"]
    if unknown := sorted({*extras} - {*optional}):
        sys.exit(f"{pyproject} has no extra {', '.join(unknown)}; there are {', '.join(sorted(optional))}")
    found = dict.fromkeys([*project["dependencies"], *(line for extra in extras for line in optional[extra])])
    if itself := [line for line in found if line.startswith(f"{project['name']}[")]:
        sys.exit(f"{', '.join(itself)} names extras of its own; name these instead")
    return list(found)


if __name__ == "__main__":
    print(*requirements(Path(sys.argv[1]), sys.argv[2:]), sep="\n")

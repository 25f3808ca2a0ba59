"""What the Node client's own tests, which need no server, say."""

from __future__ import annotations

import json
import subprocess

from impasto import __version__
from tests.node.runtime import NODE, PACKAGE, Node

TIMEOUT = 120  # s


def test_its_own_tests_pass(js: Node) -> None:
    command = [NODE or "node", "--test", "tests/"]
    done = subprocess.run(command, cwd=PACKAGE, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    assert done.returncode == 0, done.stdout


def test_it_has_the_version_of_everything() -> None:
    assert json.loads((PACKAGE / "package.json").read_text())["version"] == __version__

"""The Node client in a process of Node's: runs the few lines of JavaScript that a test is about."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parents[2] / "clients" / "node"
BUILT = PACKAGE / "dist" / "index.js"
NODE = shutil.which("node")
WHY_NOT = "the client for Node is not built: `make node` does it, where Node 20 and npm are"


class Thrown(Exception):
    """What a program threw: `error` has its properties."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(f"{error['name']}: {error['message']}")
        self.error = error


class Node:
    """A process of Node's that runs one program after the other.

    A program is the body of an asynchronous function. It has `impasto`, the package; `connect`, which makes a client
    that is closed with the program; `say`, which tells the test something; and `told`, which says of an error what it
    is.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, code: str, **given: Any) -> Any:
        """Run a program, and return what it returns.

        Args:
            given: its further variables.

        Raises:
            Thrown: what it threw.
        """
        self.start(code, **given)
        return self.returns()

    def start(self, code: str, **given: Any) -> None:
        """Begin with a program, which `returns` waits for."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"code": code, "given": given}, default=_packed) + "\n")
        self._process.stdin.flush()

    def says(self) -> Any:
        """Return what the program says next."""
        kind, value = self._next()
        assert kind == "said", value
        return value

    def returns(self) -> Any:
        """Return what the program returns, or raise what it throws; what it says until then is lost."""
        kind, value = self._next()
        while kind == "said":
            kind, value = self._next()
        if kind == "threw":
            raise Thrown(value)
        return value

    def _next(self) -> tuple[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, f"Node ended with status {self._process.wait()}"
        told = json.loads(line, object_hook=_unpacked)
        return told["kind"], told["value"]


@contextmanager
def node() -> Iterator[Node]:
    """Run Node; end it when the block is left."""
    command = [NODE or "node", "--no-warnings", str(Path(__file__).with_name("runtime.mjs"))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Node(process)
        finally:
            process.kill()


def _packed(value: object) -> object:
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    raise TypeError(f"{type(value).__name__} cannot be given to a program")


def _unpacked(value: dict[str, Any]) -> Any:
    return base64.b64decode(value["$bytes"]) if "$bytes" in value else value

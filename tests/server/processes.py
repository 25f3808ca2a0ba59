"""The server's program in a process of its own, with an engine that needs no runtime, and ways to make it hang."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import URLError

from impasto.codes import Codes
from impasto.engine import Cancellation, FakeEngine
from impasto.images import Planes
from impasto_server.main import main
from tests.programs import logged_in, page_of
from tests.support import fake_bundle

WAIT = 60.0  # s, far more than anything here takes
_FOR_EVER = 10_000  # s
_HANG = "HANG"  # the variable that says what hangs
_SWITCH = "SWITCH"  # the file by which the test says when


@dataclass
class ServerProcess:
    """A server that runs, or did.

    Attributes:
        process: itself.
        grpc, http: its ports on 127.0.0.1.
        log: the file that it writes to.
        switch: a file; once it is there, what was to hang hangs.
    """

    process: subprocess.Popen[bytes]
    grpc: int
    http: int
    log: Path = field(repr=False)
    switch: Path = field(repr=False)

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.grpc}"

    def lines(self, event: str) -> list[dict[str, Any]]:
        """Return the log's whole lines whose event begins so."""
        return [line for line in logged_in(self.log) if line["event"].startswith(event)]

    def wait_for(self, event: str) -> dict[str, Any]:
        """Return the first line of an event, once it is there."""
        deadline = time.monotonic() + WAIT
        while not (found := self.lines(event)):
            assert time.monotonic() < deadline, f"waited {WAIT:g} s for {event!r} in:\n{self.log.read_text()}"
            time.sleep(0.02)
        return found[0]

    def page(self, path: str) -> tuple[int, str]:
        """Return status and text of a page of the HTTP port."""
        return page_of(self.http, path, WAIT)

    def end(self) -> int:
        """Ask it to end, and return its exit status."""
        self.process.terminate()
        return self.process.wait(WAIT)


@contextmanager
def server_process(folder: Path, *options: str, hang: str = "", stderr: int | None = None) -> Iterator[ServerProcess]:
    """Run a server that is ready, and make sure that it has ended.

    Args:
        folder: for its bundle, its log and so on; no other server's.
        options: of the program.
        hang: what hangs, once the switch is there: `engine`, `thread` or `lock`.
        stderr: where its log goes instead of a file.
    """
    bundle, ports, log = fake_bundle(folder / "bundle").path, folder / "ports.json", folder / "server.log"
    environment = {key: value for key, value in os.environ.items() if not key.startswith("IMPASTO_")}
    environment |= {_HANG: hang, _SWITCH: str(folder / "switch")}
    arguments = ["--bundle", str(bundle), "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--jobs", "off"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.server.processes", *arguments, "--ports-file", str(ports), *options],
            stdout=output,
            stderr=output if stderr is None else stderr,
            env=environment,
        )
    try:
        yield _ready(process, ports, log, folder / "switch")
    finally:
        process.kill()
        process.wait()
        if process.stderr:
            process.stderr.close()


def _ready(process: subprocess.Popen[bytes], ports: Path, log: Path, switch: Path) -> ServerProcess:
    deadline = time.monotonic() + WAIT
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        if ports.exists():
            numbers = json.loads(ports.read_text())
            server = ServerProcess(process, numbers["grpc"], numbers["http"], log, switch)
            try:
                if server.page("/readyz")[0] == 200:
                    return server
            except URLError:
                pass
        time.sleep(0.02)
    raise AssertionError(log.read_text())


class _Hanging(FakeEngine):
    """An engine that does not come back once the switch is there."""

    def __init__(self, switch: Path) -> None:
        super().__init__()
        self._switch = switch

    def run(self, images: Planes, codes: Codes, cancellation: Cancellation | None = None) -> Planes:
        if self._switch.exists():
            time.sleep(_FOR_EVER)
        return super().run(images, codes, cancellation)


def _hold_python(switch: Path) -> None:
    """Hold Python's lock for ever, as a broken extension would, once the switch is there."""
    while not switch.exists():
        time.sleep(0.02)
    ctypes.PyDLL(None).sleep(_FOR_EVER)


def _program() -> int:
    hang, switch = os.environ[_HANG], Path(os.environ[_SWITCH])
    if hang == "thread":
        threading.Thread(target=time.sleep, args=[_FOR_EVER]).start()  # which Python waits for at its end
    if hang == "lock":
        threading.Thread(target=_hold_python, args=[switch], daemon=True).start()
    return main(open_engine=lambda _: _Hanging(switch) if hang == "engine" else FakeEngine())


if __name__ == "__main__":
    sys.exit(_program())

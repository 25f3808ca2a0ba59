"""A program of ours in a process of its own: what it has logged, and what its HTTP port says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

WAIT = 120.0  # s, far more than anything here takes


@dataclass
class Program:
    """A program that runs, or did.

    Attributes:
        process: itself; its standard input is a pipe that we hold.
        log: the file that it writes to.
        ports: the file that it writes its ports to, if it has some.
    """

    process: subprocess.Popen[bytes]
    log: Path = field(repr=False)
    ports: Path = field(repr=False)

    @property
    def http(self) -> int:
        """Its port for HTTP, once it is open."""
        return self.port("http")

    def port(self, name: str) -> int:
        """Return one of its ports, once they are open."""
        deadline = time.monotonic() + WAIT
        while not self.ports.exists():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, f"waited {WAIT:g} s for its ports in:\n{self.log.read_text()}"
            time.sleep(0.02)
        port: int = json.loads(self.ports.read_text())[name]
        return port

    def page(self, path: str) -> tuple[int, str]:
        """Return status and text of a page of its HTTP port."""
        return page_of(self.http, path, WAIT)

    def wait_for_page(self, path: str, status: int, says: str) -> str:
        """Return a page's text once it has this status and says this."""
        deadline = time.monotonic() + WAIT
        while (found := self.page(path))[0] != status or says not in found[1]:
            assert time.monotonic() < deadline, f"waited {WAIT:g} s for {status} and {says!r}; it is {found}"
            time.sleep(0.02)
        return found[1]

    def lines(self, event: str) -> list[dict[str, Any]]:
        """Return the log's whole lines of this event."""
        return [line for line in self.logged() if line["event"] == event]

    def logged(self) -> list[dict[str, Any]]:
        """Return the log's whole lines."""
        return logged_in(self.log)

    def wait_for(self, event: str, nth: int = 1) -> dict[str, Any]:
        """Return the n-th line of an event, once it is there."""
        deadline = time.monotonic() + WAIT
        while len(found := self.lines(event)) < nth:
            assert time.monotonic() < deadline, f"waited {WAIT:g} s for {event!r} in:\n{self.log.read_text()}"
            time.sleep(0.02)
        return found[nth - 1]

    def wait_for_any(self, *events: str) -> None:
        """Return once there is a line of one of these events."""
        deadline = time.monotonic() + WAIT
        while not any(map(self.lines, events)):
            assert time.monotonic() < deadline, f"waited {WAIT:g} s for any of {events} in:\n{self.log.read_text()}"
            time.sleep(0.02)

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, and return the exit status."""
        self.send(number)
        return self.process.wait(WAIT)

    def ended(self) -> int:
        """Return the exit status, once it has ended by itself."""
        return self.process.wait(WAIT)


@contextmanager
def started(
    command: Sequence[str], log: Path, ports: Path, settings: Mapping[str, object], *, stderr: int | None = None
) -> Iterator[tuple[subprocess.Popen[bytes], Path, Path]]:
    """Start a program, and make sure that it has ended.

    Args:
        command: what to run.
        log: where its output goes.
        ports: the file that it writes its ports to.
        settings: environment variables, in lower case, beside those of this process that are not ours.
        stderr: where its log goes instead.

    Yields:
        what a `Program` is made of.
    """
    environment = {key: value for key, value in os.environ.items() if not key.startswith("IMPASTO_")}
    environment |= {key.upper(): str(value) for key, value in settings.items()}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output if stderr is None else stderr,
            env=environment,
        )
    try:
        yield process, log, ports
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stderr):
            if pipe:
                pipe.close()


def page_of(port: int, path: str, timeout: float) -> tuple[int, str]:
    """Return status and text of a page of a program's HTTP port."""
    try:
        with urlopen(f"http://127.0.0.1:{port}{path}", timeout=timeout) as response:
            return response.status, response.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()


def logged_in(log: Path) -> list[dict[str, Any]]:
    """Return the whole lines of a program's log that are JSON."""
    lines = log.read_text().splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("\n")]

"""Containers on this machine, as `make image-test` runs them: locked down as far as the image promises to work."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

_T = TypeVar("_T")

WAIT = 120.0  # s, far more than anything here takes
_QUICK = 60.0  # s, for podman itself
_TRY_AGAIN = 0.05  # s

STATE = "/var/lib/impasto"
LOCKED_DOWN = (
    "--read-only",
    "--read-only-tmpfs=false",
    "--tmpfs=/tmp:mode=1777,notmpcopyup",
    "--cap-drop=all",
    "--memory=2g",
)
_PRIVILEGES = "--security-opt=no-new-privileges"

# What some machines need. The network is the machine's own everywhere: a bridge is more than a sandbox may have.
_RUNTIMES: Sequence[Sequence[str]] = ((), ("--runtime=runc",), ("--runtime=crun",))
_LIMITS: Sequence[Sequence[str]] = ((), ("--ulimit=nofile=4096:4096", "--ulimit=nproc=4096:4096"))


class CannotRun(Exception):
    """What runs containers is missing, or does not work here; says what to do."""


def provide(*programs: str) -> None:
    """See to it that these programs are there, each from Debian's package of its name.

    Raises:
        CannotRun: one is missing, and this is not root on Debian, or it could not be installed.
    """
    missing = [program for program in programs if shutil.which(program) is None]
    if not missing:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise CannotRun(f"{', '.join(missing)} missing; as root on Debian: apt-get install {' '.join(missing)}")
    install = ["apt-get", "install", "--yes", "--no-install-recommends", *missing]
    for command in (["apt-get", "update"], install):
        done = subprocess.run(
            command, env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"}, capture_output=True, text=True
        )
        if done.returncode:
            raise CannotRun(f"{' '.join(command)} ended with status {done.returncode}:\n{done.stderr}")


def podman(*arguments: str, timeout: float = _QUICK) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["podman", *arguments], capture_output=True, text=True, timeout=timeout, check=False)


def working_flags(image: str) -> tuple[str, ...]:
    """Return the flags with which containers can be run here, the fewest that do.

    Args:
        image: with Python.

    Raises:
        CannotRun: none of those that are known do.
    """
    problems = []
    for limits in _LIMITS:
        for runtime in _RUNTIMES:
            flags = (*runtime, "--network=host", *limits)
            done = podman("run", "--rm", *flags, *LOCKED_DOWN, _PRIVILEGES, "--entrypoint=python3", image, "-c", "")
            if done.returncode == 0:
                return flags
            problems.append(f"{' '.join(flags)}: {(done.stderr.strip().splitlines() or ['?'])[-1]}")
    raise CannotRun("podman cannot run a container here:\n" + "\n".join(problems))


@dataclass(frozen=True)
class Container:
    """One that runs, or did."""

    name: str

    def execute(self, *command: str) -> tuple[int, str]:
        """Return the status of a command in it, and what it printed."""
        done = podman("exec", self.name, *command)
        return done.returncode, (done.stdout + done.stderr).strip()

    def is_healthy(self) -> bool:
        """Return whether the image's health check says so."""
        return podman("healthcheck", "run", self.name).returncode == 0

    def stop(self, seconds: int) -> int:
        """Send the image's signal to stop, kill it after so many seconds, and return its exit status."""
        stopped = podman("stop", f"--time={seconds}", self.name, timeout=seconds + _QUICK)
        assert stopped.returncode == 0, stopped.stderr
        return int(podman("inspect", "--format={{.State.ExitCode}}", self.name).stdout)

    def log(self) -> list[dict[str, Any]]:
        """Return the lines of its log that are JSON."""
        lines = podman("logs", self.name)
        return [json.loads(line) for line in (lines.stdout + lines.stderr).splitlines() if line.startswith("{")]

    def events(self) -> list[str]:
        return [line["event"] for line in self.log()]

    def wait_for(self, event: str) -> dict[str, Any]:
        """Return the line of an event once it is in the log."""

        def found() -> dict[str, Any] | None:
            return next((line for line in self.log() if line["event"] == event), None)

        return until(found, f"{event!r} in the log of {self.name}")


@contextmanager
def running(
    image: str,
    flags: Sequence[str],
    name: str,
    environment: Mapping[str, str],
    *,
    state: Path,
    files: Path | None = None,
) -> Iterator[Container]:
    """Run a container in the background, and remove it when the block ends.

    Args:
        image: of which.
        flags: what this machine needs.
        name: for it.
        environment: of its program.
        state: a folder for its state; it becomes its user's.
        files: a folder that it may read, at the same path; it becomes its user's, too.
    """
    options = [f"--env={key}={value}" for key, value in environment.items()]
    options += [f"--volume={state}:{STATE}:U", *([f"--volume={files}:{files}:ro,U"] if files else [])]
    started = podman("run", "--detach", f"--name={name}", *flags, *LOCKED_DOWN, _PRIVILEGES, *options, image)
    try:
        assert started.returncode == 0, started.stderr
        yield Container(name)
    finally:
        podman("rm", "--force", "--time=0", name)


def outcome(image: str, flags: Sequence[str], environment: Mapping[str, str], *command: str) -> tuple[int, str]:
    """Return status and output of a container that ends by itself.

    Args:
        image, flags, environment: as `running`.
        command: options of its program, or with `--entrypoint=` first another program.
    """
    options = [f"--env={key}={value}" for key, value in environment.items()]
    if command and command[0].startswith("--entrypoint="):
        options, command = [*options, command[0]], command[1:]
    quiet = "--no-healthcheck"  # podman complains where there is no systemd to run it
    done = podman("run", "--rm", quiet, *flags, *LOCKED_DOWN, _PRIVILEGES, *options, image, *command, timeout=WAIT)
    return done.returncode, (done.stdout + done.stderr).strip()


def until(question: Callable[[], _T | None], what: str) -> _T:
    """Return the first answer that is one, asked again and again."""
    deadline = time.monotonic() + WAIT
    while not (answer := question()):
        assert time.monotonic() < deadline, f"waited {WAIT:g} s for {what}"
        time.sleep(_TRY_AGAIN)
    return answer

"""A server with the studio that goes on when the demo has ended: for an hour, or until this ends it.

python -m scripts.studio stop [--out demo]
"""

from __future__ import annotations

import argparse
import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from impasto.bundle import STARTER
from impasto.errors import ImpastoError
from impasto_server.local import LocalServer, wait_until_ready
from impasto_server.main import main as serve

OUT = Path("demo")
MINUTES = 60.0  # after which it ends by itself

_ROOT = Path(__file__).parents[1]
_STOP_SECONDS = 45.0
_LOOK_EVERY = 0.05  # s


class StudioRuns(ImpastoError):
    """One that was to be replaced does not end."""


@contextmanager
def left_running(folder: Path, bundle: Path = STARTER, minutes: float = MINUTES) -> Iterator[LocalServer]:
    """Start one in the place of any earlier one, and leave it running when the block ends, unless that fails.

    It belongs to no terminal, and holds none of this process's files.

    Args:
        folder: of its log, `studio.log`, and of all that it keeps.
        bundle: what it paints with.
        minutes: after which it ends.

    Raises:
        ServerDidNotStart: see there.
        StudioRuns: see there.
    """
    folder = folder.absolute()
    stop(folder)
    ports, log = folder / "studio.json", folder / "studio.log"
    ports.unlink(missing_ok=True)
    command = [sys.executable, "-m", "scripts.studio", "serve", "--out", str(folder), "--minutes", str(minutes)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--bundle", str(bundle.absolute())],
            cwd=_ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield wait_until_ready(process, ports, log)
    except BaseException:
        process.terminate()
        process.wait(_STOP_SECONDS)
        raise


def stop(folder: Path) -> bool:
    """End the one of this folder, if there is one, and return whether there was.

    Raises:
        StudioRuns: it does not end.
    """
    try:
        lock = (folder / "studio.lock").open("r+")
    except FileNotFoundError:
        return False
    told, deadline = "", time.monotonic() + _STOP_SECONDS
    with lock:
        while not _taken(lock.fileno()):
            lock.seek(0)
            number = lock.read()  # of the process that holds the lock, and so no other's
            if number and not told:
                os.kill(int(number), signal.SIGTERM)
                told = number
            if time.monotonic() > deadline:
                raise StudioRuns(f"process {number}, the studio of an earlier demo, does not end; end it by hand")
            time.sleep(_LOOK_EVERY)
        lock.truncate(0)
    return bool(told)


def run(folder: Path, bundle: Path, minutes: float) -> int:
    """Be the server, and return the exit status."""
    lock = os.open(folder / "studio.lock", os.O_RDWR | os.O_CREAT, 0o600)  # which stays open until the process ends
    if not _taken(lock):
        print("studio: another one has just been started", file=sys.stderr)
        return 1
    os.ftruncate(lock, 0)  # of what one that was killed has left
    os.write(lock, str(os.getpid()).encode())
    end = threading.Timer(60 * minutes, os.kill, (os.getpid(), signal.SIGTERM))
    end.daemon = True
    end.start()
    files = ["--ports-file", str(folder / "studio.json"), "--state-dir", str(folder / "studio-state")]
    listen = ["--studio", "--studio-listen", "127.0.0.1:0", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"]
    return serve([*listen, *files, "--bundle", str(bundle), "--drain-seconds", "5", "--log-format", "console"])


def _taken(lock: int) -> bool:
    """Take a lock, if nobody has it, and return whether that was so."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    if options.command == "serve":
        return run(options.out, options.bundle, options.minutes)
    try:
        print("The studio has ended." if stop(options.out) else "No studio is running.")
    except StudioRuns as error:
        print(f"studio: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="studio.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=["stop", "serve"], help="end it; or be it")
    parser.add_argument("--out", type=Path, default=OUT, metavar="DIR", help="where its log is [%(default)s]")
    parser.add_argument("--bundle", type=Path, default=STARTER, metavar="DIR", help="what to paint with [the starter]")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="after which it ends [%(default)g]")
    return parser


if __name__ == "__main__":
    sys.exit(main())

"""A PostgreSQL server of the tests' own, from Debian's package."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from uuid import uuid4

import psycopg

from tests.support import free_ports

USER = "impasto"
PASSWORD = "s3cret/w@rd"  # has to be escaped in a URL
_ESCAPED_PASSWORD = "s3cret%2Fw%40rd"
_UNPRIVILEGED = ("postgres", "nobody")  # PostgreSQL refuses to run as root
_START_SECONDS = 60.0
_STOP_SECONDS = 60.0


class Postgres:
    """A server on loopback in a temporary folder. It can be stopped and started again with what it holds."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        # Not pytest's folder: only its owner may enter that, and as root the server is another user.
        self._folder = Path(tempfile.mkdtemp(prefix="impasto-postgres-"))
        self._data = self._folder / "data"
        (self._port,) = free_ports(1)
        self._user = _unprivileged_user()
        self._server: subprocess.Popen[bytes] | None = None
        if self._user:
            shutil.chown(self._folder, self._user)
        password = self._folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        self._folder.chmod(0o755)
        access = (f"--username={USER}", f"--pwfile={password}", "--auth=scram-sha-256")
        self._run("initdb", f"--pgdata={self._data}", *access)

    def start(self) -> None:
        """Run the server until it takes connections."""
        settings = ("-c", "fsync=off", "-c", "max_connections=200")
        with (self._folder / "log").open("ab") as log:
            self._server = subprocess.Popen(
                self._command(
                    "postgres",
                    *("-D", self._data, "-k", self._folder, "-h", "127.0.0.1", "-p", str(self._port), *settings),
                ),
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                psycopg.connect(self.url("postgres")).close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > deadline or self._server.poll() is not None:
                    raise
                time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End the server, as a restart does: connections break, what was committed stays."""
        if self._server is not None:
            self._server.send_signal(how)
            self._server.wait(timeout=_STOP_SECONDS)
            self._server = None

    def remove(self) -> None:
        """End the server for good, and at once."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self._folder, ignore_errors=True)

    def url(self, database: str) -> str:
        """Return the URL of a database."""
        return f"postgresql://{USER}:{_ESCAPED_PASSWORD}@127.0.0.1:{self._port}/{database}"

    def new_database(self) -> str:
        """Return the URL of an empty database: a schema, which costs a hundredth of one."""
        name = f"test_{uuid4().hex}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {name}")
        return f"{self.url('postgres')}?options=-csearch_path%3D{name}"

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(self._command(program, *arguments), cwd=self._folder, check=True, capture_output=True)

    def _command(self, program: str, *arguments: str | Path) -> list[str]:
        """Return what runs a program as the server's user.

        Not Popen's `user`, which makes Python fork: a child of a process whose threads use gRPC may hang before it is
        another program.
        """
        command = [str(self._programs / program), *map(str, arguments)]
        if self._user is None:
            return command
        return ["setpriv", f"--reuid={self._user}", f"--regid={_group(self._user)}", "--clear-groups", *command]


def find_programs() -> Path | None:
    """Return the folder of PostgreSQL's programs, or None where it is not installed."""
    on_path = shutil.which("postgres")
    folders = [Path(on_path).resolve().parent] if on_path else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)  # where Debian puts them
    return next((folder for folder in folders if (folder / "initdb").exists()), None)


def _group(user: str) -> int:
    return pwd.getpwnam(user).pw_gid


def _unprivileged_user() -> str | None:
    """Return whom to be instead of root; None where this is not root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in _UNPRIVILEGED if name in known)

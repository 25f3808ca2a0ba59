"""Which server to call, and how long to wait for it."""

from __future__ import annotations

import argparse
import os

from impasto_client.calling import DEFAULT_TIMEOUT
from impasto_client.channel import DEFAULT_TARGET
from impasto_client.client import Client

SERVER_VARIABLE = "IMPASTO_SERVER"


def server_options(*, inherited: bool = False) -> argparse.ArgumentParser:
    """Return a parent for the parsers of commands.

    Args:
        inherited: for a command of a command, which must not undo what was given before it.
    """
    options = argparse.ArgumentParser(add_help=False)
    target = os.environ.get(SERVER_VARIABLE, DEFAULT_TARGET)
    options.add_argument(
        "--server",
        default=argparse.SUPPRESS if inherited else target,
        metavar="HOST:PORT",
        help=f"[${SERVER_VARIABLE}, else {DEFAULT_TARGET}]",
    )
    options.add_argument(
        "--timeout",
        type=float,
        default=argparse.SUPPRESS if inherited else None,
        metavar="S",
        help=f"seconds, tries included [{DEFAULT_TIMEOUT:g}; a job is waited for without limit]",
    )
    return options


def connect(options: argparse.Namespace) -> Client:
    return Client(options.server, timeout=DEFAULT_TIMEOUT if options.timeout is None else options.timeout)

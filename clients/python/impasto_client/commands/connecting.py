"""Which server to call, and how long to wait for it."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from impasto_client.calling import DEFAULT_TIMEOUT
from impasto_client.channel import DEFAULT_TARGET
from impasto_client.client import Client
from impasto_client.errors import InvalidRequest

SERVER_VARIABLE = "IMPASTO_SERVER"
_left_open: list[Client] = []

TOKEN_VARIABLE = "IMPASTO_TOKEN"  # noqa: S105  # and no option: other users of the machine can read those


def server_options(
    *, inherited: bool = False, variable: str = SERVER_VARIABLE, target: str = DEFAULT_TARGET
) -> argparse.ArgumentParser:
    """Return a parent for the parsers of commands.

    Args:
        variable: of the environment, that says which server to call.
        target: which one is called where it does not.
        inherited: for a command of a command, which must not undo what was given before it.
    """
    options = argparse.ArgumentParser(add_help=False)
    options.add_argument(
        "--server",
        default=argparse.SUPPRESS if inherited else os.environ.get(variable, target),
        metavar="HOST:PORT",
        help=f"[${variable}, else {target}]",
    )
    options.add_argument(
        "--timeout",
        type=float,
        default=argparse.SUPPRESS if inherited else None,
        metavar="S",
        help=f"seconds, tries included [{DEFAULT_TIMEOUT:g}; longer for bundles and bulk; a job is waited for "
        "without limit]",
    )
    _add_access(options, argparse.SUPPRESS if inherited else None)
    return options


@contextmanager
def connect(options: argparse.Namespace) -> Iterator[Client]:
    """Yield a client, and close it.

    A Ctrl-C leaves it open: where one comes just as a call begins, gRPC has noted the call but started no thread to see
    its end, and a close would wait for that for ever, as would the end of the object. `cli.program` leaves without.

    Raises:
        InvalidRequest: a file cannot be read, or the options do not go together.
    """
    client = Client(
        options.server,
        timeout=DEFAULT_TIMEOUT if options.timeout is None else options.timeout,
        token=_token(options.token_file),
        tls=bool(options.tls),
        ca=options.ca,
        certificate=options.cert,
        key=options.key,
        insecure=bool(options.insecure),
    )
    try:
        yield client
    except KeyboardInterrupt:
        _left_open.append(client)
        raise
    except BaseException:
        client.close()
        raise
    client.close()


def _add_access(options: argparse.ArgumentParser, default: str | None) -> None:
    group = options.add_argument_group("who calls whom")
    for name, meaning in (
        ("--token-file", f"a file with the token to send; ${TOKEN_VARIABLE} can hold the token itself"),
        ("--ca", "PEM, whose servers to trust, instead of those that everyone does; implies --tls"),
        ("--cert", "PEM, a certificate to show to the server; implies --tls"),
        ("--key", "PEM, the certificate's private key"),
    ):
        group.add_argument(name, type=Path, default=default, metavar="FILE", help=meaning)
    group.add_argument("--tls", action="store_true", default=default, help="connect by TLS")
    group.add_argument(
        "--insecure", action="store_true", default=default, help="send the token also without TLS to another machine"
    )


def _token(file: Path | None) -> str | None:
    """Return the token to send: of the file, else of the environment; None where there is neither."""
    if file is None:
        return os.environ.get(TOKEN_VARIABLE) or None
    try:
        return file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest("token_file", f"{file} cannot be read: {getattr(error, 'strerror', 'no text')}") from None

"""`impasto-server token`: makes a token for a caller, and what the callers file needs to know of it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from datetime import UTC, datetime

from impasto_server.identity.callers_file import caller_name
from impasto_server.identity.roles import Role
from impasto_server.identity.tokens import digest_of, new_token

_DESCRIPTION = """Make a token for a caller.

The first line of what is printed is the token: give it to the caller, for it is not kept and cannot be shown again.
The rest is for the callers file. For a caller that is there already, add the digest to its list, and take the old one
out once the caller uses the new token: token_sha256 = ["old", "new"].
"""


def run(arguments: Sequence[str]) -> None:
    """Print a token, and the table of its caller.

    Raises:
        SystemExit: after --help, or for an argument that is not allowed.
    """
    options = _parser().parse_args(arguments)
    token = new_token()
    print(token)
    print()
    print("[[caller]]")
    print(f"name = {json.dumps(options.name)}")
    print(f"roles = {json.dumps([role.value for role in options.roles])}")
    print(f"token_sha256 = {json.dumps(digest_of(token))}")
    if options.expires:
        print(f"expires = {options.expires.isoformat()}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="impasto-server token", description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--name", type=_name, required=True, help="of the caller, in the log and as owner of jobs")
    parser.add_argument(
        "--roles",
        type=_roles,
        default=[Role.STYLIZE, Role.JOBS],
        metavar="ROLE,ROLE",
        help=f"what it may do: {', '.join(Role)} [stylize,jobs]",
    )
    parser.add_argument(
        "--expires",
        type=_time,
        metavar="TIME",
        help="when it is a caller no longer, such as 2030-12-31 or 2030-12-31T18:00:00+01:00; in UTC unless it says "
        "otherwise [never]",
    )
    return parser


def _name(text: str) -> str:
    try:
        return caller_name(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} {error}") from None


def _roles(text: str) -> list[Role]:
    try:
        return [Role(name) for name in dict.fromkeys(text.split(","))]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed; give any of {', '.join(Role)}") from None


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time; give one such as 2030-12-31") from None
    time = time if time.tzinfo else time.replace(tzinfo=UTC)
    if time <= datetime.now(UTC):
        raise argparse.ArgumentTypeError(f"{text!r} is over already; give a time to come")
    return time

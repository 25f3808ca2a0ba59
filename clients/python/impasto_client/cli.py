"""`impasto`: have photos painted by an Impasto server."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from impasto import __version__
from impasto.errors import ImpastoError
from impasto_client.commands import bulk, bulk_status, bundles, jobs, styles, stylize
from impasto_client.commands.connecting import server_options
from impasto_client.errors import (
    DeadlineExceeded,
    ImpastoClientError,
    InvalidRequest,
    JobUnknown,
    PermissionDenied,
    Unauthenticated,
)

_EXAMPLES = """\
examples:
  impasto styles
  impasto stylize photo.jpg --style starry-night --out painted.jpg
  impasto stylize photo.jpg --style starry-night --strength 0.5 --width 800 --out painted.png
  impasto stylize photo.jpg --blend starry-night=2 the-scream=1 --out painted.webp
  impasto stylize photo.jpg --style-image painting.jpg --out painted.jpg
  impasto bulk photos/ painted/ --style starry-night
  impasto bulk s3://photos/2026 s3://painted/2026 --style starry-night --shard 0/8
  impasto bulk-status s3://painted/2026
  impasto jobs
  impasto jobs fetch NAME --out painted.jpg
  impasto bundles list
  impasto bundles load s3://bucket/bundles/mine --server 127.0.0.1:8502

exit status:
  0    done
  1    the server, the disk or the job failed; bulk: some photos failed that another run may paint
  2    a wrong argument, photo, style or job, or the server does not let this caller in
  3    the time was up, and a job goes on
  4    bulk: all is done but for photos that cannot be painted; bulk-status lists them
  130  interrupted; bulk: by SIGINT, with 143 by SIGTERM, and the next run goes on from there
"""


_INTERRUPTED = 130


def program() -> NoReturn:
    """Do what the command line says, and end the process: after a Ctrl-C, without a wait for calls under way."""
    status = main()
    if status == _INTERRUPTED:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        status = options.run(options)
    except (InvalidRequest, JobUnknown, Unauthenticated, PermissionDenied) as error:
        return _complain(error, 2)
    except DeadlineExceeded as error:
        return _complain(error, 3 if error.operation else 1)
    except (ImpastoClientError, ImpastoError, OSError) as error:
        return _complain(error, 1)
    except KeyboardInterrupt:
        return _complain("interrupted", _INTERRUPTED)
    return status or 0


def _complain(what: object, status: int) -> int:
    print("impasto:", *str(what).split(), file=sys.stderr)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="impasto", description=__doc__, epilog=_EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"impasto {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    table: tuple[tuple[Any, Callable[[], argparse.ArgumentParser], str, str], ...] = (
        (stylize, server_options, "stylize", "paint a photo"),
        (styles, server_options, "styles", "list the styles that the server paints"),
        (bulk, server_options, "bulk", "paint all photos of a folder or a bucket into another"),
        (bulk_status, _no_server, "bulk-status", "tell how far bulk work is, and what failed and why"),
        (jobs, server_options, "jobs", "list the jobs that paint in the style of any painting, and manage them"),
        (bundles, bundles.admin_options, "bundles", "list what a server paints with, and change it, as administrator"),
    )
    for command, server, name, meaning in table:
        command.add(commands.add_parser(name, parents=[server()], help=meaning, description=f"{meaning.capitalize()}."))
    return parser


def _no_server() -> argparse.ArgumentParser:
    """Return the parent of the parser of a command that calls none."""
    return argparse.ArgumentParser(add_help=False)


if __name__ == "__main__":
    program()

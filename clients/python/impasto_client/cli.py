"""`impasto`: have photos painted by an Impasto server."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from impasto import __version__
from impasto_client.commands import bulk, bulk_status, bundles, completion, doctor, jobs, styles, stylize
from impasto_client.commands.complaints import (
    EXIT_STATUSES,
    EXPECTED,
    INTERRUPTED,
    PIPE_CLOSED,
    UsageError,
    complain,
)
from impasto_client.commands.connecting import server_options

_EXAMPLES = f"""\
examples:
  impasto styles
  impasto stylize photo.jpg --style starry-night --out painted.jpg
  impasto stylize photo.jpg --style starry-night --strength 0.5 --width 800 --out painted.png
  impasto stylize photo.jpg --blend starry-night=2 the-scream=1 --out painted.webp
  impasto stylize photos/ 'more/**/*.png' --style starry-night --out painted/
  cat photo.jpg | impasto stylize - --style starry-night > painted.jpg
  impasto stylize photo.jpg --style-image painting.jpg --out painted.jpg
  impasto bulk photos/ painted/ --style starry-night
  impasto bulk s3://photos/2026 s3://painted/2026 --style starry-night --shard 0/8
  impasto bulk-status s3://painted/2026
  impasto jobs
  impasto jobs fetch NAME --out painted.jpg
  impasto bundles list
  impasto bundles load s3://bucket/bundles/mine --server 127.0.0.1:8502
  impasto doctor
  impasto completion bash > ~/.local/share/bash-completion/completions/impasto

{EXIT_STATUSES}"""


def program() -> NoReturn:
    """Do what the command line says, and end the process: after a Ctrl-C, without a wait for calls under way."""
    _prepare_streams()
    status = main()
    if status in (INTERRUPTED, PIPE_CLOSED):
        _leave(status)
    sys.exit(status)


def main(arguments: Sequence[str] | None = None) -> int:
    arguments = sys.argv[1:] if arguments is None else arguments
    as_json = "--json" in arguments
    try:
        options = parser().parse_args(arguments)
        status: int | None = options.run(options)
        _flush()
    except UsageError as error:
        raise SystemExit(complain(error, as_json=as_json)) from None
    except BrokenPipeError:
        return PIPE_CLOSED
    except (*EXPECTED, KeyboardInterrupt) as error:
        return complain(error, as_json=as_json)
    return status or 0


class Parser(argparse.ArgumentParser):
    """A parser that leaves it to `main` how to say what is wrong, and takes options by their whole names alone."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"allow_abbrev": False, **options})

    def error(self, message: str) -> NoReturn:
        raise UsageError(self.format_usage(), message)


def _prepare_streams() -> None:
    """Let names of files be told that are no text, and give standard error a place to go to where it is closed."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115  # until the end


def _flush() -> None:
    if sys.stdout is not None:  # as it is where it was closed before the program began
        sys.stdout.flush()


def _leave(status: int) -> NoReturn:
    """End at once."""
    if status == INTERRUPTED:
        _flush()
    sys.stderr.flush()
    os._exit(status)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line; completion is made from it."""
    whole: argparse.ArgumentParser = Parser(
        prog="impasto", description=__doc__, epilog=_EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    whole.add_argument("--version", action="version", version=f"impasto {__version__}")
    commands = whole.add_subparsers(title="commands", required=True, metavar="COMMAND")
    table: tuple[tuple[Any, Callable[[], argparse.ArgumentParser], str, str], ...] = (
        (stylize, server_options, "stylize", "paint photos"),
        (styles, server_options, "styles", "list the styles that the server paints"),
        (bulk, server_options, "bulk", "paint all photos of a folder or a bucket into another"),
        (bulk_status, _no_server, "bulk-status", "tell how far bulk work is, and what failed and why"),
        (jobs, server_options, "jobs", "list the jobs that paint in the style of any painting, and manage them"),
        (doctor, server_options, "doctor", "look at the server and at this machine, and tell what is wrong"),
        (completion, _no_server, "completion", "print what lets a shell complete the command line"),
        (bundles, bundles.admin_options, "bundles", "list what a server paints with, and change it, as administrator"),
    )
    for command, server, name, meaning in table:
        command.add(commands.add_parser(name, parents=[server()], help=meaning, description=f"{meaning.capitalize()}."))
    return whole


def _no_server() -> argparse.ArgumentParser:
    """Return the parent of the parser of a command that calls none."""
    return argparse.ArgumentParser(add_help=False)


if __name__ == "__main__":
    program()

"""`impasto`: have photos painted by an Impasto server."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from impasto import __version__
from impasto_client.commands import bundles, jobs, styles, stylize
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
  impasto jobs
  impasto jobs fetch NAME --out painted.jpg
  impasto bundles list
  impasto bundles load s3://bucket/bundles/mine --server 127.0.0.1:8502

exit status:
  0    done
  1    the server, the disk or the job failed
  2    a wrong argument, photo, style or job, or the server does not let this caller in
  3    the time was up, and a job goes on
  130  interrupted
"""


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except (InvalidRequest, JobUnknown, Unauthenticated, PermissionDenied) as error:
        return _complain(error, 2)
    except DeadlineExceeded as error:
        return _complain(error, 3 if error.operation else 1)
    except (ImpastoClientError, OSError) as error:
        return _complain(error, 1)
    except KeyboardInterrupt:
        return _complain("interrupted", 130)
    return 0


def _complain(what: object, status: int) -> int:
    print("impasto:", *str(what).split(), file=sys.stderr)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="impasto", description=__doc__, epilog=_EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"impasto {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command, server, name, meaning in (
        (stylize, server_options, "stylize", "paint a photo"),
        (styles, server_options, "styles", "list the styles that the server paints"),
        (jobs, server_options, "jobs", "list the jobs that paint in the style of any painting, and manage them"),
        (bundles, bundles.admin_options, "bundles", "list what a server paints with, and change it, as administrator"),
    ):
        command.add(commands.add_parser(name, parents=[server()], help=meaning, description=f"{meaning.capitalize()}."))
    return parser


if __name__ == "__main__":
    sys.exit(main())

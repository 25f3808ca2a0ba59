"""`impasto`: have photos painted by an Impasto server."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from impasto import __version__
from impasto_client.building import FORMATS
from impasto_client.calling import DEFAULT_TIMEOUT
from impasto_client.channel import DEFAULT_TARGET
from impasto_client.client import Client
from impasto_client.errors import ImpastoClientError, InvalidRequest
from impasto_client.results import Style

SERVER_VARIABLE = "IMPASTO_SERVER"

_SUFFIXES = {".jpg": "jpeg", ".jpeg": "jpeg", ".png": "png", ".webp": "webp"}
_LISTED = ("id", "name", "title", "artist", "year", "bundle_version", "transformer_digest")

_EXAMPLES = """\
examples:
  impasto styles
  impasto stylize photo.jpg --style starry-night --out painted.jpg
  impasto stylize photo.jpg --style starry-night --strength 0.5 --width 800 --out painted.png
  impasto stylize photo.jpg --blend starry-night=2 the-scream=1 --out painted.webp

exit status:
  0 done; 1 the server or the disk failed; 2 a wrong argument, photo or style
"""


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except InvalidRequest as error:
        return _complain(error, 2)
    except (ImpastoClientError, OSError) as error:
        return _complain(error, 1)
    except KeyboardInterrupt:
        return _complain("interrupted", 130)
    return 0


def stylize(options: argparse.Namespace) -> None:
    """Check what can be checked here, have the photo painted, write it."""
    output_format = _output_format(options)
    photo = _read(options.photo)
    started = time.monotonic()
    with Client(options.server, timeout=options.timeout) as client:
        painted = client.stylize(
            photo,
            _blend(options.blend) if options.blend else options.style,
            strength=options.strength,
            working_size=options.working_size,
            width=options.width,
            height=options.height,
            format=output_format,
            quality=options.quality,
        )
    taken = time.monotonic() - started
    _write(options.out, painted.image)
    print(f"{options.out}: {painted.width}x{painted.height} px, {len(painted.image):,} bytes, {taken:.2f} s")


def styles(options: argparse.Namespace) -> None:
    """Print what the server paints."""
    with Client(options.server, timeout=options.timeout) as client:
        found = client.styles()
    if options.json:
        print(json.dumps([{key: getattr(style, key) for key in _LISTED} for style in found], indent=2))
    else:
        _print_table(found)


def _print_table(found: Sequence[Style]) -> None:
    rows = [("STYLE", "TITLE", "ARTIST", "YEAR")]
    rows += [(style.id, style.title, style.artist, style.year) for style in found]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _output_format(options: argparse.Namespace) -> str:
    """Return the format of the result, or refuse a place that it could not be written to."""
    out: Path = options.out
    if not out.parent.is_dir():
        raise InvalidRequest("--out", f"there is no folder {out.parent}")
    if out.is_dir():
        raise InvalidRequest("--out", f"{out} is a folder; name a file in it")
    chosen = options.format or _SUFFIXES.get(out.suffix.lower())
    if chosen is None:
        known = ", ".join(_SUFFIXES)
        raise InvalidRequest("--out", f"{out.name} tells no format; end it in one of {known}, or give --format")
    return str(chosen)


def _read(photo: Path) -> bytes:
    try:
        return photo.read_bytes()
    except OSError as error:
        raise InvalidRequest("photo", f"cannot read {photo}: {error.strerror}") from error


def _write(out: Path, data: bytes) -> None:
    """Write the whole file or none: whoever looks at `out` never sees half a picture."""
    draft = out.with_name(f".{out.name}.{os.getpid()}.draft")
    try:
        draft.write_bytes(data)
        draft.replace(out)
    finally:
        draft.unlink(missing_ok=True)


def _blend(parts: Sequence[tuple[str, float]]) -> Mapping[str, float]:
    blend = dict(parts)
    if len(blend) < len(parts):
        raise InvalidRequest("--blend", "a style is given twice; add its weights up")
    return blend


def _complain(what: object, status: int) -> int:
    print("impasto:", *str(what).split(), file=sys.stderr)
    return status


def _part(text: str) -> tuple[str, float]:
    """Parse `STYLE=WEIGHT`."""
    style, _, weight = text.rpartition("=")
    try:
        return style, float(weight)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not STYLE=WEIGHT, such as starry-night=2") from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="impasto", description=__doc__, epilog=_EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"impasto {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    server = _server_options()
    _add_stylize(commands.add_parser("stylize", parents=[server], help="paint a photo", description="Paint a photo."))
    listing = commands.add_parser(
        "styles", parents=[server], help="list the styles", description="List the styles that the server paints."
    )
    listing.add_argument("--json", action="store_true", help="print a JSON list, without thumbnails, for programs")
    listing.set_defaults(run=styles)
    return parser


def _server_options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(add_help=False)
    options.add_argument(
        "--server",
        default=os.environ.get(SERVER_VARIABLE, DEFAULT_TARGET),
        metavar="HOST:PORT",
        help=f"[${SERVER_VARIABLE}, else {DEFAULT_TARGET}]",
    )
    options.add_argument(
        "--timeout", type=float, default=DEFAULT_TIMEOUT, metavar="S", help="seconds, tries included [%(default)g]"
    )
    return options


def _add_stylize(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("photo", type=Path, help="a JPEG, PNG or WebP file")
    style = parser.add_mutually_exclusive_group(required=True)
    style.add_argument("--style", metavar="STYLE", help="a style's id; `impasto styles` lists them")
    style.add_argument(
        "--blend", type=_part, nargs="+", metavar="STYLE=WEIGHT", help="several styles at once, as a weighted mean"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="where to; replaced if it is there")
    parser.add_argument("--strength", type=float, metavar="X", help="0 (the photo) to 1 (all paint) [1]")
    parser.add_argument(
        "--working-size",
        type=int,
        metavar="PX",
        help="the long side to paint at: the smaller, the broader the strokes [the photo's, up to the server's limit]",
    )
    parser.add_argument("--width", type=int, metavar="PX", help="of the result [from --height, else the photo's]")
    parser.add_argument("--height", type=int, metavar="PX", help="of the result [from --width, else the photo's]")
    parser.add_argument("--format", choices=tuple(FORMATS), help="of the result [from the suffix of --out]")
    parser.add_argument("--quality", type=int, metavar="N", help="1 to 100, of a JPEG or WebP result [the server's]")
    parser.set_defaults(run=stylize)


if __name__ == "__main__":
    sys.exit(main())

"""`impasto stylize`: paint one photo, at once in a trained style, or by a job in the style of any painting."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from impasto_client.commands import by_job, files
from impasto_client.commands.connecting import connect
from impasto_client.errors import InvalidRequest
from impasto_client.formats import FORMATS
from impasto_client.policies import POLICIES


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("photo", type=Path, help="a JPEG, PNG or WebP file")
    style = parser.add_mutually_exclusive_group(required=True)
    style.add_argument("--style", metavar="STYLE", help="a style's id; `impasto styles` lists them")
    style.add_argument(
        "--blend", type=_part, nargs="+", metavar="STYLE=WEIGHT", help="several styles at once, as a weighted mean"
    )
    style.add_argument(
        "--style-image",
        type=by_job.painting,
        action="append",
        metavar="PAINTING[=WEIGHT]",
        help="a painting to take the style from, with its weight beside others [1]; can be given several times",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="where to; replaced if it is there; needed unless --detach is given"
    )
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
    parser.add_argument(
        "--metadata",
        choices=tuple(POLICIES),
        help="of the photo's own, in the result: all, all but the place, or none [without_location]",
    )
    by_job.add(parser.add_argument_group("with --style-image"))
    parser.set_defaults(run=run, complain=parser.error)


def run(options: argparse.Namespace) -> None:
    """Check what can be checked here, have the photo painted, write it."""
    if options.out is None and not (options.detach and options.style_image):
        options.complain("the following arguments are required: --out")
    request = _request(options)
    if options.style_image:
        by_job.paint(options, request)
    else:
        _paint_at_once(options, request)


def _request(options: argparse.Namespace) -> dict[str, Any]:
    """Return what is asked for, as the client's arguments, or refuse what cannot be."""
    if options.out is not None:
        files.check_place(options.out)
    if options.preview is not None:
        files.check_place(options.preview, "--preview")
    return {
        "photo": files.read(options.photo, "photo"),
        "strength": options.strength,
        "working_size": options.working_size,
        "width": options.width,
        "height": options.height,
        "format": files.format_of(options.out, options.format) if options.out else options.format,
        "quality": options.quality,
        "metadata": options.metadata,
        "optimization": by_job.optimization(options),
    }


def _paint_at_once(options: argparse.Namespace, request: Mapping[str, Any]) -> None:
    if options.detach or options.preview or options.priority:
        raise InvalidRequest("--style", "is painted at once; --detach, --preview and --priority are for --style-image")
    style = _blend(options.blend) if options.blend else options.style
    started = time.monotonic()
    with connect(options) as client:
        painted = client.stylize(style=style, **request)
    taken = time.monotonic() - started
    files.write(options.out, painted.image)
    print(f"{options.out}: {painted.width}x{painted.height} px, {len(painted.image):,} bytes, {taken:.2f} s")


def _blend(parts: Sequence[tuple[str, float]]) -> Mapping[str, float]:
    blend = dict(parts)
    if len(blend) < len(parts):
        raise InvalidRequest("--blend", "a style is given twice; add its weights up")
    return blend


def _part(text: str) -> tuple[str, float]:
    """Parse `STYLE=WEIGHT`."""
    style, _, weight = text.rpartition("=")
    try:
        return style, float(weight)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not STYLE=WEIGHT, such as starry-night=2") from None

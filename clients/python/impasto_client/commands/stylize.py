"""`impasto stylize`: paint one photo, at once in a trained style, or by a job in the style of any painting."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from impasto_client.commands import by_job, files, looks
from impasto_client.commands.connecting import connect
from impasto_client.errors import InvalidRequest


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("photo", type=Path, help="a JPEG, PNG or WebP file")
    style = parser.add_mutually_exclusive_group(required=True)
    looks.add_styles(style)
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
    looks.add(parser, "from the suffix of --out")
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
        **looks.others(options),
        "format": files.format_of(options.out, options.format) if options.out else options.format,
        "optimization": by_job.optimization(options),
    }


def _paint_at_once(options: argparse.Namespace, request: Mapping[str, Any]) -> None:
    if options.detach or options.preview or options.priority:
        raise InvalidRequest("--style", "is painted at once; --detach, --preview and --priority are for --style-image")
    style = looks.style(options)
    started = time.monotonic()
    with connect(options) as client:
        painted = client.stylize(style=style, **request)
    taken = time.monotonic() - started
    files.write(options.out, painted.image)
    print(f"{options.out}: {painted.width}x{painted.height} px, {len(painted.image):,} bytes, {taken:.2f} s")

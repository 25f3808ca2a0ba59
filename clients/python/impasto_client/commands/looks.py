"""How a picture is to look: the options that every command which paints has."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from impasto_client.commands import files
from impasto_client.errors import InvalidRequest
from impasto_client.formats import FORMATS
from impasto_client.masks import Mask
from impasto_client.policies import POLICIES

_NAMES = ("strength", "working_size", "width", "height", "quality", "metadata")


def add_styles(parser: argparse._ActionsContainer) -> None:
    """Add --style and --blend."""
    parser.add_argument("--style", metavar="STYLE", help="a style's id; `impasto styles` lists them")
    parser.add_argument(
        "--blend", type=_part, nargs="+", metavar="STYLE=WEIGHT", help="several styles at once, as a weighted mean"
    )


def add(parser: argparse.ArgumentParser, format: str) -> None:
    """Add the others.

    Args:
        format: what the format of a result is by default, in words.
    """
    parser.add_argument("--strength", type=float, metavar="X", help="0 (the photo) to 1 (all paint) [1]")
    parser.add_argument(
        "--working-size",
        type=int,
        metavar="PX",
        help="the long side to paint at: the smaller, the broader the strokes [the photo's, up to the server's limit]",
    )
    parser.add_argument("--width", type=int, metavar="PX", help="of the result [from --height, else the photo's]")
    parser.add_argument("--height", type=int, metavar="PX", help="of the result [from --width, else the photo's]")
    parser.add_argument("--format", choices=tuple(FORMATS), help=f"of the result [{format}]")
    parser.add_argument("--quality", type=int, metavar="N", help="1 to 100, of a JPEG or WebP result [the server's]")
    parser.add_argument(
        "--metadata",
        choices=tuple(POLICIES),
        help="of the photo's own, in the result: all, all but the place, or none [without_location]",
    )


def add_mask(parser: argparse._ActionsContainer) -> None:
    """Add --mask and what belongs to it."""
    parser.add_argument(
        "--mask",
        type=Path,
        metavar="FILE",
        help="a grey PNG of the photo's size as one looks at it: white is painted, black stays as it is",
    )
    parser.add_argument(
        "--feather", type=float, metavar="X", help="how soft its edge is, 0 to 0.1 of the photo's long side [0.005]"
    )
    parser.add_argument("--keep-mask", action="store_true", help="white stays as it is, and black is painted")


def mask(options: argparse.Namespace) -> Mask | None:
    """Return the mask that was given, or refuse what belongs to one without it."""
    if options.mask is not None:
        return Mask(files.read(options.mask, "--mask"), options.feather, options.keep_mask)
    if options.feather is not None or options.keep_mask:
        raise InvalidRequest("--feather" if options.feather is not None else "--keep-mask", "is for --mask FILE")
    return None


def style(options: argparse.Namespace) -> str | Mapping[str, float]:
    """Return the style or the blend that was given, or refuse a blend that names a style twice."""
    return _blend(options.blend) if options.blend else str(options.style)


def others(options: argparse.Namespace) -> dict[str, Any]:
    """Return what else was given, but for the format, as the client's arguments."""
    return {name: getattr(options, name) for name in _NAMES}


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

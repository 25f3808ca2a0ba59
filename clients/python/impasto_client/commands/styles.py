"""`impasto styles`: what the server paints."""

from __future__ import annotations

import argparse
import json

from impasto_client.commands.connecting import connect
from impasto_client.commands.tables import print_table

_LISTED = ("id", "name", "title", "artist", "year", "bundle_version", "transformer_digest")


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print a JSON list, without thumbnails, for programs")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    with connect(options) as client:
        found = client.styles()
    if options.json:
        print(json.dumps([{key: getattr(style, key) for key in _LISTED} for style in found], indent=2))
    else:
        rows = [(style.id, style.title, style.artist, style.year) for style in found]
        print_table(("STYLE", "TITLE", "ARTIST", "YEAR"), rows)

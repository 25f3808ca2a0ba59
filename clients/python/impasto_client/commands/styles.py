"""`impasto styles`: what the server paints."""

from __future__ import annotations

import argparse
from typing import Any

from impasto_client.commands.connecting import connect
from impasto_client.commands.documents import add_json, print_document
from impasto_client.commands.tables import print_table
from impasto_client.results import Style

_LISTED = ("id", "name", "title", "artist", "year", "bundle_version", "transformer_digest")


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("style", nargs="?", metavar="STYLE", help="tell all of one style, with its model card")
    parser.add_argument("-q", "--quiet", action="store_true", help="print the ids alone")
    add_json(parser, "JSON, without thumbnails")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    with connect(options) as client:
        found = [client.style(options.style)] if options.style else client.styles()
    if options.json:
        print_document({**_facts(found[0]), "model_card": found[0].model_card} if options.style else _all_facts(found))
    elif options.quiet:
        print(*(style.id for style in found), sep="\n")
    elif options.style:
        _print_card(found[0])
    else:
        rows = [(style.id, style.title, style.artist, style.year) for style in found]
        print_table(("STYLE", "TITLE", "ARTIST", "YEAR"), rows)


def _facts(style: Style) -> dict[str, Any]:
    return {key: getattr(style, key) for key in _LISTED}


def _all_facts(styles: list[Style]) -> list[dict[str, Any]]:
    return [_facts(style) for style in styles]


def _print_card(style: Style) -> None:
    for key, value in _facts(style).items():
        if value:
            print(f"{key.replace('_', ' '):18} {value}")
    if style.model_card:
        print(f"\n{style.model_card.strip()}")

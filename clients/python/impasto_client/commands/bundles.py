"""`impasto bundles`: what a running server paints with, for its administrators."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from impasto_client.bundles import DEFAULT_ADMIN_TARGET, LOADING_TIMEOUT, BundleAdmin, ServedBundle
from impasto_client.commands.connecting import connect, server_options
from impasto_client.commands.documents import add_json, print_document
from impasto_client.commands.tables import print_table

ADMIN_VARIABLE = "IMPASTO_ADMIN"


def admin_options(*, inherited: bool = False) -> argparse.ArgumentParser:
    """Return the parent of these commands' parsers, which call the server's port for administrators."""
    return server_options(inherited=inherited, variable=ADMIN_VARIABLE, target=DEFAULT_ADMIN_TARGET)


def add(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(name: str, run: Callable[[argparse.Namespace], None], meaning: str) -> argparse.ArgumentParser:
        added = commands.add_parser(
            name, parents=[admin_options(inherited=True)], help=meaning, description=f"{meaning.capitalize()}."
        )
        add_json(added)
        added.set_defaults(run=run)
        return added

    command("list", run_list, "list every version that the server holds or has refused")
    load = command("load", run_load, "load a bundle and serve it as its current version")
    load.add_argument("source", metavar="SOURCE", help="its folder as the server sees it, or a URL")
    unload = command("unload", run_unload, "stop serving a version")
    unload.add_argument("name", metavar="NAME", help="as `impasto bundles list` has it: starter@3")
    command("refresh", run_refresh, "look into the server's bundle store now")


def run_list(options: argparse.Namespace) -> None:
    with connect(options) as client:
        found = BundleAdmin(client).all(timeout=options.timeout)
    _print(options, found)


def run_load(options: argparse.Namespace) -> None:
    source = options.source if "://" in options.source else str(Path(options.source).absolute())
    with connect(options) as client:
        loaded = BundleAdmin(client).load(source, timeout=_patience(options))
    _print(options, [loaded])


def run_unload(options: argparse.Namespace) -> None:
    with connect(options) as client:
        BundleAdmin(client).unload(options.name, timeout=options.timeout)
    if options.json:
        print_document({"name": options.name, "done": "unloaded"})


def run_refresh(options: argparse.Namespace) -> None:
    with connect(options) as client:
        found = BundleAdmin(client).refresh(timeout=_patience(options))
    if found or options.json:
        _print(options, found)
    else:
        print("nothing new", file=sys.stderr)


def _patience(options: argparse.Namespace) -> float:
    return LOADING_TIMEOUT if options.timeout is None else float(options.timeout)


def _print(options: argparse.Namespace, bundles: Sequence[ServedBundle]) -> None:
    if options.json:
        print_document([{**asdict(bundle), "loaded": bundle.loaded.isoformat()} for bundle in bundles])
        return
    rows = [
        (_short(bundle.name), bundle.state, str(len(bundle.styles) or ""), bundle.source, bundle.reason)
        for bundle in bundles
    ]
    print_table(("BUNDLE", "STATE", "STYLES", "SOURCE", "REASON"), rows)


def _short(name: str) -> str:
    return "@".join(name.split("/")[1::2])

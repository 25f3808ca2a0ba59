"""`impasto doctor`: look at the server and at this machine, and say what is wrong and what mends it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence

from impasto.findings import Finding, State, has_problem, lines, summary, takes_colours
from impasto_client.checks.here import installation
from impasto_client.checks.machine import serving
from impasto_client.checks.reaching import Way, proxy, reach
from impasto_client.checks.serving import serve
from impasto_client.commands.complaints import DONE, FAILED
from impasto_client.commands.connecting import connect
from impasto_client.commands.documents import add_json, print_document


def add(parser: argparse.ArgumentParser) -> None:
    add_json(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Look at everything, say it, and return the exit status."""
    way = Way(options.server, bool(options.tls or options.ca or options.cert), options.ca)
    examined = {
        f"the server {options.server}": _server(options, way),
        "this installation": installation(),
        "this machine, for serving": serving(),
    }
    if options.json:
        return _as_json(options.server, examined)
    return _as_text(examined)


def _server(options: argparse.Namespace, way: Way) -> Iterator[Finding]:
    yield proxy(way)
    reached = True
    for finding in reach(way):
        yield finding
        reached = reached and finding.state is not State.PROBLEM
    if reached:
        with connect(options) as client:
            yield from serve(client, way)


def _as_text(examined: Mapping[str, Iterator[Finding]]) -> int:
    """Print each part as soon as it has been looked at."""
    every: list[Finding] = []
    colours = sys.stdout is not None and takes_colours(sys.stdout)
    for about, findings in examined.items():
        found = list(findings)
        print(about, *lines(found, colours=colours), "", sep="\n", flush=True)
        every += found
    print(summary(every))
    return _status(every)


def _as_json(server: str, examined: Mapping[str, Iterator[Finding]]) -> int:
    parts = dict(zip(("server", "installation", "machine"), map(list, examined.values()), strict=True))
    every = [finding for part in parts.values() for finding in part]
    plain = [{"about": about, **finding.plain()} for about, part in parts.items() for finding in part]
    print_document({"target": server, "findings": plain, "exit_status": _status(every)})
    return _status(every)


def _status(findings: Sequence[Finding]) -> int:
    return FAILED if has_problem(findings) else DONE

"""`impasto-server doctor [options]`: whether a server with these options would do well on this machine."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence

from impasto.findings import Finding, has_problem, lines, ok, problem, summary, takes_colours
from impasto_server.commands.doctor.computing import computing
from impasto_server.commands.doctor.formats import formats
from impasto_server.commands.doctor.ports import ports
from impasto_server.commands.doctor.room import room
from impasto_server.commands.doctor.torch import torch
from impasto_server.config import PROGRAM, Config, ConfigError, load

_JSON = "--json"
_HAS_PROBLEM = 1


def run(arguments: Sequence[str]) -> int:
    """Look at everything, print it, and return the exit status: 1 if something is a problem.

    Args:
        arguments: those of the server, and perhaps --json.
    """
    findings = list(_examine([argument for argument in arguments if argument != _JSON]))
    if _JSON in arguments:
        print(json.dumps({"findings": [finding.plain() for finding in findings]}, indent=2))
    else:
        print(*lines(findings, colours=takes_colours(sys.stdout)), summary(findings), sep="\n")
    return _HAS_PROBLEM if has_problem(findings) else 0


def _examine(arguments: Sequence[str]) -> Iterator[Finding]:
    try:
        config = load(arguments)
    except ConfigError as error:
        yield problem("configuration", str(error), f"{PROGRAM} --help")
        return
    yield ok("configuration", f"its values are allowed; {PROGRAM} config prints them")
    yield from _parts(config)


def _parts(config: Config) -> Iterator[Finding]:
    yield from room(config)
    yield from ports(config)
    yield from computing(config)
    yield torch(config)
    yield from formats()

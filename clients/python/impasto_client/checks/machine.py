"""What of this machine a server would depend on, as `impasto-server doctor` finds it.

In a process of its own: it loads ONNX Runtime, drivers and their like, which the client has no need of, and which end a
process at once where they do not fit the machine.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator

from impasto import extras
from impasto.findings import Finding, ok, problem

_TIMEOUT = 180.0  # s; opening an engine on a small machine takes some
_COMMAND = ("-m", "impasto_server.main", "doctor", "--json")


def serving() -> Iterator[Finding]:
    """Tell how this machine is fit for a server, if one is installed."""
    if extras.missing("server"):
        says = "no server is installed here, which a client does not need"
        yield ok("server", says, extras.install("server,cpu"))
        return
    try:
        done = subprocess.run(  # noqa: S603
            [sys.executable, *_COMMAND], capture_output=True, text=True, timeout=_TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired:
        yield problem("server", f"its examination was not done within {_TIMEOUT:g} s", "impasto-server doctor")
        return
    try:
        yield from map(Finding.from_plain, json.loads(done.stdout)["findings"])
    except (ValueError, KeyError):
        yield problem("server", f"its examination ended {_how(done)}", "impasto-server doctor")


def _how(done: subprocess.CompletedProcess[str]) -> str:
    if done.returncode < 0:
        return f"by signal {signal.Signals(-done.returncode).name}"
    last = done.stderr.strip().splitlines()[-1:]
    return f"with status {done.returncode}: {last[0] if last else 'it said nothing'}"

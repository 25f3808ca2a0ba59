"""Ports of this machine for servers that come and go."""

from __future__ import annotations

import random
import socket
from contextlib import ExitStack

_PORTS = range(20_000, 32_000)


def free_ports(count: int) -> list[int]:
    """Return ports that nobody has, each another one."""
    with ExitStack() as stack:
        probes = [stack.enter_context(_bound()) for _ in range(count)]
        return [probe.getsockname()[1] for probe in probes]


def _bound() -> socket.socket:
    """Return a socket on a port of those that the system gives to nobody who connects.

    A caller that tries again and again to reach a dead server could get that server's own port, and meet itself.
    """
    while True:
        probe = socket.socket()
        try:
            probe.bind(("127.0.0.1", random.choice(_PORTS)))
        except OSError:
            probe.close()
        else:
            return probe

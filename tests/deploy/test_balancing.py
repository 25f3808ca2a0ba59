"""That the configurations in deploy/ are right, and that clients who balance by themselves follow a name."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import grpc
import pytest

from benchmarks.balancers import ENVOY, ENVOY_TLS, HAPROXY, Kind, NotInstalled, balanced, configured
from benchmarks.names import Names, naming
from benchmarks.ports import free_ports
from benchmarks.replicas import LIGHT, PATIENCE, Replica, replicas, until
from impasto_client import Client
from impasto_client.channel import channel_options
from tests.credentials import Authority
from tests.faults.callers import PHOTO, STYLE
from tests.faults.load import under_load

SERVICE_CONFIG = Path(__file__).parents[2] / "deploy" / "grpc" / "service-config.json"
PLAIN = "bind 127.0.0.1:8600 proto h2"
WITH_TLS = "bind :443 ssl crt /etc/haproxy/painter.pem alpn h2"  # the line that the file proposes


class Rollout:
    """A Deployment behind a headless Service: each server has another address, and one goes when a new one is ready."""

    def __init__(self, folder: Path, count: int) -> None:
        self._folder = folder
        (self._port,) = free_ports(1)
        self._started = 0
        self.stack = ExitStack()
        self.servers = [self._start() for _ in range(count)]
        self._names: Names = self.stack.enter_context(naming([server.host for server in self.servers]))

    @property
    def target(self) -> str:
        return self._names.target(self._port)

    def scale_up(self) -> Replica:
        server = self._start()
        self.servers.append(server)
        self._names.addresses = [server.host for server in self.servers]
        return server

    def replace_oldest(self) -> None:
        self.scale_up()
        oldest = self.servers.pop(0)
        self._names.addresses = [server.host for server in self.servers]
        assert oldest.terminate() == 0

    def _start(self) -> Replica:
        self._started += 1
        host = f"127.0.0.{self._started + 1}"
        options = [*LIGHT, "--drain-delay-seconds", "0.5"]
        server = Replica(self._folder / host, options, host=host, port=self._port)
        self.stack.callback(server.close)
        server.start()
        return server


@pytest.fixture
def rollout(tmp_path: Path) -> Iterator[Rollout]:
    made = Rollout(tmp_path, 2)
    with made.stack:
        yield made


@pytest.mark.parametrize("kind", [HAPROXY, ENVOY, ENVOY_TLS], ids=lambda kind: kind.name)
def test_a_configuration_passes_its_own_programs_check(tmp_path: Path, kind: Kind) -> None:
    changes = _certificate_in(tmp_path) if kind is ENVOY_TLS else {}
    file = configured(kind, tmp_path, [Replica(tmp_path / name) for name in ("one", "two")], changes)
    try:
        command = kind.check(file)
    except NotInstalled as error:
        pytest.skip(str(error))
    checked = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert checked.returncode == 0, checked.stderr


def test_haproxy_takes_calls_by_tls_with_the_line_that_its_file_proposes(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue("server")
    (tmp_path / "painter.pem").write_bytes(pair.cert.read_bytes() + pair.key.read_bytes())
    assert WITH_TLS in HAPROXY.configuration.read_text()
    line = WITH_TLS.replace(":443", "127.0.0.1:8600").replace("/etc/haproxy/painter.pem", str(tmp_path / "painter.pem"))
    credentials = grpc.ssl_channel_credentials(authority.file.read_bytes())
    try:
        HAPROXY.command(HAPROXY.configuration)
    except NotInstalled as error:
        pytest.skip(str(error))
    with (
        replicas(tmp_path, 2) as servers,
        balanced(HAPROXY, tmp_path, servers, {PLAIN: line}, credentials=credentials) as balancer,
        Client(balancer.target, timeout=PATIENCE, ca=authority.file) as client,
    ):
        assert client.stylize(PHOTO, STYLE).image


def test_the_service_config_is_the_one_that_the_python_clients_use() -> None:
    used = json.loads(str(dict(channel_options("dns:///painter.internal:8500"))["grpc.service_config"]))
    assert json.loads(SERVICE_CONFIG.read_text()) == used


def test_servers_are_replaced_by_others_at_new_addresses_and_no_call_fails(rollout: Rollout) -> None:
    with under_load(rollout.target) as calls:
        calls.more()
        rollout.replace_oldest()
        calls.more()
        one_more = rollout.scale_up()
        rollout.replace_oldest()  # whoever loses a connection asks for the addresses that there are by then
        until(lambda: _painted(one_more) > 0, "the server that is one more to paint")
    assert calls.errors == []


def _painted(server: Replica) -> float:
    return server.metric("impasto_requests_total", method="/impasto.v1.Stylizer/Stylize", code="OK")


def _certificate_in(folder: Path) -> dict[str, str]:
    """Put certificate.yaml, and what it names, into a folder; return what to change in envoy-tls.yaml."""
    pair = Authority(folder).issue("tls")
    text = (ENVOY_TLS.configuration.parent / "certificate.yaml").read_text()
    named = text.replace("/etc/envoy/tls/tls.crt", str(pair.cert)).replace("/etc/envoy/tls/tls.key", str(pair.key))
    (folder / "certificate.yaml").write_text(named.replace("/etc/envoy/tls", str(folder)))
    return {"/etc/envoy/certificate.yaml": str(folder / "certificate.yaml")}

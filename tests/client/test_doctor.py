"""`impasto doctor`: what it finds of servers that are well, and of others."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from grpc import StatusCode

from impasto import __version__
from impasto.findings import Finding, State
from impasto.v1 import stylizer_pb2 as pb
from impasto_client import Client
from impasto_client.checks.here import installation
from impasto_client.checks.reaching import Way, proxy, reach
from impasto_client.checks.serving import serve
from impasto_client.cli import main
from impasto_server.local import LocalServer, local_server
from tests.client.servers import Call, serving
from tests.client.test_credentials import secured
from tests.core.graphs import gate_bundle
from tests.credentials import Authority


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    folder = tmp_path_factory.mktemp("server")
    bundle = gate_bundle(folder / "bundle")
    with local_server(folder, ["--bundle", str(bundle.path), "--bundle-probe", "off", "--provider", "cpu"]) as running:
        yield running


def by_check(findings: Iterator[Finding]) -> dict[str, Finding]:
    return {finding.check: finding for finding in findings}


def told_of(target: str) -> dict[str, Finding]:
    """Return what is found by calling a server."""
    with Client(target) as client:
        return by_check(serve(client, Way(target, tls=False, ca=None)))


def test_all_is_looked_at_and_told_to_programs(server: LocalServer, capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["doctor", "--server", server.target, "--json"])

    told = json.loads(capsys.readouterr().out)
    assert (told["target"], told["exit_status"]) == (server.target, status)
    assert {finding["about"] for finding in told["findings"]} == {"server", "installation", "machine"}
    assert all(set(finding) == {"about", "check", "state", "says", "fix"} for finding in told["findings"])
    states = {(finding["about"], finding["check"]): finding["state"] for finding in told["findings"]}
    assert states["server", "painting"] == states["machine", "painting"] == "ok"
    assert states["machine", "torch"] in ("ok", "warning")


def test_a_server_that_is_well_paints_a_picture(server: LocalServer) -> None:
    found = told_of(server.target)

    assert {finding.state for finding in found.values()} == {State.OK}
    assert found["styles"].says == "2 styles of test@1"
    assert found["painting"].says.startswith("64x64 px in test/gold took ")
    assert found["jobs"].says == "off: it paints trained styles alone"
    assert __version__ in found["version"].says


def test_where_nobody_listens_it_says_how_to_start_a_server(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as reserved:  # bound, so that nobody else takes the port, but not listening
        reserved.bind(("127.0.0.1", 0))
        target = f"127.0.0.1:{reserved.getsockname()[1]}"
        (connection,) = reach(Way(target, tls=False, ca=None))

    assert connection.state is State.PROBLEM
    assert connection.fix == f"impasto-server --listen {target}"


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("no-such-host.invalid:8500", "the name no-such-host.invalid cannot be resolved: "),
        ("a..b:80", "the name a..b cannot be resolved: no host could be named so"),
        ("127.0.0.1:99999", "99999 is no port: the highest is 65535"),
    ],
)
def test_a_name_or_a_port_that_is_none_is_told(target: str, says: str) -> None:
    (connection,) = reach(Way(target, tls=False, ca=None))

    assert connection.state is State.PROBLEM
    assert connection.says.startswith(says)


def answers(call: Call) -> Any:
    return pb.ListStylesResponse()


def test_a_server_that_speaks_tls_is_not_to_be_called_without(tmp_path: Path) -> None:
    authority = Authority(tmp_path)

    with serving(answers, credentials=secured(authority.issue("server"))) as server:
        plain = by_check(reach(Way(server.target, tls=False, ca=None)))
        trusted = by_check(reach(Way(server.target, tls=True, ca=authority.file)))
        unknown = by_check(reach(Way(server.target, tls=True, ca=None)))

    assert plain["tls"].fix == f"impasto doctor --server {server.target} --tls"
    assert trusted["tls"].state is State.OK
    assert trusted["tls"].says.startswith("its certificate is trusted, and valid until ")
    assert unknown["tls"].state is State.PROBLEM
    assert unknown["tls"].says.startswith("its certificate is not trusted: ")


def test_a_server_without_tls_is_not_to_be_called_with_it() -> None:
    with serving(answers) as server:
        found = by_check(reach(Way(server.target, tls=True, ca=None)))

    assert found["tls"].state is State.PROBLEM
    assert found["tls"].fix == f"impasto doctor --server {server.target}"


@pytest.mark.parametrize(
    ("content", "reason"), [(b"no certificate", "it is no PEM file"), (None, "No such file or directory")]
)
def test_a_file_of_authorities_that_is_none_is_not_the_servers_fault(
    content: bytes | None, reason: str, tmp_path: Path
) -> None:
    ca = tmp_path / "trusted.pem"
    if content is not None:
        ca.write_bytes(content)

    with serving(answers, credentials=secured(Authority(tmp_path).issue("server"))) as server:
        ca_found = by_check(reach(Way(server.target, tls=True, ca=ca)))["tls"]

    assert (ca_found.state, ca_found.says) == (State.PROBLEM, f"{ca} cannot be used: {reason}")


def test_a_certificate_that_ends_soon_is_a_warning(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue("server", not_after=datetime.now(UTC) + timedelta(days=3))

    with serving(answers, credentials=secured(pair)) as server:
        found = by_check(reach(Way(server.target, tls=True, ca=authority.file)))

    assert found["tls"].state is State.WARNING


@pytest.mark.parametrize(
    ("status", "check", "fix"),
    [
        (StatusCode.UNAUTHENTICATED, "access", "export IMPASTO_TOKEN="),
        (StatusCode.PERMISSION_DENIED, "access", "callers file"),
        (StatusCode.UNIMPLEMENTED, "styles", "impasto doctor --server HOST:PORT"),
        (StatusCode.INTERNAL, "styles", "read the server's log"),
    ],
)
def test_why_a_server_refuses_is_told_with_a_remedy(status: StatusCode, check: str, fix: str) -> None:
    with serving(lambda call: call.fail(status, "no")) as server:
        found = told_of(server.target)

    assert found[check].state is State.PROBLEM
    assert fix in (found[check].fix or "")
    assert "painting" not in found


def test_a_server_without_styles_is_a_problem() -> None:
    def empty(call: Call) -> Any:
        return answers(call) if call.method == "ListStyles" else call.fail(StatusCode.UNIMPLEMENTED)

    with serving(empty) as server:
        found = told_of(server.target)

    assert (found["styles"].state, found["styles"].fix) == (State.PROBLEM, "impasto bundles load FOLDER_OR_URL")


@pytest.mark.parametrize(
    ("variables", "state"),
    [
        ({}, State.OK),
        ({"https_proxy": "http://proxy:3128"}, State.WARNING),
        ({"https_proxy": "http://proxy:3128", "no_proxy": "localhost,.internal"}, State.OK),
        ({"grpc_proxy": "http://proxy:3128", "no_grpc_proxy": "elsewhere"}, State.WARNING),
    ],
)
def test_a_proxy_that_calls_would_go_by_is_a_warning(
    variables: dict[str, str], state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("grpc_proxy", "https_proxy", "http_proxy", "no_grpc_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert proxy(Way("painter.internal:8500", tls=False, ca=None)).state is state
    assert proxy(Way("127.0.0.1:8500", tls=False, ca=None)).state is State.OK


def test_each_extra_is_told_with_what_it_is_for_and_how_to_install_it() -> None:
    found = by_check(installation())

    assert found["[shell]"].says == "installed, for completion and progress bars"
    assert all(
        (finding.fix is None) == finding.says.startswith("installed")
        for check, finding in found.items()
        if "[" in check
    )

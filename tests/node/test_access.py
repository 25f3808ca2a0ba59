"""What the Node client shows a server, and what it does not: TLS, certificates, tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import pytest

from impasto import images
from impasto_server.local import local_server
from tests.client.servers import Call, echo, serving
from tests.core.graphs import gate_bundle
from tests.credentials import Authority, Pair, caller, write_callers
from tests.node import runtime
from tests.node.runtime import Node, Thrown
from tests.support import gradient

TOKEN = "impasto_a-Token.of_256~bits/+="
RUNTIME = runtime.__file__
STYLIZE = "return (await connect(target, options).stylize(photo, 'ink')).width"


def secured(pair: Pair, ca: Authority | None = None) -> grpc.ServerCredentials:
    root = ca.file.read_bytes() if ca else None
    return grpc.ssl_server_credentials([pair.pems], root, require_client_auth=ca is not None)


def authorization(call: Call) -> list[str]:
    return [str(value) for key, value in call.context.invocation_metadata() if key == "authorization"]


def test_a_token_goes_by_tls_to_a_server_whose_authority_is_named(js: Node, tmp_path: Path) -> None:
    ca = Authority(tmp_path)
    with serving(echo, credentials=secured(ca.issue("server"))) as server:
        for given in (str(ca.file), ca.file.read_text(), ca.file.read_bytes()):
            assert js.run(STYLIZE, target=server.target, photo=b"photo", options={"ca": given, "token": TOKEN}) == 64
        assert [authorization(call) for call in server.calls] == [[f"Bearer {TOKEN}"]] * 3


@pytest.mark.usefixtures("js")
def test_what_goes_to_this_machine_goes_by_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("grpc_proxy", "https_proxy", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")  # where nobody listens
    for name in ("no_grpc_proxy", "no_proxy"):
        monkeypatch.setenv(name, "elsewhere.example")

    with serving(echo) as server, runtime.node() as js:
        assert js.run(STYLIZE, target=server.target, photo=b"photo", options={"token": TOKEN}) == 64
        assert [authorization(call) for call in server.calls] == [[f"Bearer {TOKEN}"]]


@pytest.mark.parametrize("trust", [{"tls": True}, {"ca": "other"}], ids=["those that Node does", "another"])
def test_a_server_that_is_not_trusted_is_sent_nothing(js: Node, tmp_path: Path, trust: dict[str, Any]) -> None:
    ca, other = Authority(tmp_path), Authority(tmp_path, "other")
    options = {**trust, "token": TOKEN, "timeout": 1000}
    if "ca" in trust:
        options["ca"] = str(other.file)

    with serving(echo, credentials=secured(ca.issue("server"))) as server:
        with pytest.raises(Thrown, match=r"ServerUnavailable|DeadlineExceeded"):
            js.run(STYLIZE, target=server.target, photo=b"photo", options=options)
        assert server.calls == []


def test_a_server_that_knows_its_callers_by_certificate_and_token(js: Node, tmp_path: Path) -> None:
    code = """
    const known = { ca, certificate, key };
    const painted = await connect(target, { ...known, token }).stylize(photo, 'ink');
    const painting = new impasto.Painting(photo);
    const failures = await Promise.all([
      connect(target, { ...known, token: 'impasto_unknown' }).stylize(photo, 'ink').catch(told),
      connect(target, { ...known, token }).createJob(photo, painting).catch(told),
      connect(target, { ca, token, timeout: 1000 }).stylize(photo, 'ink').catch(told),
    ]);
    return [painted.width, ...failures.map(({ name, reason, role }) => [name, role])];
    """
    ca = Authority(tmp_path)
    pair, client = ca.issue("server"), ca.issue("client", "web.example")
    callers = write_callers(tmp_path / "callers.toml", caller("web", TOKEN, roles="stylize"))
    gate_bundle(tmp_path / "bundle")
    options = ["--bundle", str(tmp_path / "bundle"), "--bundle-probe", "off", "--provider", "cpu", "--jobs", "on"]
    options += ["--workers", "0", "--tls-cert", str(pair.cert), "--tls-key", str(pair.key)]
    options += ["--tls-client-ca", str(ca.file), "--callers-file", str(callers)]
    files = {"ca": str(ca.file), "certificate": str(client.cert), "key": str(client.key)}

    with local_server(tmp_path, options) as server:
        found = js.run(code, target=server.target, photo=images.encode(gradient()), token=TOKEN, **files)

    assert found[:3] == [64, ["Unauthenticated", None], ["PermissionDenied", "jobs"]]
    assert found[3][0] in ("ServerUnavailable", "DeadlineExceeded")


@pytest.mark.parametrize(
    ("target", "options", "why"),
    [
        ("painter:8500", {"token": TOKEN}, "token: would go to painter:8500 in plain text"),
        ("dns:///painter:8500", {"token": TOKEN}, "token: would go to dns:///painter:8500 in plain text"),
        ("127.0.0.1:8500", {"token": "two words"}, "token: has characters that no token has"),
        ("127.0.0.1:8500", {"ca": "/nowhere.pem"}, "ca: /nowhere.pem cannot be read: ENOENT"),
        ("127.0.0.1:8500", {"ca": RUNTIME}, f"ca: {RUNTIME} is no PEM file"),
        ("127.0.0.1:8500", {"key": "-----BEGIN "}, "key: is given without certificate; give both, or neither"),
        ("127.0.0.1:8500", {"cert": "x.pem"}, "options: 'cert' is unknown; give some of timeout, token, tls"),
        ("127.0.0.1:8500", {"timeout": -1}, "timeout: -1 is out of range; give milliseconds, above 0"),
        ("", {}, "target: '' is none; give host:port"),
        (
            "https://painter",
            {},
            "target: 'https://painter' is no target of gRPC; give host:port, such as 'painter:443'",
        ),
    ],
)
def test_what_does_not_go_together_is_refused_at_once(js: Node, target: str, options: dict[str, Any], why: str) -> None:
    with pytest.raises(Thrown) as raised:
        js.run("connect(target, options)", target=target, options=options)
    assert raised.value.error["name"] == "InvalidRequest"
    assert raised.value.error["message"].startswith(why)

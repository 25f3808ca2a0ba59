"""What the clients show a server, and what they do not."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc import StatusCode

from impasto.v1 import stylizer_pb2 as pb
from impasto_client import ImpastoClientError, InvalidRequest, PermissionDenied, ServerUnavailable, Unauthenticated
from impasto_client.cli import main
from tests.client.servers import Call, both_clients, echo, error_info, serving
from tests.credentials import Authority, Pair

TOKEN = "impasto_a-Token.of_256~bits/+="
Connect = Callable[..., Any]


def authorization(call: Call) -> list[str]:
    """Return what a call has brought along to say who makes it."""
    return [str(value) for key, value in call.context.invocation_metadata() if key == "authorization"]


def answers(call: Call) -> Any:
    """Answer any method with something that suits it."""
    if call.method == "StylizeStream":
        return (
            pb.StylizeStreamResponse(id=message.item.id, response=pb.StylizeResponse(image=b"painted"))
            for message in call.request
            if message.HasField("item")
        )
    if call.method == "WatchStylization":
        return iter([pb.WatchStylizationResponse(stylization=pb.Stylization(name="stylizations/one"))])
    return pb.ListStylesResponse() if call.method == "ListStyles" else echo(call)


def secured(pair: Pair, ca: Authority | None = None) -> grpc.ServerCredentials:
    root = ca.file.read_bytes() if ca else None
    return grpc.ssl_server_credentials([pair.pems], root, require_client_auth=ca is not None)


@both_clients
def test_a_token_goes_with_every_kind_of_call(connect: Connect) -> None:
    with serving(answers) as server, connect(server.target, token=TOKEN) as client:
        client.styles()
        client.stylize(b"photo", "ink")
        list(client.stylize_stream([b"photo"], "ink"))
        next(iter(client.watch("operations/one")), None)
        assert {call.method for call in server.calls} >= {"ListStyles", "Stylize", "StylizeStream", "WatchStylization"}
        assert [authorization(call) for call in server.calls] == [[f"Bearer {TOKEN}"]] * len(server.calls)


@both_clients
def test_a_token_for_this_machine_goes_by_no_proxy(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "no_grpc_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)

    with serving(answers) as server, socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{listener.getsockname()[1]}")
        with connect(server.target, token=TOKEN) as client:
            client.styles()
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()


@both_clients
def test_without_a_token_none_is_sent(connect: Connect) -> None:
    with serving(answers) as server, connect(server.target) as client:
        client.styles()
        assert authorization(server.calls[0]) == []


@both_clients
def test_a_token_goes_by_tls_to_a_server_whose_authority_is_named(tmp_path: Path, connect: Connect) -> None:
    ca = Authority(tmp_path)
    with (
        serving(answers, credentials=secured(ca.issue("server"))) as server,
        connect(server.target, ca=ca.file, token=TOKEN) as client,
    ):
        client.styles()
        assert authorization(server.calls[0]) == [f"Bearer {TOKEN}"]


@both_clients
def test_a_token_goes_with_credentials_that_were_made_elsewhere(tmp_path: Path, connect: Connect) -> None:
    ca = Authority(tmp_path)
    credentials = grpc.ssl_channel_credentials(ca.file.read_bytes())
    with (
        serving(answers, credentials=secured(ca.issue("server"))) as server,
        connect(server.target, credentials=credentials, token=TOKEN) as client,
    ):
        client.styles()
        assert authorization(server.calls[0]) == [f"Bearer {TOKEN}"]


@both_clients
@pytest.mark.parametrize("trust", [{"tls": True}, {"ca": "other"}], ids=["those that everyone does", "another"])
def test_a_server_that_is_not_trusted_is_sent_nothing(tmp_path: Path, connect: Connect, trust: dict[str, Any]) -> None:
    ca = Authority(tmp_path)
    options = {"ca": Authority(tmp_path, "other").file} if "ca" in trust else trust
    with (
        serving(answers, credentials=secured(ca.issue("server"))) as server,
        connect(server.target, token=TOKEN, **options) as client,
    ):
        with pytest.raises(ServerUnavailable):
            client.styles(timeout=20)
        assert server.calls == []


@both_clients
def test_a_certificate_is_shown_to_a_server_that_asks_for_one(tmp_path: Path, connect: Connect) -> None:
    ca = Authority(tmp_path)
    pair = ca.issue("client", "web.internal")

    def named(call: Call) -> pb.ListStylesResponse:
        names: Any = call.context.auth_context()["x509_subject_alternative_name"]
        return pb.ListStylesResponse(styles=[pb.Style(style_id=name.decode()) for name in names])

    with serving(named, credentials=secured(ca.issue("server"), ca)) as server:
        with connect(server.target, ca=ca.file, certificate=str(pair.cert), key=pair.key) as client:
            assert [style.id for style in client.styles()] == ["web.internal"]
        with connect(server.target, ca=ca.file) as client, pytest.raises(ServerUnavailable):
            client.styles(timeout=20)


FAR = ["painter.internal:8500", "dns:///painter.internal:8500", "10.1.2.3:8500", "ipv4:127.0.0.1:1,10.1.2.3:1"]
FAR += ["xds:///localhost", "[2001:db8::1]:8500", "localhost.evil:8500", "dns://127.0.0.1/painter.internal"]
NEAR = ["127.0.0.1:8500", "localhost", "[::1]:8500", "dns:///localhost:8500", "dns:localhost:8500", "::1"]
NEAR += [
    "ipv4:127.0.0.1:1,127.0.0.2:1",
    "ipv6:[::1]:8500",
    "ipv6:%5B::1%5D:8500",
    "unix:/run/impasto",
    "unix:///run/it",
]


@both_clients
@pytest.mark.parametrize("target", FAR)
def test_a_token_is_not_sent_in_plain_text_to_another_machine(connect: Connect, target: str) -> None:
    with (
        pytest.raises(InvalidRequest, match="in plain text, for everyone on the way") as raised,
        connect(target, token=TOKEN),
    ):
        pass
    assert raised.value.field == "token"
    assert TOKEN not in str(raised.value)
    with connect(target, token=TOKEN, insecure=True), connect(target, token=TOKEN, tls=True), connect(target):
        pass


@both_clients
@pytest.mark.parametrize("target", NEAR)
def test_a_token_may_go_in_plain_text_where_it_stays_on_this_machine(connect: Connect, target: str) -> None:
    with connect(target, token=TOKEN):
        pass


@both_clients
@pytest.mark.parametrize("token", ["", "two words", "with\nline", "\u00e9t\u00e9"])
def test_what_is_no_token_is_refused_and_not_repeated(connect: Connect, token: str) -> None:
    with (
        pytest.raises(InvalidRequest, match="token: has characters that no token has") as raised,
        connect("localhost", token=token),
    ):
        pass
    assert not token or token not in str(raised.value)


@both_clients
@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"ca": "nowhere.pem"}, "ca: nowhere.pem cannot be read: No such file"),
        ({"ca": __file__}, r"ca: .*test_credentials.py is no PEM file"),
        ({"certificate": "ca.pem"}, "certificate: is given without key; give both, or neither"),
        ({"key": "ca.pem"}, "key: is given without certificate"),
        (
            {"credentials": grpc.ssl_channel_credentials(), "tls": True},
            "credentials: leave no place for tls; give either",
        ),
        ({"credentials": grpc.ssl_channel_credentials(), "ca": "ca.pem"}, "credentials: leave no place for ca"),
    ],
)
def test_what_does_not_go_together_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, connect: Connect, options: dict[str, Any], problem: str
) -> None:
    Authority(tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidRequest, match=problem), connect("localhost", **options):
        pass


def fails(code: StatusCode, reason: str, **metadata: str) -> Callable[[Call], None]:
    return lambda call: call.fail(code, "because", error_info(reason, **metadata))


@both_clients
def test_a_server_that_does_not_let_a_caller_in_says_so_at_once(connect: Connect) -> None:
    with serving(fails(StatusCode.UNAUTHENTICATED, "CALLER_UNKNOWN")) as server, connect(server.target) as client:
        with pytest.raises(Unauthenticated, match="does not know who calls: because") as unknown:
            client.styles()
        assert len(server.calls) == 1
        assert unknown.value.status is StatusCode.UNAUTHENTICATED
    denies = fails(StatusCode.PERMISSION_DENIED, "ROLE_MISSING", role="jobs")
    with serving(denies) as server, connect(server.target) as client:
        with pytest.raises(PermissionDenied, match="does not allow this: because") as denied:
            client.styles()
        assert len(server.calls) == 1
        assert (denied.value.status, denied.value.role) == (StatusCode.PERMISSION_DENIED, "jobs")


@both_clients
def test_a_stream_of_photos_is_refused_as_a_whole(connect: Connect) -> None:
    with serving(fails(StatusCode.UNAUTHENTICATED, "CALLER_UNKNOWN")) as server, connect(server.target) as client:
        stream = client.stylize_stream([b"photo"], "ink")
        with pytest.raises(Unauthenticated):
            list(stream)


def test_both_errors_are_the_clients_own() -> None:
    assert issubclass(Unauthenticated, ImpastoClientError)
    assert issubclass(PermissionDenied, ImpastoClientError | PermissionError)


def test_the_program_takes_its_token_from_the_environment_or_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "token"
    file.write_text("impasto_of-the-file\n")
    monkeypatch.setenv("IMPASTO_TOKEN", TOKEN)
    with serving(answers) as server:
        assert main(["styles", "--server", server.target]) == 0
        assert main(["styles", "--server", server.target, "--token-file", str(file)]) == 0
        monkeypatch.setenv("IMPASTO_TOKEN", "")
        assert main(["styles", "--server", server.target]) == 0
        sent = [authorization(call) for call in server.calls]
    assert sent == [[f"Bearer {TOKEN}"], ["Bearer impasto_of-the-file"], []]


def test_the_program_connects_by_tls_with_a_certificate_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ca = Authority(tmp_path)
    pair = ca.issue("client", "web.internal")
    monkeypatch.setenv("IMPASTO_TOKEN", TOKEN)
    with serving(answers, credentials=secured(ca.issue("server"), ca)) as server:
        access = ["--server", server.target, "--ca", str(ca.file), "--cert", str(pair.cert), "--key", str(pair.key)]
        assert main(["styles", *access]) == 0
        assert authorization(server.calls[0]) == [f"Bearer {TOKEN}"]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--server", "painter.internal:8500"], "impasto: token: would go to painter.internal:8500 in plain text"),
        (["--token-file", "nowhere"], "impasto: token_file: nowhere cannot be read: No such file or directory"),
        (["--ca", "nowhere"], "impasto: ca: nowhere cannot be read"),
    ],
)
def test_the_program_says_in_one_line_what_is_wrong_with_its_credentials(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], problem: str
) -> None:
    monkeypatch.setenv("IMPASTO_TOKEN", TOKEN)
    assert main(["styles", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(problem)
    assert TOKEN not in line


def test_the_program_says_in_one_line_that_it_was_not_let_in(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(fails(StatusCode.UNAUTHENTICATED, "CALLER_UNKNOWN")) as server:
        assert main(["styles", "--server", server.target]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"impasto: {server.target} does not know who calls: because"

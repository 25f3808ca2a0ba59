"""The studio's port: off unless asked for, secured as gRPC is, and closed with the server."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import subprocess
import sys
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from impasto.v1 import stylizer_pb2 as pb
from impasto_server.config import ConfigError, load
from impasto_server.errors import CannotListen, CertificateUnusable
from impasto_server.server import running
from impasto_server.studio import port
from impasto_server.studio.port import StudioPort
from tests.credentials import Authority, Pair
from tests.server.studio.support import ON, PATIENCE, PROTO, Browser, http, post, until, url
from tests.server.support import Held, Served, options, photo, serving
from tests.support import fake_bundle

LIST = "/impasto.v1.Stylizer/ListStyles"


def test_it_is_off_and_its_options_go_by_flag_and_name() -> None:
    assert load([]).studio_address is None
    config = load(["--studio", "--studio-listen", "127.0.0.1:0", "--studio-hosts", "a.example,B.example"])
    assert (str(config.studio_address), config.studio_hosts) == ("127.0.0.1:0", ("a.example", "b.example"))


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--studio-listen", "8503"], "studio_listen: '8503' is not allowed"),
        (["--studio-hosts", "http://a.example"], "host names without ports"),
        (["--studio-proxies", "proxy.example"], "addresses or networks"),
        (
            ["--studio", "--studio-listen", "0.0.0.0:0"],
            "studio_listen: 0.0.0.0:0 .* the studio on it would be in plain",
        ),
    ],
)
def test_an_option_that_is_not_allowed_is_told(arguments: list[str], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        load(arguments)
    assert load(["--studio", "--studio-listen", "0.0.0.0:0", "--insecure"]).studio
    assert load(["--studio-listen", "0.0.0.0:0"]).studio_address is None


async def test_where_it_listens_is_told(tmp_path: Path) -> None:
    ports = tmp_path / "ports.json"
    async with serving(fake_bundle(tmp_path / "b"), ports_file=ports, **ON) as served:
        address = served.server.studio_address
        assert address
        assert json.loads(ports.read_text())["studio"] == address.port
        assert next(line for line in served.lines if line["event"] == "listening")["studio"] == str(address)


async def test_a_port_that_is_taken_ends_the_start(tmp_path: Path) -> None:
    bundle = fake_bundle(tmp_path / "b")
    async with serving(bundle, **ON) as served:
        config = options(bundle, studio=True, studio_listen=str(served.server.studio_address))
        with pytest.raises(CannotListen, match="cannot listen for the studio on"):
            async with running(config):
                pass


@pytest.mark.parametrize("absent", ["connectrpc", "uvicorn"])
def test_without_what_it_needs_the_extra_is_named(tmp_path: Path, absent: str) -> None:
    script = (
        f"import sys; sys.modules[{absent!r}] = None; from impasto_server.main import main; "
        "sys.exit(main(['--studio', '--listen', '127.0.0.1:0', '--http', '127.0.0.1:0']))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert json.loads(line)["reason"] == f"{absent} is not installed; run: pip install 'impasto[studio]'"


def trusting(ca: Authority, client: Any = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(ca.file))
    if client:
        context.load_cert_chain(client.cert, client.key)
    return context


def issue_weak(folder: Path, name: str) -> Pair:
    """Write a certificate that gRPC shows and OpenSSL does not: its key is short."""
    key, now = rsa.generate_private_key(65537, 1024), datetime.now(UTC)
    names = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    certificate = (
        x509.CertificateBuilder(names, names, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pair = Pair(folder / f"{name}.pem", folder / f"{name}.key")
    pair.cert.write_bytes(certificate.public_bytes(Encoding.PEM))
    pair.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return pair


async def code_of(served: Served, tls: ssl.SSLContext) -> int:
    where = url(served.server, LIST, "https")
    async with http(tls=tls) as session, session.post(where, data=b"", headers=PROTO) as response:
        return response.status


async def test_with_a_certificate_it_speaks_https_alone_and_a_new_one_is_taken_up(tmp_path: Path) -> None:
    ca, pair = Authority(tmp_path), Authority(tmp_path, "other").issue("server")
    async with serving(fake_bundle(tmp_path / "b"), tls_cert=pair.cert, tls_key=pair.key, **ON) as served:
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await code_of(served, trusting(ca))
        pair = ca.issue("server")
        await until(lambda: any(line["event"] == "certificate reloaded" for line in served.lines))
        assert await code_of(served, trusting(ca)) == 200
        address = served.server.studio_address
        assert address
        shown = await asyncio.to_thread(ssl.get_server_certificate, (address.host, address.port), timeout=PATIENCE)
        assert shown.strip() in pair.cert.read_text()
        async with http() as session:
            with pytest.raises(aiohttp.ClientConnectionError):
                await session.get(url(served.server, "/"))


async def test_a_certificate_that_cannot_be_shown_ends_the_start(tmp_path: Path) -> None:
    weak = issue_weak(tmp_path, "weak")
    config = options(fake_bundle(tmp_path / "b"), tls_cert=weak.cert, tls_key=weak.key, **ON)
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(CertificateUnusable, match=r"weak\.pem cannot be shown by the studio: .*KEY_TOO_SMALL"):
            async with running(config):
                pass


async def test_a_new_certificate_that_cannot_be_shown_leaves_the_one_before_in_force(tmp_path: Path) -> None:
    ca = Authority(tmp_path)
    pair = ca.issue("server")
    async with serving(fake_bundle(tmp_path / "b"), tls_cert=pair.cert, tls_key=pair.key, **ON) as served:
        issue_weak(tmp_path, "server")
        await until(lambda: any(line["event"] == "certificate reloaded" for line in served.lines))
        assert [await code_of(served, trusting(ca)) for _ in range(2)] == [200, 200]
    (line,) = [line for line in served.lines if line["event"] == "certificate not shown by the studio"]
    assert "the one before is shown on" in line["reason"]


async def test_a_connection_that_says_nothing_or_half_a_head_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(port, "_KEEP_ALIVE", 0.5)
    async with serving(fake_bundle(tmp_path / "b"), **ON) as served, asyncio.timeout(PATIENCE):
        address = served.server.studio_address
        assert address
        for said in (b"", b"GET / HTTP/1.1\r\nhost: local"):
            reader, writer = await asyncio.open_connection(*address)
            writer.write(said)
            assert await reader.read() == b""
            writer.close()


async def test_a_call_may_take_longer_than_its_head(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port, "_KEEP_ALIVE", 0.5)
    engine = Held()
    async with serving(fake_bundle(tmp_path / "b"), engine=engine, **ON) as served, http() as session:
        engine.holding = True
        data = pb.StylizeRequest(image=photo(), style_id="ink").SerializeToString()
        asking = asyncio.create_task(post(session, served.server, "Stylize", data))
        await engine.until_entered()
        done, _ = await asyncio.wait([asking], timeout=0.8)
        assert not done
        engine.release.set()
        assert (await asking)[0] == 200


async def test_there_are_no_more_connections_than_calls(tmp_path: Path) -> None:
    async with (
        serving(fake_bundle(tmp_path / "b"), max_calls=2, **ON) as served,
        asyncio.timeout(PATIENCE),
        AsyncExitStack() as open_ones,
    ):
        address, studio = served.server.studio_address, served.server._studio
        assert address
        assert isinstance(studio, StudioPort)
        assert studio._server
        for _ in range(2):
            _, writer = await asyncio.open_connection(*address)
            open_ones.callback(writer.close)
        connections = studio._server.server_state.connections
        await until(lambda: len(connections) == 2)
        reader, writer = await asyncio.open_connection(*address)
        open_ones.callback(writer.close)
        assert await reader.read() == b""
        assert len(connections) == 2


async def test_an_answer_that_nobody_reads_is_given_up(tmp_path: Path) -> None:
    async with serving(fake_bundle(tmp_path / "b"), stream_idle_seconds=1, **ON) as served:
        address, studio = served.server.studio_address, served.server._studio
        assert address
        assert isinstance(studio, StudioPort)
        assert studio._server
        with socket.create_connection(address) as deaf:
            deaf.setblocking(False)
            ask = f"GET / HTTP/1.1\r\nhost: {address}\r\n\r\n".encode()
            connections = studio._server.server_state.connections
            await until(lambda: len(connections) == 1)
            with suppress(BlockingIOError):
                while True:
                    deaf.send(ask)
            await until(lambda: not connections)


async def test_where_callers_need_certificates_browsers_need_them_too(tmp_path: Path) -> None:
    ca, other = Authority(tmp_path), Authority(tmp_path, "other")
    pair = ca.issue("server")
    tls: dict[str, Any] = {"tls_cert": pair.cert, "tls_key": pair.key, "tls_client_ca": ca.file}
    async with serving(fake_bundle(tmp_path / "b"), **tls, **ON) as served:
        for client in (None, other.issue("bad", "web.internal")):
            with pytest.raises((aiohttp.ClientError, ssl.SSLError)):
                await code_of(served, trusting(ca, client))
        assert await code_of(served, trusting(ca, ca.issue("good", "web.internal"))) == 200


async def test_behind_a_proxy_that_is_trusted_browsers_are_told_by_what_it_says(tmp_path: Path) -> None:
    said = {"x-forwarded-for": "203.0.113.9"}
    bundle = fake_bundle(tmp_path / "b")
    async with serving(bundle, **ON) as served, http() as session:
        await post(session, served.server, "ListStyles", **said)
        assert served.lines[-1]["caller"] == "browser 127.0.0.1"
    async with serving(bundle, studio_proxies=("127.0.0.0/30",), **ON) as served, http() as session:
        await post(session, served.server, "ListStyles", **said)
        assert served.lines[-1]["caller"] == "browser 203.0.113.9"
        async with http("127.0.0.9") as stranger:
            await post(stranger, served.server, "ListStyles", **said)
        assert served.lines[-1]["caller"] == "browser 127.0.0.9"


async def test_a_call_in_flight_is_answered_before_the_server_ends_and_none_is_taken_after(tmp_path: Path) -> None:
    engine = Held()
    async with serving(fake_bundle(tmp_path / "b"), engine=engine, **ON) as served:
        engine.holding = True
        request = pb.StylizeRequest(image=photo(), style_id="ink")
        asking = asyncio.create_task(Browser(served.server).call("Stylize", request))
        await engine.until_entered()
        ending = asyncio.create_task(served.server.stop())
        await until(lambda: any(line["event"] == "shutting down" for line in served.lines))
        engine.release.set()
        assert (await asking).image
        await ending
        async with http() as session:
            with pytest.raises(aiohttp.ClientConnectionError):
                await session.get(url(served.server, "/"))


async def test_a_call_that_does_not_end_is_cut_off_with_the_drain(tmp_path: Path) -> None:
    engine = Held()
    async with (
        serving(fake_bundle(tmp_path / "b"), engine=engine, drain_seconds=0.3, **ON) as served,
        http() as session,
    ):
        engine.holding = True
        data = pb.StylizeRequest(image=photo(), style_id="ink").SerializeToString()
        asking = asyncio.create_task(post(session, served.server, "Stylize", data))
        await engine.until_entered()
        ending = asyncio.create_task(served.server.stop())
        status, error = await asking
        assert (status, error["code"]) == (503, "unavailable")
        engine.release.set()
        await ending

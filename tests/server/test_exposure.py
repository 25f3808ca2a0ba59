"""What listens where: what others can reach is secured, and administration is on a port of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_health.v1.health_pb2 import HealthCheckRequest
from pydantic import ValidationError

from impasto.v1 import admin_pb2
from impasto.v1.admin_pb2_grpc import AdminStub
from impasto_server.config import Address, Config, ConfigError, load
from impasto_server.errors import CannotListen
from impasto_server.identity.tokens import new_token
from impasto_server.server import Server, running
from tests.credentials import Authority, bearer, caller, write_callers
from tests.server.support import Served, detail, options, refusal, serving
from tests.server.test_program import outcome
from tests.support import fake_bundle

OPERATOR, WEB = new_token(), new_token()


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "[::]", "10.1.2.3", "painter.internal", "[::ffff:127.0.0.1]", "localhost.evil"]
)
def test_an_address_that_others_reach_is_refused_without_tls(host: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load(["--listen", f"{host}:8500"])
    assert str(raised.value) == (
        f"listen: {host}:8500 can be reached from other machines, and gRPC on it would be in plain text; give "
        "--tls-cert and --tls-key, or --insecure if something else keeps others out"
    )
    assert load(["--listen", f"{host}:8500", "--insecure"]).insecure
    assert load(["--listen", f"{host}:8500", "--tls-cert", "c", "--tls-key", "k"]).tls_files == (Path("c"), Path("k"))


@pytest.mark.parametrize("address", ["127.0.0.1:0", "127.9.9.9:0", "localhost:0", "[::1]:0"])
def test_an_address_of_this_machine_alone_needs_nothing(address: str) -> None:
    assert Address.parse(address).is_loopback
    assert load(["--listen", address, "--admin", address]).admin_address == Address.parse(address)


def test_the_metrics_may_be_read_from_anywhere() -> None:
    assert load(["--http", "0.0.0.0:8501"]).http == "0.0.0.0:8501"


def test_a_configuration_made_in_code_is_checked_as_well() -> None:
    with pytest.raises(ValidationError, match="can be reached from other machines"):
        Config(listen="0.0.0.0:8500")


async def test_the_program_says_so_in_one_line_and_leaves_with_status_2() -> None:
    status, errors = await outcome("--listen", "0.0.0.0:0")
    assert status == 2
    (line,) = errors.splitlines()
    assert line.startswith("impasto-server: listen: 0.0.0.0:0 can be reached from other machines")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--tls-cert", "c"], "tls_cert is given without tls_key; give both, or neither"),
        (["--tls-key", "k"], "tls_key is given without tls_cert; give both, or neither"),
        (["--tls-client-ca", "a"], "tls_client_ca is given without tls_cert and tls_key; certificates need TLS"),
        (["--admin", "0.0.0.0:0"], "admin: 0.0.0.0:0 can be reached .* in plain text"),
        (["--admin", "0.0.0.0:0", "--callers-file", "f"], "admin: 0.0.0.0:0 can be reached .* in plain text"),
        (["--admin", "0.0.0.0:0", "--insecure"], "admin: .* without a callers_file everyone there would be an admin"),
        (["--admin", "0.0.0.0:0", "--tls-cert", "c", "--tls-key", "k"], "admin: .* without a callers_file"),
    ],
)
def test_what_is_half_secured_is_refused(arguments: list[str], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        load(arguments)
    assert load(["--admin", "0.0.0.0:0", "--insecure", "--callers-file", "f"])


async def code_of_listing(channel: grpc.aio.Channel, metadata: Any = ()) -> grpc.StatusCode:
    """Ask an Admin service for its bundles, and return how that ended."""
    stub: Any = AdminStub(channel)  # type: ignore[no-untyped-call]
    call = stub.ListBundles(admin_pb2.ListBundlesRequest(), metadata=metadata)
    code: grpc.StatusCode = await call.code()
    return code


def admin_channel(server: Server) -> grpc.aio.Channel:
    return grpc.aio.insecure_channel(str(server.admin_address))


async def test_without_being_asked_for_there_is_no_administration(tmp_path: Path) -> None:
    ports = tmp_path / "ports.json"
    async with serving(fake_bundle(tmp_path / "b"), ports_file=ports) as served:
        assert served.server.admin_address is None
        assert await code_of_listing(served.channel) is grpc.StatusCode.UNIMPLEMENTED
        assert json.loads(ports.read_text()).keys() == {"grpc", "http"}


async def test_administration_has_a_port_of_its_own(tmp_path: Path) -> None:
    ports = tmp_path / "ports.json"
    async with serving(fake_bundle(tmp_path / "b"), admin="127.0.0.1:0", ports_file=ports) as served:
        assert served.server.admin_address
        assert json.loads(ports.read_text())["admin"] == served.server.admin_address.port
        async with admin_channel(served.server) as channel:
            assert await code_of_listing(channel) is grpc.StatusCode.OK
            on_admin = Served(served.server, channel, served.log)
            assert (await refusal(on_admin.stylize())).code() is grpc.StatusCode.UNIMPLEMENTED
            await on_admin.health.Check(HealthCheckRequest(service="impasto.v1.Stylizer"))
        assert await code_of_listing(served.channel) is grpc.StatusCode.UNIMPLEMENTED


async def test_administration_asks_for_its_role_where_callers_are_told_apart(tmp_path: Path) -> None:
    web, operator = caller("web", WEB), caller("operator", OPERATOR, "admin")
    file = write_callers(tmp_path / "callers.toml", web, operator)
    async with (
        serving(fake_bundle(tmp_path / "b"), admin="127.0.0.1:0", callers_file=file) as served,
        admin_channel(served.server) as channel,
    ):
        assert await code_of_listing(channel) is grpc.StatusCode.UNAUTHENTICATED
        assert await code_of_listing(channel, bearer(WEB)) is grpc.StatusCode.PERMISSION_DENIED
        assert await code_of_listing(channel, bearer(OPERATOR)) is grpc.StatusCode.OK
        stub: Any = AdminStub(channel)  # type: ignore[no-untyped-call]
        error = await refusal(stub.RefreshBundles(admin_pb2.RefreshBundlesRequest(), metadata=bearer(WEB)))
        assert dict(detail(error, ErrorInfo).metadata) == {"role": "admin"}


async def test_administration_speaks_tls_where_the_server_does(tmp_path: Path) -> None:
    ca = Authority(tmp_path)
    pair = ca.issue("server")
    config: dict[str, Any] = {"tls_cert": pair.cert, "tls_key": pair.key, "admin": "127.0.0.1:0"}
    credentials = grpc.ssl_channel_credentials(ca.file.read_bytes())
    async with serving(fake_bundle(tmp_path / "b"), **config) as served:
        async with grpc.aio.secure_channel(str(served.server.admin_address), credentials) as channel:
            assert await code_of_listing(channel) is grpc.StatusCode.OK
        async with admin_channel(served.server) as channel:
            assert await code_of_listing(channel) is grpc.StatusCode.UNAVAILABLE


async def test_a_port_for_administration_that_is_taken_ends_the_start(tmp_path: Path) -> None:
    bundle = fake_bundle(tmp_path / "b")
    async with serving(bundle, admin="127.0.0.1:0") as served:
        config = options(bundle, admin=str(served.server.admin_address))
        with pytest.raises(CannotListen, match="is it taken"):
            async with running(config):
                pass

"""TLS, and the certificates of callers."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest

from impasto.v1 import stylizer_pb2 as pb
from impasto.v1.stylizer_pb2_grpc import StylizerStub
from impasto_server.errors import CertificateUnusable
from impasto_server.identity.certificates import read_certificate
from impasto_server.identity.tokens import new_token
from impasto_server.server import running
from tests.credentials import Authority, Pair, bearer, caller, tampered, write_callers
from tests.server.job_support import request_of, serving_jobs
from tests.server.support import Served, options, refusal, serving
from tests.support import fake_bundle

PATIENCE = 60  # s


@asynccontextmanager
async def calling(served: Served, ca: Path, pair: Pair | None = None) -> AsyncIterator[Any]:
    """Connect anew by TLS."""
    key, cert = pair.pems if pair else (None, None)
    credentials = grpc.ssl_channel_credentials(ca.read_bytes(), key, cert)
    async with grpc.aio.secure_channel(str(served.server.address), credentials) as channel:
        yield StylizerStub(channel)  # type: ignore[no-untyped-call]


async def styles(stub: Any, token: str | None = None) -> pb.ListStylesResponse:
    metadata = bearer(token) if token else None
    response: pb.ListStylesResponse = await stub.ListStyles(pb.ListStylesRequest(), metadata=metadata, timeout=PATIENCE)
    return response


async def shown(served: Served) -> str:
    """Return the certificate that a new connection is shown."""
    address = served.server.address
    return await asyncio.to_thread(ssl.get_server_certificate, (address.host, address.port), timeout=PATIENCE)


async def until_logged(served: Served, event: str, times: int = 1) -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE):
        while True:
            found = [line for line in served.lines if line["event"] == event]
            if len(found) >= times:
                return found[-1]
            await asyncio.sleep(0.02)


def tls(pair: Pair, **others: Any) -> dict[str, Any]:
    return {"tls_cert": pair.cert, "tls_key": pair.key, **others}


async def test_a_server_with_a_certificate_speaks_tls_alone(tmp_path: Path) -> None:
    ca = Authority(tmp_path)
    async with serving(fake_bundle(tmp_path / "b"), **tls(ca.issue("server"))) as served:
        async with calling(served, ca.file) as stub:
            assert (await styles(stub)).styles
        error = await refusal(served.stub.ListStyles(pb.ListStylesRequest()))  # of a channel in plain text
        assert error.code() is grpc.StatusCode.UNAVAILABLE
        assert (await served.get("/readyz"))[0] == 200  # the HTTP port stays plain


async def test_a_server_of_another_authority_is_not_trusted(tmp_path: Path) -> None:
    ca, other = Authority(tmp_path), Authority(tmp_path, "other")
    async with (
        serving(fake_bundle(tmp_path / "b"), **tls(ca.issue("server"))) as served,
        calling(served, other.file) as stub,
    ):
        assert (await refusal(styles(stub))).code() is grpc.StatusCode.UNAVAILABLE


def of_another_authority(ca: Authority, folder: Path) -> Pair | None:
    return Authority(folder, "other").issue("client", "web.internal")


BAD_CLIENTS: dict[str, Callable[[Authority, Path], Pair | None]] = {
    "none": lambda ca, folder: None,
    "another authority's": of_another_authority,
    "expired": lambda ca, folder: ca.issue_expired("client", "web.internal"),
    "altered after it was signed": lambda ca, folder: tampered(ca.issue("client", "web.internal")),
}


@pytest.mark.parametrize("make", BAD_CLIENTS.values(), ids=BAD_CLIENTS)
async def test_a_caller_without_a_good_certificate_cannot_connect_where_one_is_asked_for(
    tmp_path: Path, make: Callable[[Authority, Path], Pair | None]
) -> None:
    ca = Authority(tmp_path)
    bundle, client = fake_bundle(tmp_path / "b"), make(ca, tmp_path)
    async with serving(bundle, **tls(ca.issue("server"), tls_client_ca=ca.file)) as served:
        async with calling(served, ca.file, client) as stub:
            error = await refusal(styles(stub))
        assert error.code() is grpc.StatusCode.UNAVAILABLE
        assert not [line for line in served.lines if line["event"] == "call"]
        async with calling(served, ca.file, ca.issue("good", "web.internal")) as stub:
            assert (await styles(stub)).styles


GOOD_NAMES: dict[str, tuple[str, Callable[[Authority], Pair]]] = {
    "a host name": ("web.internal", lambda ca: ca.issue("client", "other.internal", "web.internal")),
    "a URI": ("spiffe://prod/web", lambda ca: ca.issue_uri("client", "spiffe://prod/web")),
    "a common name": ("web.internal", lambda ca: ca.issue_uri("client", "", "web.internal")),
}


@pytest.mark.parametrize(("name", "issue"), GOOD_NAMES.values(), ids=GOOD_NAMES)
async def test_a_caller_is_known_by_the_name_in_its_certificate(
    tmp_path: Path, name: str, issue: Callable[[Authority], Pair]
) -> None:
    ca = Authority(tmp_path)
    file = write_callers(tmp_path / "callers.toml", caller("web", certificate=f'"{name}"'))
    bundle, client = fake_bundle(tmp_path / "b"), issue(ca)
    async with (
        serving(bundle, **tls(ca.issue("server"), tls_client_ca=ca.file, callers_file=file)) as served,
        calling(served, ca.file, client) as stub,
    ):
        await styles(stub)
    assert served.lines[-1]["event"] == "stopped"
    assert {line["caller"] for line in served.lines if line["event"] == "call"} == {"web"}


async def test_callers_with_certificates_that_nobody_asks_for_are_told_of(tmp_path: Path) -> None:
    file = write_callers(tmp_path / "callers.toml", caller("web", certificate='"web.internal"'))
    async with serving(fake_bundle(tmp_path / "b"), callers_file=file) as served:
        (line,) = [line for line in served.lines if line["event"] == "nobody shows a certificate"]
    assert line["reason"] == "callers_file names some, but there is no tls_client_ca"


async def test_a_common_name_beside_other_names_does_not_count(tmp_path: Path) -> None:
    ca = Authority(tmp_path)
    file = write_callers(tmp_path / "callers.toml", caller("web", certificate='"web.internal"'))
    client = ca.issue("client", "other.internal", common_name="web.internal")
    async with (
        serving(
            fake_bundle(tmp_path / "b"), **tls(ca.issue("server"), tls_client_ca=ca.file, callers_file=file)
        ) as served,
        calling(served, ca.file, client) as stub,
    ):
        error = await refusal(styles(stub))
    assert error.code() is grpc.StatusCode.UNAUTHENTICATED
    assert "internal" not in (error.details() or "")


async def test_a_token_wins_over_a_certificate_and_a_bad_one_is_not_made_good_by_it(tmp_path: Path) -> None:
    ca, token = Authority(tmp_path), new_token()
    by_name = caller("web", certificate='"web.internal"')
    file = write_callers(tmp_path / "callers.toml", by_name, caller("batch", token))
    client = ca.issue("client", "web.internal")
    async with (
        serving(
            fake_bundle(tmp_path / "b"), **tls(ca.issue("server"), tls_client_ca=ca.file, callers_file=file)
        ) as served,
        calling(served, ca.file, client) as stub,
    ):
        await styles(stub, token)
        assert [line["caller"] for line in served.lines if line["event"] == "call"] == ["batch"]
        assert (await refusal(styles(stub, new_token()))).code() is grpc.StatusCode.UNAUTHENTICATED


async def test_certificates_tell_owners_apart_also_without_a_callers_file(tmp_path: Path) -> None:
    ca = Authority(tmp_path)
    web, batch = ca.issue("web", "web.internal"), ca.issue("batch", "batch.internal")
    async with (
        serving_jobs(tmp_path, store=False, **tls(ca.issue("server"), tls_client_ca=ca.file)) as served,
        calling(served, ca.file, web) as mine,
        calling(served, ca.file, batch) as theirs,
    ):
        request = pb.CreateStylizationRequest(stylize=request_of())
        operation = await mine.CreateStylization(request, timeout=PATIENCE)
        watch = pb.WatchStylizationRequest(name=operation.name)
        assert (await refusal(theirs.WatchStylization(watch).read())).code() is grpc.StatusCode.NOT_FOUND
        assert await mine.WatchStylization(watch).read()


async def test_new_connections_get_a_new_certificate_and_those_that_there_are_live_on(tmp_path: Path) -> None:
    ca = Authority(tmp_path)
    pair = ca.issue("server")
    first = pair.cert.read_text()
    async with serving(fake_bundle(tmp_path / "b"), **tls(pair)) as served, calling(served, ca.file) as old:
        done = asyncio.Event()

        async def keep_calling() -> int:
            count = 0
            while not done.is_set():
                await styles(old)
                async with calling(served, ca.file) as new:
                    await styles(new)
                count += 1
            return count

        load = asyncio.gather(*(keep_calling() for _ in range(2)))
        await styles(old)
        assert (await shown(served)).strip() in first
        second = ca.issue("server").cert.read_text()
        await until_logged(served, "certificate reloaded")
        assert (await shown(served)).strip() in second
        await styles(old)
        done.set()
        assert all(await load)
    assert {line["code"] for line in served.lines if line["event"] == "call"} == {"OK"}


async def test_half_of_a_pair_is_told_and_changes_nothing_until_the_other_half_is_there(tmp_path: Path) -> None:
    ca = Authority(tmp_path)
    pair = ca.issue("server")
    first = pair.cert.read_text()
    async with serving(fake_bundle(tmp_path / "b"), **tls(pair)) as served:
        next_one = ca.issue("next")
        pair.cert.write_bytes(next_one.cert.read_bytes())
        line = await until_logged(served, "certificate not reloaded")
        assert f"{pair.key} does not belong to the certificate in {pair.cert}" in line["reason"]
        assert (await shown(served)).strip() in first
        pair.key.write_bytes(next_one.key.read_bytes())
        await until_logged(served, "certificate reloaded")
        assert (await shown(served)).strip() in next_one.cert.read_text()
    assert len([one for one in served.lines if one["event"] == "certificate not reloaded"]) == 1


async def test_another_authority_for_callers_is_taken_up_too(tmp_path: Path) -> None:
    ca, other = Authority(tmp_path), Authority(tmp_path, "other")
    client = other.issue("client", "web.internal")
    trusted = tmp_path / "clients.pem"
    trusted.write_bytes(ca.file.read_bytes())
    async with serving(fake_bundle(tmp_path / "b"), **tls(ca.issue("server"), tls_client_ca=trusted)) as served:
        async with calling(served, ca.file, client) as stub:
            assert (await refusal(styles(stub))).code() is grpc.StatusCode.UNAVAILABLE
        trusted.write_bytes(ca.file.read_bytes() + other.file.read_bytes())
        await until_logged(served, "certificate reloaded")
        async with calling(served, ca.file, client) as stub:
            assert (await styles(stub)).styles


def encrypted(pair: Pair) -> Pair:
    key = load_pem_private_key(pair.key.read_bytes(), password=None)
    protection = BestAvailableEncryption(b"word")
    pair.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection))
    return pair


def early(ca: Authority) -> Pair:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    return ca.issue("server", not_before=tomorrow, not_after=tomorrow + timedelta(days=1))


BAD_PAIRS: dict[str, tuple[Callable[[Authority], Pair], str]] = {
    "no certificate": (
        lambda ca: Pair(Path("nowhere.pem"), ca.issue("server").key),
        "nowhere.pem cannot be read: No such",
    ),
    "no key": (
        lambda ca: Pair(ca.issue("server").cert, Path("nowhere.key")),
        "nowhere.key cannot be read: No such file",
    ),
    "a folder": (lambda ca: Pair(ca.file.parent, ca.issue("server").key), "cannot be read: Is a directory"),
    "another key": (
        lambda ca: Pair(ca.issue("server").cert, ca.issue("other").key),
        r"other.key does not belong to the certificate in .*server.pem",
    ),
    "expired": (lambda ca: ca.issue_expired("server"), r"server.pem expired on \d{4}-\d\d-\d\d at \d\d:\d\d UTC"),
    "not valid yet": (early, r"server.pem is not valid before \d{4}"),
    "a key with a password": (lambda ca: encrypted(ca.issue("server")), "server.key is encrypted; give a key without"),
    "no PEM": (
        lambda ca: Pair(ca.issue("server").key, ca.issue("server").key),
        "server.key holds no certificate in PEM",
    ),
    "no key in it": (lambda ca: Pair(ca.issue("server").cert, ca.file), "ca.pem holds no private key in PEM"),
}


@pytest.mark.parametrize(("make", "problem"), BAD_PAIRS.values(), ids=BAD_PAIRS)
def test_what_is_wrong_with_a_certificate_is_told_in_one_line(
    tmp_path: Path, make: Callable[[Authority], Pair], problem: str
) -> None:
    pair = make(Authority(tmp_path))
    with pytest.raises(CertificateUnusable, match=problem) as raised:
        read_certificate(pair.cert, pair.key, None)
    assert str(raised.value).startswith("TLS: ")
    assert "\n" not in str(raised.value)


async def test_an_authority_that_is_none_ends_the_start(tmp_path: Path) -> None:
    pair = Authority(tmp_path).issue("server")
    config = options(fake_bundle(tmp_path / "b"), **tls(pair, tls_client_ca=pair.key))
    with pytest.raises(CertificateUnusable, match=r"server.key holds no certificate in PEM"):
        async with running(config):
            pass


async def test_health_over_tls_needs_no_token(tmp_path: Path) -> None:
    ca = Authority(tmp_path)
    file = write_callers(tmp_path / "callers.toml", caller("web", new_token()))
    credentials = grpc.ssl_channel_credentials(ca.file.read_bytes())
    async with (
        serving(fake_bundle(tmp_path / "b"), **tls(ca.issue("server"), callers_file=file)) as served,
        grpc.aio.secure_channel(str(served.server.address), credentials) as channel,
    ):
        stub: Any = health_pb2_grpc.HealthStub(channel)
        answer: Awaitable[Any] = stub.Check(HealthCheckRequest(), timeout=PATIENCE)
        assert (await answer).status

"""Pages that call real servers by gRPC-Web through Envoy, with the configurations in deploy/envoy."""

from __future__ import annotations

import base64
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.longrunning import operations_pb2
from google.rpc import error_details_pb2, status_pb2

from benchmarks.balancers import ENVOY, ENVOY_TLS, Balancer, NotInstalled, balanced
from benchmarks.replicas import PATIENCE, Replica, replicas, until
from impasto import images
from impasto.v1 import stylizer_pb2 as pb
from impasto_client import Client
from tests.credentials import Authority
from tests.deploy.grpc_web import BINARY, TEXT, Page, parsed
from tests.faults.callers import PHOTO, REQUEST, STYLE

ALLOWED = "https://photos.example"  # as the configurations say
OTHER = "https://elsewhere.example"
_END = "-----END CERTIFICATE-----"


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Replica]]:
    """Two servers with jobs in common, which nobody paints."""
    folder = tmp_path_factory.mktemp("replicas")
    store = ("--database", f"sqlite:///{folder}/jobs.sqlite", "--blobs", str(folder / "blobs"))
    with replicas(folder, 2, "--jobs", "on", "--workers", "0", *store) as made:
        yield made


@pytest.fixture(scope="module")
def envoy(tmp_path_factory: pytest.TempPathFactory, servers: list[Replica]) -> Iterator[Balancer]:
    _skip_without_envoy()
    with balanced(ENVOY, tmp_path_factory.mktemp("envoy"), servers) as balancer:
        yield balancer


@pytest.fixture(params=[BINARY, TEXT], ids=["binary", "text"])
def page(request: pytest.FixtureRequest, envoy: Balancer) -> Page:
    return Page(envoy.web, ALLOWED, request.param)


def test_a_page_lists_the_styles(page: Page) -> None:
    answer = page.call("ListStyles", pb.ListStylesRequest())
    assert answer.headers["content-type"].startswith(page.kind)
    assert STYLE in [style.name.rpartition("/")[2] for style in parsed(pb.ListStylesResponse, answer).styles]


def test_a_page_has_a_photo_painted(page: Page) -> None:
    painted = parsed(pb.StylizeResponse, page.call("Stylize", REQUEST))
    assert images.decode(painted.image).shape == images.decode(PHOTO).shape


def test_a_page_may_read_what_the_server_says_of_an_error(page: Page) -> None:
    answer = page.call("Stylize", pb.StylizeRequest(image=PHOTO, style_id="nobody"))
    assert answer.trailers["grpc-status"] == str(grpc.StatusCode.NOT_FOUND.value[0])
    assert "nobody" in answer.trailers["grpc-message"]
    (info,) = _error_infos(answer.trailers)
    assert (info.domain, info.reason) == ("impasto", "STYLE_NOT_FOUND")
    assert answer.headers["access-control-allow-origin"] == ALLOWED
    exposed = answer.headers["access-control-expose-headers"].split(",")
    assert {"grpc-status", "grpc-message", "grpc-status-details-bin"} <= set(exposed)


def test_a_page_watches_a_job_while_it_waits_and_to_its_end(page: Page) -> None:
    styles = pb.StyleImages(parts=[pb.StyleImages.Part(image=PHOTO)])
    request = pb.CreateStylizationRequest(stylize=pb.StylizeRequest(image=PHOTO, style_images=styles))
    made = parsed(operations_pb2.Operation, page.call("CreateStylization", request))
    with page.streamed("WatchStylization", pb.WatchStylizationRequest(name=made.name)) as frames:
        first = pb.WatchStylizationResponse.FromString(next(frames).data)
        assert first.stylization.state == pb.Stylization.QUEUED
        cancel = operations_pb2.CancelOperationRequest(name=made.name)
        cancelled = page.call("CancelOperation", cancel, service="google.longrunning.Operations")
        assert cancelled.trailers["grpc-status"] == "0"
        *_, last, end = frames
    assert pb.WatchStylizationResponse.FromString(last.data).stylization.state == pb.Stylization.CANCELLED
    assert end.is_trailers
    assert end.trailers["grpc-status"] == "0"


def test_pages_of_the_allowed_origin_may_call_and_others_may_not(envoy: Balancer) -> None:
    allowed = Page(envoy.web, ALLOWED).preflight()
    assert allowed["access-control-allow-origin"] == ALLOWED
    assert allowed["access-control-allow-methods"] == "POST"
    assert {"content-type", "x-grpc-web", "authorization"} <= set(allowed["access-control-allow-headers"].split(","))
    assert "access-control-allow-origin" not in Page(envoy.web, OTHER).preflight()


def test_a_page_may_read_that_no_server_is_there(tmp_path: Path) -> None:
    _skip_without_envoy()
    nobody = [Replica(tmp_path / name) for name in ("one", "two")]
    with balanced(ENVOY, tmp_path, nobody, waits=False) as balancer:
        until(lambda: _listens(balancer.web), f"{balancer.web} to listen")
        answer = Page(balancer.web, ALLOWED).call("ListStyles", pb.ListStylesRequest())
    assert answer.trailers["grpc-status"] == str(grpc.StatusCode.UNAVAILABLE.value[0])
    assert answer.headers["access-control-allow-origin"] == ALLOWED


def test_with_tls_backends_and_pages_call_by_one_port_and_its_certificate_can_be_renewed(
    tmp_path: Path, servers: list[Replica]
) -> None:
    _skip_without_envoy()
    authority, changes = Authority(tmp_path), _with_tls_from(tmp_path)
    first = _issued(authority, tmp_path)
    credentials = grpc.ssl_channel_credentials(authority.file.read_bytes())
    with balanced(ENVOY_TLS, tmp_path, servers, changes, credentials=credentials) as balancer:
        with Client(balancer.target, timeout=PATIENCE, ca=authority.file) as client:
            assert images.decode(client.stylize(PHOTO, STYLE).image).shape == images.decode(PHOTO).shape
        tls = ssl.create_default_context(cafile=str(authority.file))
        parsed(pb.StylizeResponse, Page(balancer.target, ALLOWED, tls=tls).call("Stylize", REQUEST))
        assert _reflection_is_refused(balancer.target, credentials)
        assert _shown(balancer.target) == first
        second = _issued(authority, tmp_path)
        until(lambda: _shown(balancer.target) == second, "the new certificate to be shown")


def _skip_without_envoy() -> None:
    try:
        ENVOY.command(ENVOY.configuration)
    except NotInstalled as error:
        pytest.skip(str(error))


def _error_infos(trailers: dict[str, str]) -> list[error_details_pb2.ErrorInfo]:
    """Return those of an error's details, from the base64 without padding that gRPC has in a header."""
    coded = trailers["grpc-status-details-bin"]
    kind = error_details_pb2.ErrorInfo
    status = status_pb2.Status.FromString(base64.b64decode(coded + "=" * (-len(coded) % 4)))
    return [kind.FromString(detail.value) for detail in status.details if detail.Is(kind.DESCRIPTOR)]


def _listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=PATIENCE).close()
    except OSError:
        return False
    return True


def _with_tls_from(folder: Path) -> dict[str, str]:
    """Write certificate.yaml for certificates in a folder, and return what to change in envoy-tls.yaml."""
    (folder / "tls").mkdir()
    text = (ENVOY_TLS.configuration.parent / "certificate.yaml").read_text()
    (folder / "certificate.yaml").write_text(text.replace("/etc/envoy/tls", str(folder / "tls")))
    return {"/etc/envoy/certificate.yaml": str(folder / "certificate.yaml")}


def _issued(authority: Authority, folder: Path) -> str:
    """Move a new pair into the folder where Envoy looks, and return the certificate."""
    pair = authority.issue("new")
    pair.key.replace(folder / "tls" / "tls.key")
    own = ssl.PEM_cert_to_DER_cert(pair.cert.read_text().partition(_END)[0] + _END)
    pair.cert.replace(folder / "tls" / "tls.crt")
    return ssl.DER_cert_to_PEM_cert(own)


def _shown(address: str) -> str:
    host, _, port = address.rpartition(":")
    return ssl.get_server_certificate((host, int(port)), timeout=PATIENCE)


def _reflection_is_refused(target: str, credentials: grpc.ChannelCredentials) -> bool:
    with grpc.secure_channel(target, credentials) as channel:
        reflection: Any = channel.stream_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")
        with pytest.raises(grpc.RpcError) as error:
            next(reflection(iter([b""])))
    return error.value.code() is grpc.StatusCode.UNIMPLEMENTED

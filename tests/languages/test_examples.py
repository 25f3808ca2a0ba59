"""The examples in clients/go and clients/java, compiled and run against servers."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from grpc import StatusCode

from impasto import images
from impasto.v1 import stylizer_pb2 as pb
from impasto_client import Client
from impasto_server.local import local_server
from tests.client.job_servers import CHUNK, ScriptedJobs
from tests.client.servers import Call, bad_request, echo, error_info, retry_in, serving
from tests.core.graphs import gate_bundle
from tests.credentials import Authority, caller, write_callers
from tests.languages.toolchains import CLIENTS, Example, go_example, java_example
from tests.support import gradient
from tests.worker.processes import worker

TOKEN = "impasto_token-of-the-examples"
LARGE = 2 * 2**20  # bytes, more than any gRPC keeps for a retry by itself


@pytest.fixture(scope="module", params=[go_example, java_example], ids=["go", "java"])
def example(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Example:
    built: Example = request.param(tmp_path_factory.mktemp("example"))
    return built


@dataclass(frozen=True)
class Served:
    """A real server with TLS that knows its caller, and what a caller needs to know.

    Attributes:
        options: of the example, to call it.
        target, ca: the same for our own client.
    """

    target: str
    ca: Path
    token_file: Path

    @property
    def options(self) -> tuple[object, ...]:
        return "-server", self.target, "-ca", self.ca, "-token-file", self.token_file

    def client(self) -> Client:
        return Client(self.target, ca=self.ca, token=TOKEN)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Return a server with TLS, callers and a worker, whose painter alone is a stand-in."""
    folder = tmp_path_factory.mktemp("server")
    gate_bundle(folder / "bundle")
    ca = Authority(folder)
    pair = ca.issue("server")
    callers = write_callers(folder / "callers.toml", caller("app", TOKEN))
    (folder / "token").write_text(TOKEN + "\n")
    options = [
        "--bundle",
        f"{folder}/bundle",
        "--bundle-probe",
        "off",
        "--provider",
        "cpu",
        "--jobs",
        "on",
        "--workers",
        "0",
    ]
    options += ["--tls-cert", str(pair.cert), "--tls-key", str(pair.key), "--callers-file", str(callers)]
    store = "--database", f"sqlite:///{folder}/state/jobs.sqlite", "--blobs", f"{folder}/state/blobs"
    with local_server(folder, options) as server, worker(folder, *store, step_seconds=0.01):
        yield Served(server.target, ca.file, folder / "token")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    file = tmp_path / "photo.jpg"
    file.write_bytes(images.encode(gradient(96, 64)))
    return file


def test_a_photo_is_painted_over_tls_with_a_token(example: Example, served: Served, photo: Path) -> None:
    out = photo.with_name("painted.jpg")

    done = example.run(*served.options, "stylize", "ink", photo, out)

    assert (done.returncode, done.stdout) == (0, f"{out}: 96 x 64\n"), done.stderr
    with served.client() as client:
        assert out.read_bytes() == client.stylize(photo.read_bytes(), "ink", strength=0.8).image


def test_photos_go_over_one_stream_and_a_bad_one_fails_alone(example: Example, served: Served, tmp_path: Path) -> None:
    photos = [tmp_path / name for name in ("one.jpg", "two.jpg", "three.jpg", "four.jpg")]
    for size, file in enumerate(photos, 20):
        file.write_bytes(images.encode(gradient(2 * size, size)))
    photos[1].write_bytes(b"no photo")

    done = example.run(*served.options, "batch", "ink", tmp_path, *photos)

    painted = {file.name for file in tmp_path.glob("*.jpg.jpg")}
    assert painted == {"one.jpg.jpg", "three.jpg.jpg", "four.jpg.jpg"}
    assert images.decode((tmp_path / "four.jpg.jpg").read_bytes()).shape == (23, 46, 3)
    assert done.returncode == 1
    assert "two.jpg: " in done.stderr
    assert "UNREADABLE_IMAGE, field " in done.stderr
    assert "1 of 4 photos could not be painted" in done.stderr


def test_photos_that_would_become_one_picture_are_refused_before_any_is_sent(example: Example, tmp_path: Path) -> None:
    photos = [tmp_path / folder / "photo.jpg" for folder in ("one", "two")]

    with serving(echo) as server:
        done = example.run("-server", server.target, "batch", "ink", tmp_path, *photos)

        assert server.calls == []
    assert done.returncode == 1
    assert f"{photos[0]} and {photos[1]} would both become " in done.stderr


def test_an_id_that_no_photo_waits_under_becomes_no_file(example: Example, photo: Path) -> None:
    def strange(call: Call) -> Iterator[pb.StylizeStreamResponse]:
        yield pb.StylizeStreamResponse(id="../strange", response=pb.StylizeResponse(image=b"picture"))

    (folder := photo.with_name("painted")).mkdir()
    with serving(strange) as server:
        done = example.run("-server", server.target, "batch", "ink", folder, photo)

    assert done.returncode == 1
    assert "../strange" in done.stderr
    assert [file.name for file in photo.parent.rglob("*") if file.is_file()] == [photo.name]


def test_a_photo_that_has_no_answer_when_the_stream_ends_well_was_not_painted(example: Example, photo: Path) -> None:
    with serving(lambda call: iter(())) as server:
        done = example.run("-server", server.target, "batch", "ink", photo.parent, photo)

    assert done.returncode == 1
    assert f"{photo}: no answer" in done.stderr
    assert "1 of 1 photos could not be painted" in done.stderr


def test_a_job_is_made_watched_and_read(example: Example, served: Served, photo: Path) -> None:
    painting, out = photo.with_name("painting.jpg"), photo.with_name("painted.jpg")
    painting.write_bytes(images.encode(gradient(40, 30)))

    done = example.run(*served.options, "paint", painting, photo, out)

    name, *states = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    assert any(state.startswith("RUNNING ") for state in states)
    assert states[-1] == "SUCCEEDED 100/100"
    with served.client() as client:
        assert out.read_bytes() == client.result(name).image


def test_what_is_wrong_is_told_by_code_reason_and_field(example: Example, served: Served, photo: Path) -> None:
    photo.with_name("other").write_text("another-token")

    unknown = example.run(*served.options, "stylize", "no-such-style", photo, "out.jpg")
    stranger = example.run(*served.options[:-1], photo.with_name("other"), "stylize", "ink", photo, "out.jpg")

    assert (unknown.returncode, stranger.returncode) == (1, 1)
    assert "STYLE_NOT_FOUND" in unknown.stderr
    assert "CALLER_UNKNOWN" in stranger.stderr


def test_a_token_is_not_sent_in_plain_text(example: Example, photo: Path) -> None:
    photo.with_name("token").write_text(TOKEN)
    with serving(echo) as server:
        options = "-server", server.target, "-token-file", photo.with_name("token")

        done = example.run(*options, "stylize", "ink", photo, photo.with_name("out.jpg"))

        assert (done.returncode, server.calls) == (1, [])


def test_a_large_photo_is_sent_again_when_the_server_was_away_or_busy(example: Example, tmp_path: Path) -> None:
    photo, out = tmp_path / "photo.jpg", tmp_path / "out.jpg"
    photo.write_bytes(os.urandom(LARGE))

    def answer(call: Call) -> pb.StylizeResponse:
        if call.number == 1:
            call.fail(StatusCode.UNAVAILABLE)
        if call.number == 2:
            call.fail(StatusCode.RESOURCE_EXHAUSTED, "busy", error_info("OVERLOADED"), retry_in(0.05))
        return echo(call)

    with serving(answer) as server:
        done = example.run("-server", server.target, "stylize", "ink", photo, out)

        assert done.returncode == 0, done.stderr
        assert len(server.calls) == 3
    assert out.read_bytes() == photo.read_bytes()


def test_what_the_server_refuses_for_good_is_not_sent_again(example: Example, photo: Path) -> None:
    def answer(call: Call) -> Any:
        call.fail(StatusCode.INVALID_ARGUMENT, "no", error_info("INVALID_VALUE"), bad_request("strength", "no"))

    with serving(answer) as server:
        done = example.run("-server", server.target, "stylize", "ink", photo, "out.jpg")

        assert len(server.calls) == 1
    assert "INVALID_VALUE, field strength: no" in done.stderr


def test_a_deadline_ends_the_call(example: Example, photo: Path) -> None:
    with serving(lambda call: call.released.wait()) as server:
        done = example.run("-server", server.target, "-timeout", "0.3s", "stylize", "ink", photo, "out.jpg")

    assert done.returncode == 1
    assert "deadlineexceeded" in done.stderr.replace("_", "").lower()


def test_the_service_config_of_go_is_the_one_for_other_languages() -> None:
    source = (CLIENTS / "go" / "example" / "connect.go").read_text()
    (config,) = re.findall(r"serviceConfig = `([^`]+)`", source)

    assert json.loads(config) == json.loads((CLIENTS.parent / "deploy" / "grpc" / "service-config.json").read_text())


class BreakingJobs(ScriptedJobs):
    """Jobs of which the first watch and the first download break off; they are done when they are watched again."""

    def __init__(self, picture: bytes) -> None:
        super().__init__()
        self._picture = picture
        self._unbroken = {"WatchStylization", "ReadStylization"}

    def WatchStylization(self, call: Call) -> Iterator[pb.WatchStylizationResponse]:
        if call.method not in self._unbroken:
            self.succeed(call.request.name, self._picture)
        yield from self._broken(call, super().WatchStylization(call))

    def ReadStylization(self, call: Call) -> Iterator[pb.ReadStylizationResponse]:
        yield from self._broken(call, super().ReadStylization(call))

    def _broken(self, call: Call, replies: Iterator[Any]) -> Iterator[Any]:
        yield next(replies)
        if call.method in self._unbroken:
            self._unbroken.remove(call.method)
            call.fail(StatusCode.UNAVAILABLE, "gone")
        yield from replies


def test_a_watch_and_a_download_that_break_are_taken_up_again(example: Example, photo: Path) -> None:
    picture, out = os.urandom(3 * CHUNK), photo.with_name("out.jpg")

    with serving(BreakingJobs(picture)) as server:
        done = example.run("-server", server.target, "paint", photo, photo, out)

        assert done.returncode == 0, done.stderr
        assert len(server.requests("WatchStylization")) == 2
        assert [request.read_offset for request in server.requests("ReadStylization")] == [0, CHUNK]
    assert out.read_bytes() == picture

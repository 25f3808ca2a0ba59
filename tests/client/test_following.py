"""Jobs that the program follows and cancels, while the server comes, goes and hangs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from google.rpc.status_pb2 import Status
from grpc import StatusCode

from impasto.v1 import stylizer_pb2 as pb
from impasto_client import Client, Painting
from impasto_client.cli import main
from impasto_client.commands import following
from impasto_client.commands.progress import Display
from tests.client.job_servers import LONG, ScriptedJobs
from tests.client.servers import Call, Server, serving

_TRIES = 5  # one more than gRPC itself makes of a call that meets no server


class AwayAfterTheEnd(ScriptedJobs):
    """Jobs that end as soon as they are watched, of a server that is away for a while as soon as it has said so."""

    def __init__(self) -> None:
        super().__init__()
        self.away = 0

    def end(self, name: str) -> None:
        self.succeed(name, b"picture", "painted smaller", "painted with Adam")

    def WatchStylization(self, call: Call) -> Any:
        name = call.request.name
        if self.state(name) == pb.Stylization.QUEUED:
            self.end(name)
            self.away = _TRIES
        return super().WatchStylization(call)

    def GetOperation(self, call: Call) -> Any:
        if self.away:
            self.away -= 1
            call.fail(StatusCode.UNAVAILABLE, "restarting")
        return super().GetOperation(call)


class FailedThenAway(AwayAfterTheEnd):
    def end(self, name: str) -> None:
        self.fail(name, Status(code=StatusCode.INTERNAL.value[0], message="no worker survived it"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a photo and a painting, which is also where the program runs."""
    for name in ("photo.jpg", "painting.jpg"):
        (tmp_path / name).write_bytes(name.encode())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def a_job(server: Server) -> str:
    with Client(server.target) as client:
        return client.create_job(b"photo", Painting(b"painting")).name


def stylize(server: Server) -> int:
    return main(
        ["stylize", "photo.jpg", "--style-image", "painting.jpg", "--out", "painted.jpg", "--server", server.target]
    )


def test_a_server_that_restarts_just_when_the_job_ends_is_waited_for(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs = AwayAfterTheEnd()

    with serving(jobs) as server:
        status = stylize(server)

    assert (status, jobs.away) == (0, 0)
    assert (folder / "painted.jpg").read_bytes() == b"picture"
    said = capsys.readouterr().err.splitlines()
    assert said[-1] == "impasto: note: painted with Adam"
    assert any(line.endswith("restarting; trying again until it is back") for line in said)


@pytest.mark.parametrize(
    ("jobs", "status", "last"),
    [
        (AwayAfterTheEnd(), 0, "note: painted with Adam"),
        (FailedThenAway(), 1, "{name} failed: no worker survived it"),
    ],
)
def test_a_watch_tells_the_end_though_the_server_restarts_just_then(
    jobs: AwayAfterTheEnd, status: int, last: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(jobs) as server:
        name = a_job(server)
        assert main(["jobs", "watch", name, "--server", server.target]) == status

    assert jobs.away == 0
    assert capsys.readouterr().err.splitlines()[-1] == f"impasto: {last.format(name=name)}"


def test_each_note_is_a_line_of_its_own_on_standard_error(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    jobs = ScriptedJobs()

    with serving(jobs) as server:
        name = a_job(server)
        jobs.succeed(name, b"picture", "painted smaller", "painted with Adam")
        status = main(["jobs", "fetch", name, "--out", "painted.jpg", "--server", server.target])

    printed = capsys.readouterr()
    assert status == 0
    assert printed.err == "impasto: note: painted smaller\nimpasto: note: painted with Adam\n"
    assert printed.out == "painted.jpg: 64x48 px, 7 bytes, painted in 3 s\n"


def test_a_cancel_that_hangs_past_its_deadline_is_sent_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(following, "_CANCEL_TRY", 0.5)
    jobs = ScriptedJobs()

    def deaf_once(call: Call) -> Any:
        if call.method == "CancelOperation" and len(server.requests("CancelOperation")) == 1:
            call.released.wait(LONG)
            return None
        return jobs(call)

    with serving(deaf_once) as server, Client(server.target) as client, Display() as display:
        name = client.create_job(b"photo", Painting(b"painting")).name
        following.cancel(client, name, display)
        tries = server.requests("CancelOperation")

    assert len(tries) == 2
    assert jobs.state(name) == pb.Stylization.CANCELLED
    assert capsys.readouterr().err.splitlines()[-1] == f"impasto: {name} is cancelled"

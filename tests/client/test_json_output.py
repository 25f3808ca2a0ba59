"""What every command prints with `--json`: one document or lines, and errors alike."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from grpc import StatusCode

from impasto.v1 import stylizer_pb2 as pb
from impasto_client import Client, Painting
from impasto_client.cli import main
from tests.client.job_servers import ScriptedJobs
from tests.client.servers import Call, Server, error_info, retry_in, serving

ERROR_KEYS = {"kind", "reason", "status", "field", "retry_after", "job", "exit_status"}


@pytest.fixture
def photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("a.jpg", "b.jpg", "painting.jpg"):
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path / "a.jpg"


def run(server: Server, *arguments: str) -> int:
    return main([*arguments, "--json", "--server", server.target])


def error_of(captured: pytest.CaptureFixture[str]) -> dict[str, Any]:
    (line,) = captured.readouterr().err.splitlines()
    error: dict[str, Any] = json.loads(line)["error"]
    assert set(error) == ERROR_KEYS
    return error


def documents(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]


def a_style(call: Call) -> pb.Style:
    return pb.Style(name="bundles/test/styles/ink", style_id="test/ink", title="Ink", model_card="# Ink\n")


def a_job(server: Server) -> str:
    with Client(server.target) as client:
        return client.create_job(b"photo", Painting(b"painting")).name


def test_one_style_is_told_with_its_card(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(a_style) as server:
        assert run(server, "styles", "ink") == 0
        told = json.loads(capsys.readouterr().out)
        assert main(["styles", "ink", "--server", server.target]) == 0

    assert (told["id"], told["model_card"]) == ("test/ink", "# Ink\n")
    assert "title              Ink" in capsys.readouterr().out


def test_ids_alone_are_for_shells(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(lambda call: pb.ListStylesResponse(styles=[a_style(call)])) as server:
        assert main(["styles", "--quiet", "--server", server.target]) == 0

    assert capsys.readouterr().out == "test/ink\n"


def test_a_job_that_is_watched_is_a_line_for_each_state(capsys: pytest.CaptureFixture[str]) -> None:
    jobs = ScriptedJobs()

    with serving(jobs) as server:
        name = a_job(server)
        jobs.succeed(name, b"picture")
        assert run(server, "jobs", "watch", name) == 0

    states = documents(capsys.readouterr().out)
    assert [(state["name"], state["state"]) for state in states] == [(name, "succeeded")]


def test_what_was_fetched_cancelled_and_deleted_is_told(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    jobs = ScriptedJobs()

    with serving(jobs) as server:
        name, other = a_job(server), a_job(server)
        jobs.succeed(name, b"picture")
        assert run(server, "jobs", "fetch", name, "--out", "fetched.jpg") == 0
        fetched = json.loads(capsys.readouterr().out)
        assert run(server, "jobs", "cancel", other) == 0
        assert run(server, "jobs", "delete", name, other) == 0

    assert (fetched["out"], fetched["job"], fetched["bytes"]) == ("fetched.jpg", name, 7)
    assert documents(capsys.readouterr().out) == [
        {"name": other, "done": "cancelled"},
        {"name": name, "done": "deleted"},
        {"name": other, "done": "deleted"},
    ]


class PaintedAtOnce(ScriptedJobs):
    """Jobs that have succeeded as soon as they are watched, but for the photo b.jpg's."""

    def WatchStylization(self, call: Call) -> Any:
        for name in self.names:
            self.succeed(name, b"picture")
        return super().WatchStylization(call)

    def CreateStylization(self, call: Call) -> Any:
        if call.request.stylize.image == b"b.jpg":
            call.fail(StatusCode.INVALID_ARGUMENT, "image: is a damaged picture")
        return super().CreateStylization(call)


def test_several_photos_are_painted_by_a_job_each(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    jobs = PaintedAtOnce()

    with serving(jobs) as server:
        arguments = ["stylize", "a.jpg", "b.jpg", "painting.jpg", "--style-image", "painting.jpg", "--out", "painted"]
        assert run(server, *arguments) == 4

    told = {line["photo"]: line for line in documents(capsys.readouterr().out)}
    assert {name: line["state"] for name, line in told.items()} == {
        "a.jpg": "painted",
        "b.jpg": "failed",
        "painting.jpg": "painted",
    }
    assert [told["a.jpg"]["job"], told["painting.jpg"]["job"]] == jobs.names
    assert sorted(path.name for path in Path("painted").iterdir()) == ["a.jpg", "painting.jpg"]


def test_jobs_that_are_left_to_themselves_are_told_by_name(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    jobs = ScriptedJobs()

    with serving(jobs) as server:
        assert run(server, "stylize", "a.jpg", "b.jpg", "--style-image", "painting.jpg", "--detach") == 0

    told = documents(capsys.readouterr().out)
    assert [(line["photo"], line["state"]) for line in told] == [("a.jpg", "queued"), ("b.jpg", "queued")]
    assert [line["job"] for line in told] == jobs.names


def test_a_wrong_command_line_is_an_error_of_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["stylize", "a.jpg", "--json"])

    assert ended.value.code == 2
    error = error_of(capsys)
    assert (error["kind"], error["exit_status"]) == ("UsageError", 2)
    assert error["reason"] == "one of the arguments --style --blend --style-image is required"


def test_what_the_server_refuses_is_told_with_its_field(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def refusing(call: Call) -> None:
        call.fail(StatusCode.NOT_FOUND, "no style 'inc'", error_info("STYLE_NOT_FOUND", available="ink"))

    with serving(refusing) as server:
        assert run(server, "stylize", "a.jpg", "--style", "inc", "--out", "p.jpg") == 2

    error = error_of(capsys)
    assert (error["kind"], error["status"], error["field"]) == ("StyleUnknown", "NOT_FOUND", "style")


def test_when_a_busy_server_wants_to_be_asked_again_is_told(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def busy(call: Call) -> None:
        call.fail(StatusCode.RESOURCE_EXHAUSTED, "the queue is full", retry_in(90))

    with serving(busy) as server:
        assert run(server, "stylize", "a.jpg", "--style", "ink", "--out", "p.jpg") == 1

    error = error_of(capsys)
    assert (error["kind"], error["retry_after"], error["exit_status"]) == ("ServerBusy", 90.0, 1)


def test_a_job_that_goes_on_is_told_by_name(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    jobs = ScriptedJobs()

    with serving(jobs) as server:
        arguments = ["stylize", "a.jpg", "--style-image", "painting.jpg", "--out", "p.jpg", "--timeout", "3"]
        assert run(server, *arguments) == 3

    error = error_of(capsys)
    assert (error["kind"], error["job"], error["exit_status"]) == ("DeadlineExceeded", jobs.names[0], 3)

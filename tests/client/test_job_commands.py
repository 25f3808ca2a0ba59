"""`impasto stylize --style-image` and `impasto jobs`, as far as nobody interrupts them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from google.rpc.status_pb2 import Status
from grpc import StatusCode

from impasto.v1 import stylizer_pb2 as pb
from impasto_client import Client, Painting
from impasto_client.cli import main
from tests.client.job_servers import ScriptedJobs
from tests.client.servers import Call, Server, error_info, serving


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a photo and paintings, which is also where the program runs."""
    for name in ("photo.jpg", "painting.jpg", "other.jpg", "a=2.jpg"):
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "empty.jpg").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


class PaintedAtOnce(ScriptedJobs):
    """Jobs that have succeeded as soon as they are watched."""

    def WatchStylization(self, call: Call) -> Any:
        for name in self.names:
            self.succeed(name, b"picture")
        return super().WatchStylization(call)


def a_job(server: Server) -> str:
    with Client(server.target) as client:
        return client.create_job(b"photo", Painting(b"painting")).name


def run(server: Server, *arguments: str) -> int:
    return main([*arguments, "--server", server.target])


def test_all_options_reach_the_server(folder: Path) -> None:
    with serving(ScriptedJobs()) as server:
        status = run(
            server, "stylize", "photo.jpg", "--detach", "--format", "png", "--strength", "0.5", "--working-size", "320",
            "--style-image", "painting.jpg=2", "--style-image", "other.jpg", "--style-image", "a=2.jpg",
            "--steps", "20", "--style-weight", "1e7", "--content-weight", "2", "--tv-weight", "0",
            "--optimizer", "adam", "--start", "noise", "--pooling", "average", "--style-scale", "0.5",
            "--color", "luminance", "--perception", "compact", "--seed", "3", "--priority", "-5",
            "--content-layers", "relu4_1", "--style-layers", "relu1_1,relu2_1",
        )  # fmt: skip

    assert status == 0
    (request,) = server.requests("CreateStylization")
    paintings = [(part.image, part.weight) for part in request.stylize.style_images.parts]
    assert paintings == [(b"painting.jpg", 2), (b"other.jpg", 1), (b"a=2.jpg", 1)]
    assert request.stylize.optimization == pb.Optimization(
        steps=20,
        content_weight=2,
        style_weight=1e7,
        tv_weight=0,
        content_layers=["relu4_1"],
        style_layers=["relu1_1", "relu2_1"],
        optimizer=pb.Optimization.ADAM,
        start=pb.Optimization.NOISE,
        pooling=pb.Optimization.AVERAGE,
        style_scale=0.5,
        color=pb.Optimization.LUMINANCE,
        perception=pb.Optimization.COMPACT,
        seed=3,
    )
    assert request.priority == -5
    assert (request.stylize.strength, request.stylize.working_size) == (0.5, 320)
    assert request.stylize.format == pb.IMAGE_FORMAT_PNG


def test_what_is_not_given_is_left_to_the_server(folder: Path) -> None:
    with serving(ScriptedJobs()) as server:
        run(server, "stylize", "photo.jpg", "--style-image", "painting.jpg", "--detach")

    (request,) = server.requests("CreateStylization")
    assert not request.stylize.HasField("optimization")
    assert request.stylize.format == pb.IMAGE_FORMAT_UNSPECIFIED


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--style-image", "missing.jpg"], "--style-image: cannot read missing.jpg"),
        (["--style-image", "missing.jpg=2"], "--style-image: cannot read missing.jpg"),
        (["--style-image", "painting.jpg=much"], "--style-image: cannot read painting.jpg=much"),
        (["--style-image", "empty.jpg"], "style: painting 1 is empty"),
        (["--style-image", "painting.jpg=nan"], "style: nan is no weight for painting 1"),
        (["--style-image", "painting.jpg=-1"], "style: -1.0 is no weight for painting 1"),
        (["--style-image", "painting.jpg=0"], "style: the paintings' weights are all 0"),
        (["--style-image", "painting.jpg", "--style-weight", "nan"], "optimization.style_weight: nan is out of range"),
        (["--style-image", "painting.jpg", "--steps", "1000000"], "optimization.steps: 1e+06 is out of range"),
        (["--style-image", "painting.jpg", "--style-layers", "relu9_9"], "'relu9_9' is no layer"),
        (["--style-image", "painting.jpg", "--timeout", "0"], "timeout: "),
        (["--style-image", "painting.jpg", "--preview", "missing/now.jpg"], "--preview: there is no folder missing"),
        (["--style", "ink", "--steps", "20"], "optimization: is for paintings"),
        (["--style", "ink", "--priority", "1"], "--style: is painted at once"),
        (["--style", "ink", "--detach"], "--style: is painted at once"),
        (["--style-image", "painting.jpg", "--detach"], "--out: is not written with --detach"),
        (["--style-image", "painting.jpg", "--preview", "painting.jpg"], "--preview: painting.jpg is read, and not"),
        (["--style-image", "painting.jpg", "--preview", "./photo.jpg"], "--preview: photo.jpg is the photo, and not"),
        (["--style-image", "painting.jpg", "--preview", "painted.jpg"], "--preview: painted.jpg is where the picture"),
        (["--style-image", "painting.jpg", "--preview", "/dev/null"], "--preview: /dev/null is no regular file"),
    ],
)
def test_what_cannot_work_is_refused_before_the_upload(
    arguments: list[str], complaint: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(ScriptedJobs()) as server:
        status = run(server, "stylize", "photo.jpg", "--out", "painted.jpg", *arguments)

    assert status == 2
    assert complaint in capsys.readouterr().err.splitlines()[-1]
    assert server.calls == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["stylize", "photo.jpg", "--style-image", "painting.jpg"],
        ["stylize", "photo.jpg", "--style-image", "painting.jpg", "--style", "ink", "--out", "painted.jpg"],
        ["stylize", "photo.jpg", "--style-image", "painting.jpg", "--out", "painted.jpg", "--optimizer", "sgd"],
        ["jobs", "fetch", "5f0c"],
        ["jobs", "cancel"],
        ["jobs", "sell", "5f0c"],
    ],
)
def test_wrong_usage_ends_with_status_2(arguments: list[str], folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)

    assert ended.value.code == 2
    assert "usage: impasto" in capsys.readouterr().err


def test_a_preview_is_kept_beside(folder: Path) -> None:
    jobs = ScriptedJobs()

    def painting(call: Call) -> Any:
        if call.method == "WatchStylization":
            jobs.paint(jobs.names[0], 5, preview=b"half a picture")
            jobs.succeed(jobs.names[0])
        return jobs(call)

    with serving(painting) as server:
        status = run(
            server, "stylize", "photo.jpg", "--style-image", "painting.jpg", "--out", "x.jpg", "--preview", "now.jpg"
        )

    assert status == 0
    assert (folder / "now.jpg").read_bytes() == b"half a picture"


def test_a_job_that_is_not_done_in_time_ends_with_status_3_and_goes_on(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs = ScriptedJobs()

    with serving(jobs) as server:
        status = run(
            server, "stylize", "photo.jpg", "--style-image", "painting.jpg", "--out", "painted.jpg", "--timeout", "1"
        )

    assert status == 3
    (name,) = jobs.names
    assert jobs.state(name) == pb.Stylization.QUEUED
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith(f"impasto: {name} was not done within ")
    assert last.endswith(" s, and goes on")


def test_a_failed_job_ends_with_status_1_and_its_reason(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    jobs = ScriptedJobs()

    def failing(call: Call) -> Any:
        if call.method == "WatchStylization":
            jobs.fail(jobs.names[0], Status(code=StatusCode.INTERNAL.value[0], message="no worker survived it"))
        return jobs(call)

    with serving(failing) as server:
        status = run(server, "stylize", "photo.jpg", "--style-image", "painting.jpg", "--out", "painted.jpg")

    assert status == 1
    assert capsys.readouterr().err.splitlines()[-1] == f"impasto: {jobs.names[0]} failed: no worker survived it"
    assert not (folder / "painted.jpg").exists()


def test_a_result_that_cannot_be_written_can_be_fetched_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs = PaintedAtOnce()

    def full(path: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with serving(jobs) as server:
        with monkeypatch.context() as patched:
            patched.setattr(Path, "write_bytes", full)
            status = run(server, "stylize", "photo.jpg", "--style-image", "painting.jpg", "--out", "painted.jpg")
        (name,) = jobs.names
        fetched = run(server, "jobs", "fetch", name, "--out", "painted.jpg")

    assert (status, fetched) == (1, 0)
    assert f"impasto jobs fetch {name} --out FILE" in capsys.readouterr().err
    assert (folder / "painted.jpg").read_bytes() == b"picture"


def test_jobs_lists_those_under_way_and_all_of_them_if_asked(capsys: pytest.CaptureFixture[str]) -> None:
    jobs = ScriptedJobs()

    with serving(jobs) as server:
        first, second, third = (a_job(server) for _ in range(3))
        jobs.paint(second, 5)
        jobs.succeed(first)
        assert run(server, "jobs") == 0
        going = capsys.readouterr().out.splitlines()
        assert run(server, "jobs", "--all") == 0
        every = capsys.readouterr().out.splitlines()

    assert going[0].split() == ["NAME", "STATE", "PROGRESS", "AGE"]
    assert [line.split()[:-2] for line in going[1:]] == [[third, "queued"], [second, "running", "5/10", "50%"]]
    assert [line.split()[0] for line in every[1:]] == [third, second, first]


def test_where_no_job_is_under_way_the_list_says_how_to_see_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(ScriptedJobs()) as server:
        assert run(server, "jobs") == 0
        assert run(server, "jobs", "--json") == 0

    printed = capsys.readouterr()
    assert printed.err == "no jobs under way; --all lists those that have ended\n"
    assert json.loads(printed.out) == []


def test_jobs_as_json_are_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    jobs = ScriptedJobs()

    with serving(jobs) as server:
        done, bad = a_job(server), a_job(server)
        jobs.paint(done, 10)
        jobs.succeed(done, b"picture", "a note")
        jobs.fail(bad, Status(code=StatusCode.INTERNAL.value[0], message="no"))
        assert run(server, "jobs", "--all", "--json") == 0
        listed = json.loads(capsys.readouterr().out)
        assert run(server, "jobs", "show", done, "--json") == 0
        shown = json.loads(capsys.readouterr().out)

    assert [job["name"] for job in listed] == [bad, done]
    assert listed[0]["failure"] == {"status": "INTERNAL", "reason": "no", "field": ""}
    assert shown == listed[1]
    assert (shown["state"], shown["progress"]["step"], shown["notes"]) == ("succeeded", 10, ["a note"])
    assert shown["result"]["size"] == [64, 48]
    assert shown["created"].endswith("+00:00")


def test_a_job_is_shown_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    jobs = ScriptedJobs()

    with serving(jobs) as server:
        name = a_job(server)
        jobs.paint(name, 10)
        jobs.succeed(name, b"picture", "painted smaller")
        assert main(["jobs", "--server", server.target, "show", name]) == 0

    facts = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines() if "painted in" not in line)
    assert facts["name"] == name
    assert facts["state"] == "succeeded"
    assert facts["result"] == "jpeg, 64x48 px, 7 bytes, painted at 32x24 px"
    assert facts["note"] == "painted smaller"
    assert {"created", "started", "ended", "expires", "owner", "progress", "losses", "attempts"} <= set(facts)


def test_why_a_job_failed_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    jobs = ScriptedJobs()

    with serving(jobs) as server:
        name = a_job(server)
        jobs.fail(name, Status(code=StatusCode.INTERNAL.value[0], message="no worker survived it"))
        assert run(server, "jobs", "show", name) == 0

    assert "failed     no worker survived it" in capsys.readouterr().out.splitlines()


def test_watching_ends_with_the_job(capsys: pytest.CaptureFixture[str]) -> None:
    jobs = PaintedAtOnce()

    with serving(jobs) as server:
        assert run(server, "jobs", "watch", a_job(server)) == 0

    assert capsys.readouterr().err.splitlines()[-1] == "impasto: succeeded"


def test_watching_a_cancelled_job_ends_with_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    jobs = ScriptedJobs()

    with serving(jobs) as server:
        name = a_job(server)
        assert run(server, "jobs", "cancel", name) == 0
        assert run(server, "jobs", "watch", name) == 1

    assert capsys.readouterr().err.splitlines()[-1] == f"impasto: {name} was cancelled"


@pytest.mark.parametrize(
    ("arguments", "kept"),
    [
        (["--style-image", "painting.jpg", "--out", "./painting.jpg"], "painting.jpg"),
        (["--style-image", "painting.jpg", "--mask", "other.jpg", "--out", "other.jpg"], "other.jpg"),
        (["--style", "ink", "--mask", "other.jpg", "--out", "other.jpg"], "other.jpg"),
    ],
)
def test_what_is_read_is_not_replaced_even_when_pictures_may_be(
    arguments: list[str], kept: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(ScriptedJobs()) as server:
        assert run(server, "stylize", "photo.jpg", "--overwrite", *arguments) == 2

    assert capsys.readouterr().err == f"impasto: --out: {kept} is read, and not replaced; name another place\n"
    assert server.calls == []


def test_a_picture_that_has_come_to_be_there_is_kept_and_the_result_can_be_fetched(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class WritesToo(PaintedAtOnce):
        def ReadStylization(self, call: Call) -> Any:
            (folder / "painted.jpg").write_bytes(b"mine")
            return super().ReadStylization(call)

    jobs = WritesToo()
    with serving(jobs) as server:
        assert run(server, "stylize", "photo.jpg", "--style-image", "painting.jpg", "--out", "painted.jpg") == 2
        (folder / "painted.jpg").unlink()
        fetched = run(server, "jobs", "fetch", jobs.names[0], "--out", "painted.jpg")

    assert (folder / "painted.jpg").read_bytes() == b"mine"
    refused, again = [line for line in capsys.readouterr().err.splitlines() if "is there already" in line]
    assert refused.endswith(f"; the result is still there: impasto jobs fetch {jobs.names[0]} --out FILE")
    assert (fetched, "the result" in again) == (2, False)


def test_jobs_that_are_left_to_themselves_are_counted_as_queued(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(ScriptedJobs()) as server:
        assert run(server, "stylize", "photo.jpg", "other.jpg", "--style-image", "painting.jpg", "--detach") == 0

    assert capsys.readouterr().err == "impasto: 2 of 2 queued\n"


def test_fetching_writes_the_result(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    jobs = ScriptedJobs()

    with serving(jobs) as server:
        name = a_job(server)
        jobs.succeed(name, b"picture")
        assert run(server, "jobs", "fetch", name, "--out", "fetched.jpg") == 0

    assert capsys.readouterr().out == "fetched.jpg: 64x48 px, 7 bytes, painted in 3 s\n"
    assert (folder / "fetched.jpg").read_bytes() == b"picture"


@pytest.mark.parametrize(
    ("out", "complaint"),
    [
        ("fetched.png", "--out: fetched.png is named as a png, but the result is a jpeg"),
        ("missing/fetched.jpg", "--out: there is no folder missing"),
    ],
)
def test_a_wrong_place_for_a_result_is_refused(
    out: str, complaint: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs = ScriptedJobs()

    with serving(jobs) as server:
        name = a_job(server)
        jobs.succeed(name)
        assert run(server, "jobs", "fetch", name, "--out", out) == 2

    assert complaint in capsys.readouterr().err
    assert server.requests("ReadStylization") == []


def test_a_job_that_is_not_done_cannot_be_fetched(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(ScriptedJobs()) as server:
        name = a_job(server)
        assert run(server, "jobs", "fetch", name, "--out", "fetched.jpg") == 1

    assert capsys.readouterr().err == f"impasto: {name} is queued: it has no result\n"


def test_several_jobs_are_cancelled_and_deleted(capsys: pytest.CaptureFixture[str]) -> None:
    jobs = ScriptedJobs()

    with serving(jobs) as server:
        first, second, third = (a_job(server) for _ in range(3))
        assert run(server, "jobs", "cancel", first, second) == 0
        assert [jobs.state(name) for name in (first, second)] == [pb.Stylization.CANCELLED] * 2
        assert run(server, "jobs", "delete", first, third) == 0

    assert jobs.names == [second]


@pytest.mark.parametrize("command", ["show", "watch", "cancel", "delete"])
def test_an_unknown_job_ends_with_status_2(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(ScriptedJobs()) as server:
        assert run(server, "jobs", command, "5f0c") == 2

    assert capsys.readouterr().err == "impasto: no job operations/5f0c\n"


def test_a_server_without_jobs_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def without(call: Call) -> None:
        call.fail(StatusCode.UNIMPLEMENTED, "no jobs are served", error_info("NOT_SUPPORTED"))

    with serving(without) as server:
        assert run(server, "jobs") == 1
        assert run(server, "stylize", "photo.jpg", "--style-image", "painting.jpg", "--detach") == 1

    assert capsys.readouterr().err == f"impasto: {server.target} cannot do this: no jobs are served\n" * 2

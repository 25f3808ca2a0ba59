"""`impasto stylize --style-image`, as a process that is interrupted and whose server comes and goes."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from impasto.v1 import stylizer_pb2 as pb
from tests.client.job_servers import LONG, ScriptedJobs
from tests.client.programs import impasto
from tests.client.servers import Call, Server, serving


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    (tmp_path / "painting.jpg").write_bytes(b"painting")
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"photo")
    return path


def stylize(server: Server, photo: Path, *options: object) -> tuple[object, ...]:
    return (
        "stylize",
        photo,
        "--style-image",
        photo.with_name("painting.jpg"),
        "--out",
        photo.with_name("painted.jpg"),
        "--server",
        server.target,
        *options,
    )


def files(photo: Path) -> list[str]:
    return sorted(path.name for path in photo.parent.iterdir())


def test_it_tells_how_far_the_job_is_and_writes_what_it_makes(photo: Path) -> None:
    jobs = ScriptedJobs()

    with serving(jobs) as server, impasto(*stylize(server, photo)) as program:
        program.says("waiting for a worker")
        (name,) = jobs.names
        jobs.paint(name, 3)
        line = program.says("3/10")
        jobs.succeed(name, b"picture", "painted at 32 px: no more fitted into the memory")
        status, output = program.ends()

    assert (status, output) == (0, f"{photo.with_name('painted.jpg')}: 64x48 px, 7 bytes, painted in 3 s\n")
    assert line == "impasto: 3/10 30%  7 s left  64x48 px  content 0.25  style 0.125"
    assert program.lines[0] == f"impasto: {name}: Ctrl-C cancels it"
    assert program.lines[-1] == "impasto: note: painted at 32 px: no more fitted into the memory"
    assert photo.with_name("painted.jpg").read_bytes() == b"picture"
    assert files(photo) == ["painted.jpg", "painting.jpg", "photo.jpg"]


def test_on_a_terminal_a_bar_is_drawn_and_taken_away(photo: Path) -> None:
    jobs = ScriptedJobs()
    terminal, end = pty.openpty()
    drawn = b""

    with serving(jobs) as server, os.fdopen(end, "wb") as stderr:
        with impasto(*stylize(server, photo), stderr=stderr) as program:
            while b"waiting for a worker" not in drawn:
                drawn += os.read(terminal, 4096)
            jobs.paint(jobs.names[0], 5)
            while b"5/10" not in drawn:
                drawn += os.read(terminal, 4096)
            jobs.succeed(jobs.names[0])
            status, _ = program.ends()
        drawn += os.read(terminal, 4096)
    os.close(terminal)

    assert status == 0
    assert b"] 5/10 50%  5 s left  64x48 px  content 0.25" in drawn
    assert drawn.endswith(b"\r\x1b[K")


def test_it_outlives_a_server_that_is_started_again_in_the_middle(photo: Path) -> None:
    jobs = ScriptedJobs()

    with serving(jobs) as server, impasto(*stylize(server, photo)) as program:
        program.says("waiting for a worker")
        (name,) = jobs.names
        jobs.paint(name, 3)
        program.says("3/10")
        server.stop()
        line = program.says("trying again")
        with serving(jobs, server.port):
            jobs.paint(name, 6)
            program.says("6/10")
            jobs.succeed(name, b"picture")
            status, _ = program.ends()

    assert status == 0
    assert line.startswith(f"impasto: {server.target} is unavailable: ")
    assert photo.with_name("painted.jpg").read_bytes() == b"picture"
    assert jobs.names == [name]


def test_ctrl_c_cancels_the_job(photo: Path) -> None:
    jobs = ScriptedJobs()

    with serving(jobs) as server, impasto(*stylize(server, photo)) as program:
        program.says("waiting for a worker")
        (name,) = jobs.names
        jobs.paint(name, 3)
        program.says("3/10")
        program.interrupt()
        status, _ = program.ends()

    assert status == 130
    assert jobs.state(name) == pb.Stylization.CANCELLED
    assert program.lines[-3:] == [
        f"impasto: cancelling {name}; Ctrl-C again leaves at once",
        f"impasto: {name} is cancelled",
        "impasto: interrupted",
    ]
    assert files(photo) == ["painting.jpg", "photo.jpg"]


def test_a_second_ctrl_c_leaves_at_once_and_says_how_to_cancel(photo: Path) -> None:
    jobs = ScriptedJobs()

    def deaf_to_cancelling(call: Call) -> Any:
        if call.method == "CancelOperation":
            cancelling.set()
            call.released.wait(LONG)
        return jobs(call)

    cancelling = Event()
    with serving(deaf_to_cancelling) as server, impasto(*stylize(server, photo)) as program:
        program.says("waiting for a worker")
        program.interrupt()
        assert cancelling.wait(LONG)
        program.interrupt()
        status, _ = program.ends()

        (name,) = jobs.names
        assert jobs.state(name) == pb.Stylization.QUEUED
    assert status == 130
    assert program.lines[-2:] == [
        f"impasto: left; {name} may go on: impasto jobs cancel {name}",
        "impasto: interrupted",
    ]


def test_ctrl_c_while_the_server_is_away_cancels_when_it_is_back(photo: Path) -> None:
    jobs = ScriptedJobs()

    with serving(jobs) as server, impasto(*stylize(server, photo)) as program:
        program.says("waiting for a worker")
        (name,) = jobs.names
        server.stop()
        program.says("trying again")
        program.interrupt()
        program.says("cancelling")
        with serving(jobs, server.port):
            status, _ = program.ends()

    assert status == 130
    assert jobs.state(name) == pb.Stylization.CANCELLED


def test_ctrl_c_while_the_job_is_being_made_cancels_it_as_soon_as_its_name_is_known(photo: Path) -> None:
    jobs = ScriptedJobs()

    def slow_to_create(call: Call) -> Any:
        if call.method == "CreateStylization":
            creating.set()
            go_on.wait(LONG)
        return jobs(call)

    creating, go_on = Event(), Event()
    with serving(slow_to_create) as server, impasto(*stylize(server, photo)) as program:
        assert creating.wait(LONG)
        program.interrupt()
        program.says("the job will be cancelled; Ctrl-C again leaves at once")
        go_on.set()
        status, _ = program.ends()

    assert status == 130
    assert [jobs.state(name) for name in jobs.names] == [pb.Stylization.CANCELLED]


def test_a_result_that_was_done_before_ctrl_c_can_still_be_fetched(photo: Path) -> None:
    jobs = ScriptedJobs()

    def slow_to_send(call: Call) -> Any:
        if call.method == "ReadStylization":
            sending.set()
            call.released.wait(LONG)
        return jobs(call)

    sending = Event()
    with serving(slow_to_send) as server, impasto(*stylize(server, photo)) as program:
        program.says("waiting for a worker")
        (name,) = jobs.names
        jobs.succeed(name)
        assert sending.wait(LONG)
        program.interrupt()
        program.says("has ended")
        status, _ = program.ends()

    assert status == 130
    assert jobs.state(name) == pb.Stylization.SUCCEEDED
    assert files(photo) == ["painting.jpg", "photo.jpg"]


def test_a_ctrl_c_just_as_a_call_begins_ends_the_program(photo: Path) -> None:
    script = """
from grpc import _channel
from impasto_client.cli import program

def interrupted(state):  # gRPC has noted the call by then
    _channel._run_channel_spin_thread = start
    raise KeyboardInterrupt

start, _channel._run_channel_spin_thread = _channel._run_channel_spin_thread, interrupted
program()
"""
    jobs = ScriptedJobs()
    with serving(jobs) as server:
        command = [sys.executable, "-c", script, *map(str, stylize(server, photo))]
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONG, check=False)

    assert done.returncode == 130
    assert [jobs.state(name) for name in jobs.names] == [pb.Stylization.CANCELLED]


def test_where_nobody_reads_the_names_no_more_jobs_are_made(photo: Path) -> None:
    jobs = ScriptedJobs()
    others = [photo.with_name(f"{number}.jpg") for number in range(2)]
    for other in others:
        other.write_bytes(b"photo")
    reading, writing = os.pipe()
    os.close(reading)

    with serving(jobs) as server:
        words = ["stylize", photo, *others, "--style-image", photo.with_name("painting.jpg"), "--detach"]
        command = [sys.executable, "-m", "impasto_client.cli", *map(str, words), "--server", server.target]
        done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, timeout=LONG, check=False)
    os.close(writing)

    assert done.returncode == 141
    assert len(jobs.names) == 1


def test_watching_a_job_and_leaving_it_does_not_cancel_it(photo: Path) -> None:
    jobs = ScriptedJobs()

    with serving(jobs) as server:
        words = ("stylize", photo, "--style-image", photo.with_name("painting.jpg"), "--server", server.target)
        with impasto(*words, "--detach") as program:
            status, output = program.ends()
        (name,) = jobs.names
        with impasto("jobs", "watch", name, "--server", server.target) as program:
            program.says("waiting for a worker")
            program.interrupt()
            watched, _ = program.ends()

    assert (status, output) == (0, f"{name}\n")
    assert watched == 130
    assert jobs.state(name) == pb.Stylization.QUEUED

"""`impasto stylize` on several photos, as a process on a terminal that is interrupted, and whose disk is full."""

from __future__ import annotations

import errno
import json
import os
import pty
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest
from google.rpc.status_pb2 import Status
from grpc import StatusCode

from impasto.v1 import stylizer_pb2 as pb
from impasto_client.cli import main
from tests.client.programs import impasto
from tests.client.servers import Call, echo, error_info, serving
from tests.client.stream_servers import echo_stream, echoed

PHOTOS = 5
LONG = 60.0  # s; no test should take so long


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(PHOTOS):
        (folder / f"{number}.jpg").write_bytes(b"photo %d" % number)
    return folder


class HeldAfter:
    """Paints so many photos of a stream, and the others once it is let go on."""

    def __init__(self, count: int) -> None:
        self._count = count
        self.go_on = Event()

    def __call__(self, call: Call) -> Iterator[pb.StylizeStreamResponse]:
        items = (request for request in call.request if request.HasField("item"))
        for number, request in enumerate(items):
            while number >= self._count and not (self.go_on.wait(0.02) or call.released.is_set()):
                if not call.context.is_active():
                    return
            yield echoed(request)


def painted(photos: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (photos.parent / "painted").iterdir()}


def arguments(photos: Path, target: str, *others: str) -> tuple[str, ...]:
    out = str(photos.parent / "painted")
    return ("stylize", str(photos), "--style", "ink", "--out", out, "--server", target, *others)


def test_pictures_are_written_as_they_come_and_ctrl_c_leaves_them(photos: Path) -> None:
    answer = HeldAfter(2)
    with serving(answer) as server, impasto(*arguments(photos, server.target)) as program:
        lines = [program.prints(), program.prints()]
        program.interrupt()
        status, output = program.ends()

    assert status == 130
    assert [line.split(":")[0] for line in lines] == [str(photos.parent / "painted" / f"{k}.jpg") for k in range(2)]
    assert output == ""
    assert painted(photos) == {"0.jpg": b"photo 0", "1.jpg": b"photo 1"}
    assert program.lines[0].startswith("impasto: 2 of 5 painted in ")
    assert program.lines[0].endswith(", 3 not begun or not finished")
    assert program.lines[1] == "impasto: interrupted"


def test_after_an_interruption_the_same_command_paints_the_rest(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos.parent / "painted").mkdir()
    (photos.parent / "painted" / "0.jpg").write_bytes(b"photo 0")

    with serving(echo_stream) as server:
        assert main([*arguments(photos, server.target)]) == 0

    assert painted(photos) == {f"{number}.jpg": b"photo %d" % number for number in range(PHOTOS)}
    assert "4 of 4 painted" in capsys.readouterr().err


def test_on_a_terminal_a_bar_is_drawn_below_the_lines_and_taken_away(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    answer = HeldAfter(2)
    terminal, end = pty.openpty()
    drawn = b""

    with serving(answer) as server, os.fdopen(end, "wb") as stderr:
        with impasto(*arguments(photos, server.target), stderr=stderr) as program:
            while b"2/5" not in drawn:
                drawn += os.read(terminal, 4096)
            answer.go_on.set()
            status, output = program.ends()
        while b"5 of 5 painted" not in drawn:
            drawn += os.read(terminal, 4096)
    os.close(terminal)

    assert status == 0
    assert len(output.splitlines()) == PHOTOS
    assert b"40%|" in drawn
    assert b"\x1b[3" not in drawn  # no colours
    assert b"|" not in drawn.rpartition(b"\r")[2]


@pytest.mark.parametrize("quieted", [["--quiet"], []], ids=["quiet", "no terminal"])
def test_where_there_is_no_terminal_or_it_is_to_be_quiet_there_is_no_bar(quieted: list[str], photos: Path) -> None:
    terminal, end = pty.openpty()

    with serving(echo_stream) as server, os.fdopen(end, "wb") as stderr:
        if quieted:
            with impasto(*arguments(photos, server.target, *quieted), stderr=stderr) as program:
                assert program.ends() == (0, "")
            os.set_blocking(terminal, False)
            with pytest.raises(BlockingIOError):
                os.read(terminal, 4096)
        else:
            with impasto(*arguments(photos, server.target)) as program:
                program.ends()
            (line,) = program.lines
            assert line.startswith("impasto: 5 of 5 painted in ")
    os.close(terminal)


def test_no_more_photos_are_read_than_are_under_way(photos: Path) -> None:
    """The third is a pipe that nobody writes to: whoever reads it waits for ever, and can be found by opening it."""
    (photos / "2.jpg").unlink()
    os.mkfifo(photos / "2.jpg")
    two_there, go_on = Event(), Event()

    def held_at_two(call: Call) -> Iterator[pb.StylizeStreamResponse]:
        items = (request for request in call.request if request.HasField("item"))
        first = [next(items), next(items)]
        two_there.set()
        assert go_on.wait(LONG)
        yield from map(echoed, first)
        yield from map(echoed, items)

    with serving(held_at_two) as server, impasto(*arguments(photos, server.target, "--window", "2")) as program:
        assert two_there.wait(LONG)
        with pytest.raises(OSError, match="No such device or address") as nobody_reads:
            os.open(photos / "2.jpg", os.O_WRONLY | os.O_NONBLOCK)
        go_on.set()
        lines = {program.prints().split(":")[0], program.prints().split(":")[0]}
        program.interrupt()
        status, _ = program.ends()

    assert nobody_reads.value.errno == errno.ENXIO
    assert lines == {str(photos.parent / "painted" / f"{k}.jpg") for k in range(2)}
    assert status == 130


def test_a_full_disk_stops_at_once(
    photos: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(path: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with serving(echo_stream) as server:
        monkeypatch.setattr(Path, "write_bytes", full)
        status = main([*arguments(photos, server.target)])

    assert status == 1
    told = capsys.readouterr().err.splitlines()
    assert told[0].startswith("impasto: 0 of 5 painted in ")
    assert told[1].endswith(".jpg: No space left on device")
    assert painted(photos) == {}


def test_programs_are_told_one_error_where_some_photos_fail_before_all_is_stopped(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def one_refused_then_no_such_style(call: Call) -> Iterator[pb.StylizeStreamResponse]:
        items = (request.item for request in call.request if request.HasField("item"))
        damaged = Status(code=StatusCode.INVALID_ARGUMENT.value[0], message="image: is a damaged picture")
        yield pb.StylizeStreamResponse(id=next(items).id, error=damaged)
        call.fail(StatusCode.NOT_FOUND, "no style 'ink'", error_info("STYLE_NOT_FOUND", available="gold"))

    with serving(one_refused_then_no_such_style) as server:
        assert main([*arguments(photos, server.target, "--json")]) == 2

    printed = capsys.readouterr()
    assert [json.loads(line)["state"] for line in printed.out.splitlines()] == ["failed"]
    (line,) = printed.err.splitlines()
    assert json.loads(line)["error"]["kind"] == "StyleUnknown"


def test_what_has_come_to_be_there_meanwhile_is_not_replaced(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = photos.parent / "painted.jpg"

    def another_writes_it(call: Call) -> pb.StylizeResponse:
        out.write_bytes(b"mine")
        return echo(call)

    with serving(another_writes_it) as server:
        words = ["stylize", str(photos / "0.jpg"), "--style", "ink", "--out", str(out), "--server", server.target]
        assert main(words) == 2

    assert out.read_bytes() == b"mine"
    assert "painted.jpg is there already" in capsys.readouterr().err


def test_a_name_that_is_no_text_is_told_to_people_and_to_programs(photos: Path) -> None:
    Path(os.fsdecode(bytes(photos) + b"/caf\xe9.jpg")).write_bytes(b"photo")

    with serving(echo_stream) as server:
        with impasto(*arguments(photos, server.target)) as program:
            people = program.ends()
        with impasto(*arguments(photos, server.target, "--overwrite", "--json")) as program:
            programs = program.ends()

    assert people[0] == programs[0] == 0
    assert "caf\\udce9.jpg: " in people[1]
    assert str(photos / "caf\udce9.jpg") in {json.loads(line)["photo"] for line in programs[1].splitlines()}


@pytest.mark.parametrize(("closed", "status"), [(0, 2), (1, 0), (2, 0)])
def test_a_standard_stream_may_be_closed(closed: int, status: int, photos: Path) -> None:
    out = photos.parent / "painted"
    photo = "-" if closed == 0 else str(photos)

    with serving(echo_stream) as server:
        words = ["stylize", photo, "--style", "ink", "--out", f"{out}/", "--server", server.target]
        script = f"import os, sys; os.close({closed}); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
        command = [sys.executable, "-c", script, "-m", "impasto_client.cli", *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONG, check=False)

    assert done.returncode == status
    assert "Traceback" not in done.stderr
    assert out.is_dir() == (status == 0)


def test_a_server_that_is_away_ends_it_with_what_to_do(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as reserved:  # bound, so that nobody else takes the port, but not listening
        reserved.bind(("127.0.0.1", 0))
        target = f"127.0.0.1:{reserved.getsockname()[1]}"
        status = main([*arguments(photos, target, "--timeout", "1", "--json")])

    assert status == 1
    error = capsys.readouterr().err
    assert '"kind": "ServerUnavailable"' in error
    assert "`impasto doctor` finds out why" in error

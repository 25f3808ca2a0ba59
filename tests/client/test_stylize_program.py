"""`impasto stylize` on several photos, as a process on a terminal that is interrupted, and whose disk is full."""

from __future__ import annotations

import os
import pty
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from impasto.v1 import stylizer_pb2 as pb
from impasto_client.cli import main
from tests.client.programs import impasto
from tests.client.servers import Call, serving
from tests.client.stream_servers import echo_stream, echoed

PHOTOS = 5


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
    """The third is a pipe that nobody writes to: whoever reads it waits for ever."""
    (photos / "2.jpg").unlink()
    os.mkfifo(photos / "2.jpg")
    answer = HeldAfter(0)

    with serving(answer) as server, impasto(*arguments(photos, server.target, "--window", "2")) as program:
        answer.go_on.set()
        lines = {program.prints().split(":")[0], program.prints().split(":")[0]}
        program.interrupt()
        status, _ = program.ends()

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


def test_a_server_that_is_away_ends_it_with_what_to_do(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(echo_stream) as server:
        target = server.target
    status = main([*arguments(photos, target, "--timeout", "1", "--json")])

    assert status == 1
    error = capsys.readouterr().err
    assert '"kind": "ServerUnavailable"' in error
    assert "`impasto doctor` finds out why" in error

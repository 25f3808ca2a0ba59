"""What is shown of a job's progress."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import termios
from collections.abc import Callable
from io import StringIO

import pytest

from impasto_client import Job, JobProgress, JobState
from impasto_client.commands.progress import Display, duration


def painting(step: int, seconds_left: float | None = None) -> Job:
    progress = JobProgress(step, 100, (640, 480), 0.25, 0.125, 1.0, seconds_left)
    return Job("operations/5f0c", JobState.RUNNING, progress=progress)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (34.4, "34 s"),
        (59.6, "1 min 0 s"),
        (125, "2 min 5 s"),
        (3 * 3600 + 61, "3 h 1 min"),
        (49 * 3600, "2 d"),
    ],
)
def test_durations_are_told_as_people_tell_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_without_a_terminal_there_is_a_line_for_each_state_and_each_tenth_of_the_way() -> None:
    stream = StringIO()

    with Display(stream) as display:
        display.show(Job("operations/5f0c", JobState.QUEUED))
        display.show(Job("operations/5f0c", JobState.QUEUED))
        display.show(Job("operations/5f0c", JobState.RUNNING))
        for step in range(1, 101):
            display.show(painting(step))
        display.show(Job("operations/5f0c", JobState.SUCCEEDED))

    lines = stream.getvalue().splitlines()
    assert lines[:2] == ["impasto: waiting for a worker", "impasto: a worker begins"]
    assert [line.split()[2] for line in lines[2:-1]] == [f"{percent}%" for percent in range(10, 101, 10)]
    assert lines[-1] == "impasto: succeeded"


def test_the_time_left_is_told_when_it_is_known() -> None:
    stream = StringIO()

    Display(stream).show(painting(50, seconds_left=95))

    assert stream.getvalue() == "impasto: 50/100 50%  1 min 35 s left  640x480 px  content 0.25  style 0.125\n"


@pytest.mark.parametrize(
    ("columns", "bar"),
    [
        (120, "[###############...............] "),
        (80, "[#############..............] "),
        (65, "[######......] "),
        (50, ""),
    ],
)
def test_a_bar_takes_the_room_that_the_terminal_has(columns: int, bar: str) -> None:
    """The losses are the first to go where there is none."""
    words = "50/100 50%  640x480 px  content 0.25  style 0.125"

    drawn = drawn_on(columns, lambda display: display.show(painting(50)))

    assert drawn == f"\r{bar}{words}\x1b[K\r\x1b[K"


def test_words_go_above_the_bar() -> None:
    def draw(display: Display) -> None:
        display.show(Job("operations/5f0c", JobState.QUEUED))
        display.say("a word")
        display.show(Job("operations/5f0c", JobState.QUEUED))

    waiting = "\rwaiting for a worker\x1b[K"

    assert drawn_on(80, draw) == f"{waiting}\r\x1b[Kimpasto: a word\r\n{waiting}\r\x1b[K"


def drawn_on(columns: int, draw: Callable[[Display], None]) -> str:
    """Return what reaches a terminal of this width, up to the display's end."""
    terminal, end = pty.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with os.fdopen(terminal, "rb", buffering=0) as screen, os.fdopen(end, "w") as stream:
        with Display(stream) as display:
            draw(display)
        stream.write("END")
        stream.flush()
        drawn = b""
        while not drawn.endswith(b"END"):
            drawn += screen.read(4096)
    return drawn.decode().removesuffix("END")

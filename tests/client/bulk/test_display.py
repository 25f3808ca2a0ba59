"""What is shown of a run's progress."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import termios
from io import StringIO

from impasto_client.bulk import Progress
from impasto_client.commands.bulk_display import LINE_SECONDS, Lines, display, words

COUNTING = Progress(photos=12_345, counted=False, left=2_000, painted=10, failed=0, seconds=2.0)
COUNTED = Progress(photos=12_345, counted=True, left=2_000, painted=490, failed=10, seconds=50.0)


def test_words_tell_what_is_known() -> None:
    assert words(COUNTING) == "10 painted, 5.0 photos/s, 2,000 to paint counted so far"
    assert words(COUNTED) == "490 of 2,000 painted, 10 failed, 10.0 photos/s, 2 min 30 s left"


def test_without_a_terminal_there_is_a_line_every_few_seconds() -> None:
    stream, time = StringIO(), [100.0]
    lines = Lines(stream, now=lambda: time[0])

    for _ in range(100):
        time[0] += LINE_SECONDS / 40
        lines.show(COUNTED)
    lines.say("a word")

    assert stream.getvalue().splitlines() == [f"impasto: {words(COUNTED)}"] * 2 + ["impasto: a word"]


def test_on_a_terminal_there_is_a_bar_that_counts_as_the_listing_goes_on() -> None:
    terminal, end = pty.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    with os.fdopen(terminal, "rb", buffering=0) as screen, os.fdopen(end, "w") as stream:
        bar = display(stream)
        bar.show(COUNTING)
        bar.show(COUNTED)
        bar.say("a word")
        bar.close()
        stream.write("END")
        stream.flush()
        drawn = b""
        while not drawn.endswith(b"END"):
            drawn += screen.read(4096)

    lines = drawn.decode().replace("\n", "\r").split("\r")
    assert any(line.startswith("counting 2,000: 10 photos [") for line in lines)
    assert any(line.startswith(" 25%|") and "| 500/2000 [" in line and "10 failed]" in line for line in lines)
    assert "impasto: a word" in lines

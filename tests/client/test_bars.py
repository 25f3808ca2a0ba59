"""How far several photos are, where no bar can be drawn."""

from __future__ import annotations

import io
import sys

import pytest

from impasto_client.commands.photos.bars import Drawn, Lines, NoBar, bar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_without_tqdm_there_is_a_line_every_few_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setenv("TERM", "xterm")

    assert isinstance(bar(10, stream=Terminal()), Lines)


def test_a_line_tells_how_long_the_rest_will_take() -> None:
    stream, seconds = io.StringIO(), iter([0.0, 2.0, 6.0, 8.0, 12.0])
    lines = Lines(10, stream, now=lambda: next(seconds))

    for failed in (0, 0, 1, 1):
        lines.advance(failed)

    assert stream.getvalue() == ("impasto: 2 of 10 photos, 24 s left\nimpasto: 4 of 10 photos, 1 failed, 18 s left\n")


@pytest.mark.parametrize(
    ("term", "total", "quiet", "kind"),
    [("xterm", 2, False, Drawn), ("xterm", 1, False, NoBar), ("xterm", 2, True, NoBar), ("dumb", 2, False, Lines)],
)
def test_a_bar_is_for_several_photos_on_a_terminal_that_can_draw_it(
    term: str, total: int, quiet: bool, kind: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", term)

    shown = bar(total, quiet=quiet, stream=Terminal())

    shown.close()
    assert type(shown) is kind

"""What an examination finds, in lines and as JSON."""

from __future__ import annotations

import json

import pytest

from impasto.findings import Finding, State, has_problem, lines, ok, problem, summary, takes_colours, warning

FINDINGS = [ok("python", "Python is there"), warning("disk", "it is nearly full", "df -h"), problem("port", "taken")]


def test_each_finding_is_a_line_and_its_remedy_another() -> None:
    assert list(lines(FINDINGS, colours=False)) == [
        "  ok       python  Python is there",
        "  warning  disk    it is nearly full",
        "                   -> df -h",
        "  problem  port    taken",
    ]


def test_in_colours_the_words_stay() -> None:
    first, *_ = lines(FINDINGS, colours=True)

    assert first == "  \x1b[32mok     \x1b[0m  python  Python is there"


def test_the_sum_counts_each_state() -> None:
    assert summary(FINDINGS) == "1 ok, 1 warning, 1 problem"
    assert summary(FINDINGS * 2) == "2 ok, 2 warnings, 2 problems"
    assert has_problem(FINDINGS)
    assert not has_problem(FINDINGS[:2])


def test_a_finding_survives_json() -> None:
    again = [Finding.from_plain(json.loads(json.dumps(finding.plain()))) for finding in FINDINGS]

    assert again == FINDINGS
    assert again[0].state is State.OK


class Terminal:
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("variables", "taken"),
    [({"TERM": "xterm"}, True), ({"TERM": "xterm", "NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)],
)
def test_colours_are_for_terminals_whose_users_want_them(
    variables: dict[str, str], taken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert takes_colours(Terminal()) is taken  # type: ignore[arg-type]

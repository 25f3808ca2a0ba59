"""docs/shell.md says what the program does: its examples are command lines, its tables those of the code."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from impasto_client.cli import parser
from impasto_client.commands.complaints import EXIT_STATUSES, facts_of
from impasto_client.errors import InvalidRequest

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "shell.md").read_text()
BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
EXAMPLES = [line[line.index("impasto ") :] for block in BLOCKS for line in block.splitlines() if "impasto " in line]


@pytest.mark.parametrize("example", EXAMPLES)
def test_each_example_is_a_command_line(example: str) -> None:
    words = shlex.split(example.partition(" > ")[0], comments=True)

    assert words[0] == "impasto"
    assert parser().parse_args(words[1:]).run


@pytest.mark.parametrize("page", ["shell.md", "jobs.md"])
def test_no_example_needs_a_file_that_one_above_it_has_made(page: str) -> None:
    for block in re.findall(r"```sh\n(.*?)```", (DOCS / page).read_text(), re.DOTALL):
        made = [out for out in re.findall(r"--out (\S+)", block) if not out.endswith("/")]

        assert len(set(made)) == len(made), f"a second --out of the same name is refused: {made}"


def test_the_exit_statuses_are_those_of_the_help() -> None:
    told = re.findall(r"^  (\d+) +(.*)$", EXIT_STATUSES, re.MULTILINE)

    assert re.findall(r"^\| (\d+) \| (.*) \|$", PAGE, re.MULTILINE) == told
    assert EXIT_STATUSES in parser().format_help()


def test_the_keys_of_an_error_are_those_that_are_printed() -> None:
    table = PAGE.partition("| `kind` |")
    documented = re.findall(r"^\| `(\w+)` \|", "".join(table[1:]).partition("\n\n")[0], re.MULTILINE)

    assert documented == list(facts_of(InvalidRequest("photo", "is empty")))

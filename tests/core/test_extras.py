"""Which extras are installed, and what installs one."""

from __future__ import annotations

import shlex
import sys

from impasto import extras


def test_an_extra_brings_what_the_distribution_says() -> None:
    assert extras.needs("shell") == ["shtab", "tqdm"]
    assert extras.missing("shell") == []
    assert extras.needs("no-such-extra") == []


def test_the_command_is_for_this_python_and_takes_out_what_is_in_the_way() -> None:
    words = shlex.split(extras.install("cuda", instead_of="tqdm not-installed"))

    assert words[:6] == [sys.executable, "-m", "pip", "uninstall", "-y", "tqdm"]
    assert words[6] == "&&"
    assert words[-1].endswith("[cuda]")

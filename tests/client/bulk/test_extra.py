"""Bulk work is an extra: nothing of it is loaded, or missed, where it is not asked for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from impasto_client import calling
from impasto_client.bulk import DEFAULT_TIMEOUT, DEFAULT_WINDOW
from impasto_client.cli import main


def run(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_the_client_and_its_program_do_not_load_it() -> None:
    done = run("import sys, impasto_client.cli; print({'fsspec', 'tqdm', 'impasto_client.bulk'} & {*sys.modules})")
    assert (done.stdout, done.stderr) == ("set()\n", "")


@pytest.mark.parametrize("command", ["bulk", "bulk-status"])
def test_without_it_the_program_names_it(command: str, tmp_path: Path) -> None:
    script = "import sys; sys.modules['fsspec'] = None; from impasto_client.cli import main; sys.exit(main())"
    others = [tmp_path / "out", "--style", "ink"] if command == "bulk" else []

    done = run(script, command, tmp_path, *others)

    assert (done.returncode, done.stderr) == (1, "impasto: fsspec is not installed; run: pip install 'impasto[bulk]'\n")


def test_the_help_tells_the_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    """They are said twice, since what knows them may not be installed."""
    with pytest.raises(SystemExit):
        main(["bulk", "--help"])

    told = " ".join(capsys.readouterr().out.split())
    assert f"photos under way on a stream [{DEFAULT_WINDOW}]" in told
    assert DEFAULT_TIMEOUT > calling.DEFAULT_TIMEOUT

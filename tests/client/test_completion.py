"""`impasto completion`, in the shells themselves."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from impasto.v1 import stylizer_pb2 as pb
from impasto_client.cli import main
from tests.client.servers import Call, serving

LONG = 60.0  # s; no test should take so long

_BASH = """
source "$1"
shift
COMP_WORDS=("$@") COMP_CWORD=$(( $# - 1 ))
_shtab_impasto
printf '%s\\n' "${COMPREPLY[@]}"
"""
_FISH = """
source $argv[1]
complete --do-complete "$argv[2]"
"""


def styles(call: Call) -> pb.ListStylesResponse:
    return pb.ListStylesResponse(styles=[pb.Style(style_id=f"test/{style}") for style in ("ink", "iron", "gold")])


@pytest.fixture(scope="module")
def target() -> Iterator[str]:
    with serving(styles) as server:
        yield server.target


@pytest.fixture
def environment(tmp_path: Path, target: str) -> dict[str, str]:
    """Return that of a shell which finds this `impasto`, the server, and in its folder a photo."""
    program = tmp_path / "bin" / "impasto"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m impasto_client.cli "$@"\n')
    program.chmod(0o755)
    (tmp_path / "photo.jpg").touch()
    return os.environ | {"PATH": f"{program.parent}:{os.environ['PATH']}", "IMPASTO_SERVER": target}


def script(shell: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """Write what the command prints to a file."""
    assert main(["completion", shell]) == 0
    path = folder / f"completion.{shell}"
    path.write_text(capsys.readouterr().out)
    return path


def run(command: list[str], folder: Path, environment: dict[str, str]) -> set[str]:
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=LONG, check=True
    )
    assert done.stderr == ""
    return set(done.stdout.splitlines())


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("impasto sty", {"stylize", "styles"}),
        ("impasto stylize --wor", {"--working-size"}),
        ("impasto stylize pho", {"photo.jpg"}),
        ("impasto stylize photo.jpg --metadata n", {"none"}),
        ("impasto stylize photo.jpg --style i", {"ink", "iron"}),
        ("impasto stylize photo.jpg --style test/g", {"test/gold"}),
        ("impasto jobs ca", {"cancel"}),
    ],
)
def test_bash_completes(
    words: str, completed: set[str], tmp_path: Path, environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["bash", "-c", _BASH, "bash", str(script("bash", tmp_path, capsys)), *words.split()]

    assert run(command, tmp_path, environment) == completed


def test_where_there_is_no_server_no_style_is_completed_and_nothing_said(
    tmp_path: Path, environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = script("bash", tmp_path, capsys)
    words = ["impasto", "stylize", "photo.jpg", "--style", "i"]

    with socket.socket() as reserved:  # bound, so that nobody else takes the port, but not listening
        reserved.bind(("127.0.0.1", 0))
        gone = environment | {"IMPASTO_SERVER": f"127.0.0.1:{reserved.getsockname()[1]}"}
        assert run(["bash", "-c", _BASH, "bash", str(path), *words], tmp_path, gone) == {""}


@pytest.mark.parametrize("typed", ["", "evil/"])
@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_what_a_server_sends_is_never_run(
    shell: str, typed: str, tmp_path: Path, environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    path = str(script(shell, tmp_path, capsys))
    ids = ["evil/$(touch pwned)", "evil/`touch pwned`", "$(touch pwned)", "evil/(touch pwned)", "-rf", "evil/ink"]

    with serving(lambda call: pb.ListStylesResponse(styles=[pb.Style(style_id=style) for style in ids])) as server:
        environment |= {"IMPASTO_SERVER": server.target}
        words = ["impasto", "stylize", "--style", typed]
        bash = ["bash", "-c", _BASH, "bash", path, *words]
        fish = ["fish", "--no-config", "-c", _FISH, path, " ".join(words)]
        found = run(bash if shell == "bash" else fish, tmp_path, environment)

    assert {line.split("\t")[0] for line in found} in ({"ink"}, {"evil/ink"}, {""}, set())
    assert not (tmp_path / "pwned").exists()


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_fish_completes(tmp_path: Path, environment: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    path = str(script("fish", tmp_path, capsys))

    found = run(["fish", "--no-config", "-c", _FISH, path, "impasto stylize --style i"], tmp_path, environment)

    assert {line.split("\t")[0] for line in found} == {"ink", "iron"}


@pytest.mark.parametrize("shell", ["zsh", "tcsh"])
def test_other_shells_can_read_what_is_theirs(
    shell: str, tmp_path: Path, environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(script(shell, tmp_path, capsys))
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")

    run([shell, "-n", path] if shell == "zsh" else [shell, "-f", path], tmp_path, environment)


def test_without_shtab_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)

    assert main(["completion", "bash"]) == 1

    assert "pip install 'impasto[shell]'" in capsys.readouterr().err

"""`impasto-server doctor`: whether a server with these options would do well here."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from impasto.findings import Finding, State
from impasto_server.commands.doctor.computing import computing
from impasto_server.commands.doctor.ports import ports
from impasto_server.commands.doctor.room import room
from impasto_server.commands.doctor.torch import torch
from impasto_server.config import Config
from impasto_server.main import main


def by_check(findings: Iterator[Finding]) -> dict[str, Finding]:
    return {finding.check: finding for finding in findings}


def test_a_wrong_option_is_all_that_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--provider", "abacus", "--json"]) == 1

    (finding,) = json.loads(capsys.readouterr().out)["findings"]
    assert (finding["check"], finding["state"]) == ("configuration", "problem")
    assert "provider: 'abacus' is not allowed" in finding["says"]


def test_people_are_told_in_lines_and_a_sum(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    free = ["--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--studio-listen", "127.0.0.1:0"]

    status = main(["doctor", "--provider", "cpu", "--state-dir", str(tmp_path), "--jobs", "off", *free])

    *findings, total = capsys.readouterr().out.splitlines()
    assert (status, total.split(", ")[2]) == (0, "0 problems")
    assert any(line.split()[:2] == ["ok", "painting"] for line in findings)


def test_a_port_that_another_program_has_is_told_with_the_program() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        found = by_check(ports(Config(listen=f"127.0.0.1:{port}", http="127.0.0.1:0", studio_listen="127.0.0.1:0")))

    assert found[f"port {port}"].state is State.PROBLEM
    assert f"; process {os.getpid()} (" in found[f"port {port}"].says
    assert found[f"port {port}"].fix == "impasto-server --listen 127.0.0.1:0"


def test_the_studios_port_is_only_a_warning_while_the_studio_is_off() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        config = Config(listen="127.0.0.1:0", http="127.0.0.1:0", studio_listen=address)
        states = [finding.state for finding in ports(config) if str(taken.getsockname()[1]) in finding.check]

    assert states == [State.WARNING]


def test_a_folder_for_state_that_cannot_be_made_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    found = by_check(room(Config(state_dir=tmp_path / "file" / "state")))

    assert found["state"].state is State.PROBLEM
    assert found["state"].fix == "impasto-server --state-dir FOLDER"


def test_more_threads_than_cores_are_a_warning(tmp_path: Path) -> None:
    found = by_check(room(Config(state_dir=tmp_path, engine_threads=1000)))

    assert found["processors"].state is State.WARNING


@pytest.mark.skipif(Path("/dev/nvidiactl").exists(), reason="there is a GPU")
def test_a_provider_that_is_not_there_is_a_problem() -> None:
    found = by_check(computing(Config(provider="cuda")))

    assert found["provider"].state is State.PROBLEM
    assert found["provider"].fix == "impasto-server --provider auto"
    assert found["painting"].state is State.PROBLEM


def test_jobs_without_torch_are_a_problem_where_workers_are_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)

    assert torch(Config(jobs="on", workers=1)).state is State.PROBLEM
    assert torch(Config(jobs="off")).state is State.OK

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from impasto.nn.checkpoint import CHECKPOINT_FILE, Checkpoint
from impasto_trainer.main import main
from tests.trainer.fitting import QUIET, SMALL, process, read_until
from tests.trainer.fitting import arguments as small_arguments

STEPS = 120


def arguments(data: Path, out: Path, *more: str) -> list[str]:
    """Return what a small training on real photos needs."""
    places = ["--photos", f"{data}/photos_open", "--painting", f"{data}/paintings/great_wave.jpg", "--out", str(out)]
    often = ["--steps", str(STEPS), "--save-every", "40", "--sheet-every", "1000"]
    eager = ["--warmup", "10", "--learning-rate", "0.005", "--style-weight", "8", "--flat-share", "0"]
    return ["fit", *places, "--perception", "compact", *SMALL, "--batch", "1", *QUIET, *often, *eager, *more]


def curve(out: Path) -> list[dict[str, Any]]:
    """Return the lines of the losses, without what depends on the clock."""
    lines = [json.loads(line) for line in (out / "losses.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "waited"} for line in lines]


@pytest.mark.data
def test_a_training_killed_in_the_middle_goes_on_to_the_very_same_losses_and_weights(
    tmp_path: Path, data: Path
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    with process(arguments(data, killed)) as training:
        read_until(rb" (10[2-9]|11\d)/120 ", training)  # a line stands for step 100, a checkpoint for step 80
        os.killpg(training.pid, signal.SIGKILL)
    assert Checkpoint.load(killed / CHECKPOINT_FILE).training["step"] == 80
    assert [line["step"] for line in curve(killed)] == [50, 100]
    (killed / f"{CHECKPOINT_FILE}.123.tmp").write_bytes(b"what a kill in the middle of writing leaves")
    with (killed / "losses.jsonl").open("a") as losses:
        losses.write('{"step": 1')

    with process(arguments(data, killed, "--resume")) as training:
        _, errors = training.communicate()
    with process(arguments(data, whole)) as training:
        training.communicate()

    assert training.returncode == 0, errors.decode()
    assert curve(killed) == curve(whole)
    assert curve(whole)[1]["total"] < 0.9 * curve(whole)[0]["total"]
    first, second = (Checkpoint.load(out / CHECKPOINT_FILE) for out in (killed, whole))
    assert torch.equal(first.codes, second.codes)
    assert all(torch.equal(first.weights[name], second.weights[name]) for name in second.weights)
    assert all(torch.equal(first.optimizer[name], second.optimizer[name]) for name in second.optimizer)
    assert list(killed.glob("*.tmp")) == []


def test_a_new_training_in_an_old_ones_folder_begins_its_losses_anew(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "losses.jsonl").write_text('{"step": 50}\n')
    assert main(small_arguments(tmp_path, "--steps", "2")) == 0
    assert (tmp_path / "out" / "losses.jsonl").read_text() == ""


def test_a_checkpoint_without_the_optimisers_state_is_no_place_to_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(small_arguments(tmp_path, "--steps", "2")) == 0
    path = tmp_path / "out" / CHECKPOINT_FILE
    checkpoint = Checkpoint.load(path)
    checkpoint.optimizer = {}
    checkpoint.save(path)
    assert main(small_arguments(tmp_path, "--steps", "3", "--resume")) == 1
    assert "lacks the optimiser's state; give it to --from" in capsys.readouterr().err

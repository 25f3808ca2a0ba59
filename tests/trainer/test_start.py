from __future__ import annotations

from pathlib import Path

import pytest
import torch

from impasto.nn.checkpoint import CHECKPOINT_FILE, Checkpoint
from impasto_trainer.main import main
from impasto_trainer.paintings import Painting
from impasto_trainer.start import codes_to_start_from, read_start, style_weights_to_start_from
from tests.trainer.fitting import SMALL, arguments
from tests.trainer.pictures import painting


def test_a_training_begins_with_what_another_learnt(tmp_path: Path) -> None:
    assert main(arguments(tmp_path, "--steps", "2", "--warmup", "0")) == 0
    first = tmp_path / "out" / CHECKPOINT_FILE
    second = arguments(tmp_path, "--out", f"{tmp_path}/second", "--from", str(first))
    # At so small a rate nothing moves, and what it began with is left.
    assert main([*second, "--steps", "1", "--learning-rate", "1e-8"]) == 0
    learnt, begun = Checkpoint.load(first), Checkpoint.load(tmp_path / "second" / CHECKPOINT_FILE)
    assert torch.allclose(begun.codes, learnt.codes, atol=1e-6)
    assert all(torch.allclose(begun.weights[name], value, atol=1e-6) for name, value in learnt.weights.items())
    assert begun.training["style_weights"] == pytest.approx(learnt.training["style_weights"], rel=0.05)
    assert begun.training["step"] == begun.optimizer["0.step"].item() == 1
    assert begun.training["from"]["file"] == CHECKPOINT_FILE
    assert begun.training["from"]["training"]["step"] == 2


def test_a_trainings_folder_does_as_well_as_its_checkpoint(tmp_path: Path) -> None:
    assert main(arguments(tmp_path, "--steps", "1")) == 0
    start = read_start(tmp_path / "out")
    assert torch.equal(start.codes, Checkpoint.load(tmp_path / "out" / CHECKPOINT_FILE).codes)


def test_a_painting_that_is_not_known_begins_with_the_mean_of_those_that_are(tmp_path: Path) -> None:
    known, new = (Painting.read(painting(tmp_path / name)) for name in ("known.jpg", "new.jpg"))
    codes = torch.tensor([[1.0, 2.0], [3.0, 6.0]])
    start = Checkpoint(architecture=None, weights={}, styles=("other", "known"), codes=codes)  # type: ignore[arg-type]
    assert codes_to_start_from(start, [new, known]).tolist() == [[2.0, 4.0], [3.0, 6.0]]


def test_a_style_weight_that_was_found_is_kept(tmp_path: Path) -> None:
    known, new = (Painting.read(painting(tmp_path / name)) for name in ("known.jpg", "new.jpg"))
    start = Checkpoint(
        architecture=None,  # type: ignore[arg-type]
        weights={},
        styles=("known",),
        codes=torch.zeros(1, 2),
        training={"style_weights": {"known": 7.5}},
    )
    assert style_weights_to_start_from(start, [new, known], 2.0) == [2.0, 7.5]


def test_the_transformer_is_the_starts_unless_another_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments(tmp_path, "--steps", "1")) == 0
    first = tmp_path / "out" / CHECKPOINT_FILE
    second = arguments(tmp_path, "--out", f"{tmp_path}/second", "--from", str(first), "--steps", "1")
    silent = second.index(SMALL[0])
    assert SMALL[:4:2] == ["--width", "--residual-blocks"]
    assert main([*second[:silent], *second[silent + 4 :]]) == 0
    assert Checkpoint.load(tmp_path / "second" / CHECKPOINT_FILE).architecture == Checkpoint.load(first).architecture
    assert main([*second, "--width", "8", "--out", f"{tmp_path}/third"]) == 1
    assert "holds Architecture(" in capsys.readouterr().err


@pytest.mark.parametrize("start", ["absent", "absent.safetensors"])
def test_a_start_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], start: str) -> None:
    assert main(arguments(tmp_path, "--from", str(tmp_path / start))) == 1
    assert start in capsys.readouterr().err
    assert not (tmp_path / "out").exists()

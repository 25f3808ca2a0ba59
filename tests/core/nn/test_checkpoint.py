from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from impasto.errors import CheckpointError
from impasto.nn.checkpoint import Checkpoint
from impasto.nn.transformer import Architecture, TransformerNet, new_code
from tests.support import files_no_larger_than

SMALL = Architecture(width=4, residual_blocks=1)


def checkpoint(step: int = 7) -> Checkpoint:
    torch.manual_seed(step)
    return Checkpoint(
        architecture=SMALL,
        weights=TransformerNet(SMALL).state_dict(),
        styles=("ink", "gold"),
        codes=new_code(SMALL).repeat(2, 1),
        training={"step": step, "recipe": {"batch": 4}},
        thumbnails={"ink": b"jpeg one", "gold": b"jpeg two"},
        optimizer={"0.exp_avg": torch.rand(3)},
    )


@torch.no_grad()
def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    saved = checkpoint()
    saved.save(tmp_path / "c.safetensors")
    loaded = Checkpoint.load(tmp_path / "c.safetensors")
    assert (loaded.architecture, loaded.styles, loaded.training) == (SMALL, saved.styles, saved.training)
    assert loaded.thumbnails == saved.thumbnails
    assert torch.equal(loaded.optimizer["0.exp_avg"], saved.optimizer["0.exp_avg"])
    photo = torch.rand(2, 3, 32, 32)
    assert torch.equal(loaded.transformer()(photo, loaded.codes), saved.transformer()(photo, saved.codes))


def test_on_a_full_disk_the_earlier_checkpoint_survives(tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    checkpoint(step=1).save(path)
    with files_no_larger_than(1000), pytest.raises(CheckpointError, match="untouched"):
        checkpoint(step=2).save(path)
    assert Checkpoint.load(path).training["step"] == 1
    assert [file.name for file in tmp_path.iterdir()] == ["c.safetensors"]


@pytest.mark.parametrize("damage", ["missing", "cut", "foreign"])
def test_a_checkpoint_that_cannot_be_read_is_named(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "c.safetensors"
    if damage == "cut":
        checkpoint().save(path)
        path.write_bytes(path.read_bytes()[:500])
    if damage == "foreign":
        path.write_text("something else")
    with pytest.raises(CheckpointError, match=r"c\.safetensors"):
        Checkpoint.load(path)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"format_version": 2}, "format version 2; this Impasto reads 1"),
        ({"architecture": {"name": "picasso"}}, "architecture 'picasso' is unknown"),
        ({"architecture": {"depth": 3}}, "depth"),
        ({"styles": None}, "no readable checkpoint"),
    ],
    ids=["later format", "unknown architecture", "unknown parameter", "no styles"],
)
def test_a_checkpoint_of_another_make_is_named(tmp_path: Path, change: dict[str, object], complaint: str) -> None:
    header = {"format_version": 1, "architecture": SMALL.to_dict(), "styles": [], "training": {}, **change}
    save_file({"codes": torch.zeros(1)}, tmp_path / "c.safetensors", {"impasto": json.dumps(header)})
    with pytest.raises(CheckpointError, match=rf"c\.safetensors.*{complaint}"):
        Checkpoint.load(tmp_path / "c.safetensors")

"""The distillation, on a few small crops."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from impasto.backbones import COMPACT, STYLE_LAYERS
from impasto.nn.eight_bits import unpack
from impasto.nn.losses import gram
from impasto.nn.perception import Perception, load_perception
from impasto_trainer.distillation import TWINS, Student, learn, prune, spoil
from impasto_trainer.main import main
from tests.trainer.pictures import photos


@pytest.fixture
def student(random_vgg: Path) -> Student:
    torch.manual_seed(0)
    student = Student(load_perception(set(TWINS.values()), random_vgg, name="vgg19"), COMPACT)
    prune(student, [torch.rand(2, 3, 32, 32)])
    return student


def test_learning_lowers_the_errors(student: Student) -> None:
    lesson = student.lesson(torch.rand(2, 3, 32, 32))
    errors: list[float] = []
    learn(student, [lesson], 30, lambda step, features, grams: errors.append(float(features.sum())))
    assert len(errors) == 30
    assert errors[-1] < 0.9 * errors[0]


@torch.no_grad()
def test_what_ships_measures_distances_as_the_maps_do(student: Student) -> None:
    first, second = torch.rand(2, 1, 3, 32, 32)
    shipped = student.finished()
    for name in COMPACT.exits:
        mapped = [student.maps[name](student.network(picture)[name]) for picture in (first, second)]
        folded = [shipped(picture)[name] for picture in (first, second)]
        for turn in (torch.Tensor.float, gram):
            wide, narrow = ((turn(one) - turn(other)).norm() for one, other in (mapped, folded))
            torch.testing.assert_close(narrow, wide, rtol=1e-3, atol=0)


def test_spoilt_pictures_are_pictures_and_the_same_each_time() -> None:
    image = torch.rand(4, 3, 32, 32)
    for seed in range(12):
        spoilt = spoil(image, seed)
        assert spoilt.shape == image.shape
        assert 0 <= spoilt.min() <= spoilt.max() <= 1
        assert torch.equal(spoilt, spoil(image, seed))


def test_the_program_writes_a_perception(tmp_path: Path, random_vgg: Path) -> None:
    folder, out = photos(tmp_path / "p", count=3), tmp_path / "compact.safetensors"
    places = ["--photos", str(folder), "--paintings", str(folder), "--validation", str(folder), "--out", str(out)]
    assert main(["distill", *places, "--vgg-weights", str(random_vgg), "--steps", "1", "--lessons", "1"]) == 0
    Perception(STYLE_LAYERS, COMPACT).load_state_dict(unpack(load_file(out)))
    assert out.stat().st_size < 1e6

"""A perception of low rank begins as its teacher, as far as its ranks reach."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from impasto.backbones import LOWRANK
from impasto.nn.eight_bits import unpack
from impasto.nn.losses import relative_error
from impasto.nn.perception import Perception, load_perception
from impasto_trainer.distillation import EXITS, Student, learn
from impasto_trainer.factorization import factorize
from impasto_trainer.main import main
from tests.trainer.pictures import photos


@pytest.fixture
def student(random_vgg: Path) -> Student:
    torch.manual_seed(0)
    return Student(load_perception(LOWRANK.exits, random_vgg, name="vgg19"), LOWRANK)


@torch.no_grad()
def test_responses_that_lie_in_a_subspace_are_kept_whole(student: Student) -> None:
    for name, rank in LOWRANK.ranks.items():
        whole = student.teacher.features[name]
        assert isinstance(whole, nn.Conv2d)
        filters = whole.weight
        filters.copy_(filters[torch.arange(len(filters)) % (rank // 2)])

    factorize(student, [torch.rand(4, 3, 64, 64) for _ in range(4)])

    picture = torch.rand(1, 3, 48, 48)
    truth, found = student.teacher(picture, EXITS), student.network(picture)
    for name in EXITS:
        assert relative_error(found[name], truth[name]).item() < 1e-3


def test_it_learns_from_what_its_teacher_sees(student: Student) -> None:
    factorize(student, [torch.rand(2, 3, 32, 32)])
    lesson = student.lesson(torch.rand(2, 3, 32, 32))
    errors: list[float] = []

    learn(student, [lesson], 20, lambda step, features, grams: errors.append(float(features.sum())))

    assert errors[-1] < 0.95 * errors[0]


def test_the_program_writes_a_perception(tmp_path: Path, random_vgg: Path) -> None:
    folder, out = photos(tmp_path / "p", count=3), tmp_path / "lowrank.safetensors"
    places = ["--photos", str(folder), "--paintings", str(folder), "--validation", str(folder), "--out", str(out)]
    options = ["--perception", "lowrank", "--vgg-weights", str(random_vgg), "--steps", "1", "--lessons", "1"]

    assert main(["distill", *places, *options]) == 0

    Perception(EXITS, LOWRANK).load_state_dict(unpack(load_file(out)))
    assert out.stat().st_size < 4.5e6

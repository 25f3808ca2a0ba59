from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from impasto.errors import CheckpointError
from impasto.nn.checkpoint import CHECKPOINT_FILE, Checkpoint
from impasto_trainer.main import main
from impasto_trainer.recipe import Recipe
from impasto_trainer.training import learning_rate
from tests.support import files_no_larger_than
from tests.trainer.fitting import QUIET, arguments, process, read_until
from tests.trainer.pictures import painting, photos


def test_a_training_leaves_checkpoint_sheet_and_losses(tmp_path: Path) -> None:
    given = arguments(tmp_path, "--steps", "50", "--sheet-every", "50", "--save-every", "20")
    assert main(given) == 0
    checkpoint = Checkpoint.load(tmp_path / "out" / CHECKPOINT_FILE)
    assert checkpoint.styles == ("coarse-strokes",)
    assert checkpoint.training["step"] == 50
    assert checkpoint.training["photos"] == 2
    assert checkpoint.training["paintings"]["coarse-strokes"]["file"] == "Coarse_Strokes.jpg"
    (line,) = [json.loads(line) for line in (tmp_path / "out" / "losses.jsonl").read_text().splitlines()]
    assert line["step"] == 50
    assert all(np.isfinite(line[term]) and line[term] >= 0 for term in ("content", "style", "tv", "total"))
    sheet = np.asarray(Image.open(tmp_path / "out" / "sheet-000050.png"))
    assert sheet.std() > 10


def test_a_training_resumes_where_it_stopped(tmp_path: Path) -> None:
    assert main(arguments(tmp_path, "--steps", "4")) == 0
    first = Checkpoint.load(tmp_path / "out" / CHECKPOINT_FILE)
    assert main(arguments(tmp_path, "--steps", "7", "--resume")) == 0
    second = Checkpoint.load(tmp_path / "out" / CHECKPOINT_FILE)
    assert second.training["step"] == 7
    assert second.optimizer["0.step"].item() == first.optimizer["0.step"].item() + 3 == 7
    assert not torch.equal(second.codes, first.codes)


def test_a_training_is_not_written_over_by_another(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments(tmp_path, "--steps", "1")) == 0
    before = (tmp_path / "out" / CHECKPOINT_FILE).read_bytes()
    assert main(arguments(tmp_path, "--steps", "1")) == 1
    assert "--resume" in capsys.readouterr().err
    assert (tmp_path / "out" / CHECKPOINT_FILE).read_bytes() == before


def test_a_resumed_training_keeps_its_recipe_but_for_what_is_given(tmp_path: Path) -> None:
    assert main(arguments(tmp_path, "--steps", "2", "--style-weight", "3")) == 0
    assert main(arguments(tmp_path, "--steps", "3", "--tv-weight", "1", "--resume")) == 0
    record = Checkpoint.load(tmp_path / "out" / CHECKPOINT_FILE).training
    recipe = record["recipe"]
    assert (recipe["style_weight"], recipe["tv_weight"], recipe["steps"]) == (3, 1, 3)
    assert record["earlier"] == [{"until_step": 2, "steps": 2, "tv_weight": Recipe().tv_weight}]


def test_several_paintings_become_several_styles(tmp_path: Path) -> None:
    given = arguments(tmp_path, "--steps", "3")
    second = painting(tmp_path / "other.jpg", side=70)
    given[given.index("--out") : given.index("--out")] = [str(second)]
    assert main(given) == 0
    checkpoint = Checkpoint.load(tmp_path / "out" / CHECKPOINT_FILE)
    assert checkpoint.styles == ("coarse-strokes", "other")
    assert not torch.equal(checkpoint.codes[0], checkpoint.codes[1])


def test_three_photos_are_trained_on_and_shown_too(tmp_path: Path) -> None:
    photos(tmp_path / "few", count=3)
    assert main([*arguments(tmp_path, "--steps", "2"), "--photos", f"{tmp_path}/few"]) == 0
    assert Checkpoint.load(tmp_path / "out" / CHECKPOINT_FILE).training["photos"] == 3
    assert (tmp_path / "out" / "sheet-000002.png").exists()


@pytest.mark.filterwarnings("ignore:skipped")
@pytest.mark.parametrize("name", ["a_broken.jpg", "z_broken.jpg"], ids=["to train on", "to look at"])
def test_an_unreadable_photo_among_good_ones_is_skipped_and_counted(tmp_path: Path, name: str) -> None:
    given = arguments(tmp_path, "--steps", "4")
    (tmp_path / "photos" / name).write_text("no picture")
    assert main(given) == 0
    assert Checkpoint.load(tmp_path / "out" / CHECKPOINT_FILE).training["unreadable"] > 0
    assert (tmp_path / "out" / "sheet-000004.png").exists()


@pytest.mark.filterwarnings("ignore:skipped")
def test_a_folder_without_a_readable_photo_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = arguments(tmp_path, "--steps", "4")
    for photo in (tmp_path / "photos").iterdir():
        photo.write_bytes(b"")
    assert main(given) == 1
    assert "photos: none can be read" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_training_with_a_checkpoint_to_go_on_from(tmp_path: Path, number: signal.Signals) -> None:
    given = arguments(tmp_path, "--steps", "1000000", "--save-every", "1000000", "--workers", "1")
    with process(given) as training:
        try:
            read_until(rb" [1-9]\d*/1000000 ", training)
            os.killpg(training.pid, number)  # its loader too, as Ctrl-C in a terminal would
            _, errors = training.communicate()
        finally:
            training.kill()
    assert training.returncode == 128 + number
    assert errors.decode().splitlines()[-1] == (f"impasto-train: {number.name}: stopped and saved; go on with --resume")
    assert b"Traceback" not in errors
    step = Checkpoint.load(tmp_path / "out" / CHECKPOINT_FILE).training["step"]
    assert step >= 1
    assert main(arguments(tmp_path, "--resume", "--steps", str(step + 1))) == 0
    assert Checkpoint.load(tmp_path / "out" / CHECKPOINT_FILE).training["step"] == step + 1


def test_a_full_disk_on_the_way_is_told_and_training_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    real, failures = Checkpoint.save, iter([CheckpointError("no space left")])

    def sometimes(self: Checkpoint, path: Path) -> None:
        for failure in failures:
            raise failure
        real(self, path)

    monkeypatch.setattr(Checkpoint, "save", sometimes)
    assert main(arguments(tmp_path, "--steps", "4", "--save-every", "2")) == 0
    assert "no space left; training goes on" in capfd.readouterr().err
    assert Checkpoint.load(tmp_path / "out" / CHECKPOINT_FILE).training["step"] == 4


def test_on_a_disk_that_stays_full_the_earlier_checkpoint_survives(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments(tmp_path, "--steps", "1")) == 0
    lines = json.dumps({"step": 1}) + "\n"
    (tmp_path / "out" / "losses.jsonl").write_text(lines * 300)  # what it appends lies beyond the end of the disk
    with files_no_larger_than(3000):
        assert main(arguments(tmp_path, "--resume", "--steps", "51", "--save-every", "40")) == 1
    errors = capsys.readouterr().err.splitlines()
    assert sum("warning: " in line and "training goes on" in line for line in errors) == 3  # checkpoint, losses, sheet
    assert re.match(rf"impasto-train: could not write .*{CHECKPOINT_FILE}", errors[-1])
    assert Checkpoint.load(tmp_path / "out" / CHECKPOINT_FILE).training["step"] == 1


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (["--photos", "absent"], "absent is no folder"),
        (["--painting", "absent.jpg"], "absent.jpg"),
        (["--batch", "0"], "batch: 0 is out of range"),
        (["--crop", "66"], "66 is no multiple of 8; give 64"),
        (["--style-weight", "nan"], "style_weight: nan is out of range"),
        (["--perception", "vgg19", "--vgg-weights", "absent.safetensors"], "absent.safetensors"),
        (["--resume"], "no readable checkpoint"),
        (["--device", "abacus"], "abacus"),
        (["--out", "{folder}/photos/photo_0.jpg"], "photo_0.jpg"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_bad_arguments_are_refused_before_any_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: list[str], complaint: str
) -> None:
    change = [part.format(folder=tmp_path) for part in change]
    assert main([*arguments(tmp_path, "--steps", "1"), *change]) == 1
    assert complaint in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("change", [["--workers", "-1"], ["--save-every", "0"], ["--sheet-every", "0"]], ids=str)
def test_counts_out_of_range_are_wrong_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: list[str]
) -> None:
    with pytest.raises(SystemExit):
        main([*arguments(tmp_path), *change])
    assert f"{change[0]}: {change[1]} is out of range" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("coarse strokes.jpg", "two files give the style id 'coarse-strokes'"),
        ("Identity.jpg", "Identity.jpg gives the id 'identity', which is taken"),
    ],
)
def test_a_second_painting_needs_an_id_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, complaint: str
) -> None:
    given = arguments(tmp_path, "--steps", "1")
    given[given.index("--out") : given.index("--out")] = [str(painting(tmp_path / name))]
    assert main(given) == 1
    assert complaint in capsys.readouterr().err


def test_the_rate_rises_then_falls_to_a_hundredth() -> None:
    recipe = Recipe(steps=1000, warmup=100, learning_rate=1e-3)
    rates = [learning_rate(recipe, step) for step in range(1001)]
    assert rates[:100] == sorted(rates[:100])
    assert rates[100:] == sorted(rates[100:], reverse=True)
    assert max(rates) == pytest.approx(1e-3)
    assert rates[-1] == pytest.approx(1e-5)


@pytest.mark.data
def test_real_photos_and_a_real_painting_bring_the_style_loss_down(tmp_path: Path, data: Path) -> None:
    places = ["--photos", f"{data}/photos_open", "--painting", f"{data}/paintings/great_wave.jpg"]
    vgg = data / "weights" / "vgg19_features_fp16.safetensors"
    given = ["fit", *places, "--out", str(tmp_path / "out"), "--vgg-weights", str(vgg), *QUIET]
    recipe = ["--steps", "200", "--width", "8", "--residual-blocks", "1", "--crop", "64", "--flat-share", "0"]
    strong = [
        "--style-weight",
        "8",
        "--content-budget",
        "0",
        "--warmup",
        "10",
        "--learning-rate",
        "0.01",
        "--code-rate",
        "1",
    ]
    strong += ["--strength-share", "0", "--grid-weight", "0", "--large-every", "0"]
    assert main([*given, *recipe, *strong]) == 0
    lines = [json.loads(line) for line in (tmp_path / "out" / "losses.jsonl").read_text().splitlines()]
    assert lines[-1]["style"] < 0.8 * lines[0]["style"]

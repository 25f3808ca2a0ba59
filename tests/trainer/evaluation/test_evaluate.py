from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from impasto import images
from impasto.bundle import MANIFEST, STARTER, Bundle
from impasto.engine import FakeEngine
from impasto_trainer.commands import evaluate
from impasto_trainer.evaluation import report
from impasto_trainer.evaluation.figures import Equivalence, Figures, Measurement
from impasto_trainer.evaluation.neq import Reached
from impasto_trainer.evaluation.sample import spread
from impasto_trainer.main import main
from impasto_trainer.paintings import Painting
from tests.support import fake_bundle, gradient
from tests.trainer.pictures import painting, photos

RECIPE = {"content_weight": 1.0, "style_weight": 2.0, "tv_weight": 10.0, "painting_size": 64}


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """Let the bundles of these tests be painted by an engine that makes negatives."""
    fake = FakeEngine()
    monkeypatch.setattr(evaluate, "open_engine", lambda bundle: fake)
    return fake


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[Figures]:
    """Return a list that every style's figures go into as they are measured."""
    found: list[Figures] = []
    measure = Measurement.measure

    def keep(measurement: Measurement, style: str, painting: Painting) -> Figures:
        found.append(measure(measurement, style, painting))
        return found[-1]

    monkeypatch.setattr(Measurement, "measure", keep)
    return found


def trained_bundle(path: Path, *styles: str, **training: Any) -> Bundle:
    """Write a bundle that says how it was trained."""
    bundle = fake_bundle(path, *styles)
    record = {"recipe": RECIPE, **training}
    (path / MANIFEST).write_text(json.dumps({**bundle.manifest, "training": record}))
    return bundle


def arguments(folder: Path, vgg: Path, *more: str) -> list[str]:
    """Return what a small evaluation needs, everything made in `folder`."""
    trained_bundle(folder / "bundle", "ink", "gold")
    photos(folder / "photos")
    (folder / "paintings").mkdir()
    for name in ("Ink.jpg", "gold.jpg"):
        painting(folder / "paintings" / name)
    places = [f"{folder}/bundle", "--photos", f"{folder}/photos", "--paintings", f"{folder}/paintings"]
    small = ["--sizes", "64", "96", "128", "--count", "3", "--neq-count", "1"]
    return ["evaluate", *places, *small, "--vgg-weights", str(vgg), "--device", "cpu", *more]


def test_an_evaluation_prints_and_writes_what_it_found(
    tmp_path: Path,
    random_vgg: Path,
    engine: FakeEngine,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("impasto_trainer.evaluation.figures.NOISE_CAP", 3)
    monkeypatch.setattr("impasto_trainer.evaluation.figures.PHOTO_CAP", 2)

    places = ["--out", f"{tmp_path}/docs", "--json", f"{tmp_path}/figures.json"]
    assert main(arguments(tmp_path, random_vgg, *places)) == 0

    printed = capsys.readouterr().out
    assert "judged by vgg19; fractions" in printed
    page = (tmp_path / "docs" / "quality.md").read_text()
    for text in (printed, page):
        assert "128 px: no photo has a long side of 128 px" in text
        assert "64 px: 3 photos; 96 px: 2 photos" in text
        for style in ("gold", "ink"):
            assert f"\n| {style}" in text
    for style in ("gold", "ink"):
        place = f"pictures/quality-{style}.jpg"
        assert f"]({place})" in page
        sheet = (tmp_path / "docs" / place).read_bytes()
        assert len(sheet) <= 250_000
        assert images.decode(sheet).shape[1] > 1000
    summaries = json.loads((tmp_path / "figures.json").read_text())
    assert set(summaries) == {"gold", "ink"}
    assert summaries["ink"].keys() >= {
        "style fraction at 64 px",
        "content fraction at 96 px",
        "N_eq from noise at 64 px",
    }
    assert summaries["ink"]["N_eq from noise at 64 px"] <= 3


def test_the_fake_negative_is_measured_as_what_it_is(
    tmp_path: Path, random_vgg: Path, engine: FakeEngine, measured: list[Figures]
) -> None:
    """A negative keeps the variance of borders and of flat pictures, brightens the dark and moves with the photo."""

    assert main([*arguments(tmp_path, random_vgg, "--styles", "ink"), "--neq-count", "0"]) == 0

    (figures,) = measured
    assert figures.style == "ink"
    assert list(figures.fractions) == [64, 96, 128]
    assert figures.fractions[128] is None
    assert not figures.from_noise
    assert not figures.from_photo
    unpainted = figures.strengths[0.0]
    assert (unpainted.style, unpainted.content) == pytest.approx((1, 0), abs=1e-6)
    found = figures.behaviour
    assert found.border == pytest.approx(1, abs=0.01)
    assert found.nyquist == pytest.approx(found.nyquist_photo, rel=0.05)
    assert found.grey < 1 < found.sky
    assert found.dark > 150
    assert found.shift == 0
    assert found.noise == pytest.approx(2.55, rel=0.1)


def test_what_was_written_by_hand_is_kept(tmp_path: Path) -> None:
    path = report.write(tmp_path, "# First\n", {})
    path.write_text(path.read_text() + "\nBy hand.\n")

    report.write(tmp_path, "# Second\n", {"pictures/sheet.jpg": b"jpeg"})

    assert path.read_text() == f"# Second\n\n{report.BY_HAND}\n\nBy hand.\n"
    assert (tmp_path / "pictures" / "sheet.jpg").read_bytes() == b"jpeg"


def test_the_median_of_an_equivalence_counts_those_that_never_arrive() -> None:
    arrived = Equivalence.of([Reached(10, 12), Reached(20, 22), Reached(None, 70)], cap=60)
    assert (arrived.iterations, arrived.photos) == (20, 3)
    lost = Equivalence.of([Reached(10, 12), Reached(None, 70)], cap=60)
    assert report.iterations(lost) == ">=60"
    assert report.iterations(replace(lost, iterations=12.5)) == "12.5"


def test_items_are_spread_over_the_whole() -> None:
    assert spread(range(10), 3) == [0, 3, 6]
    assert spread(range(2), 5) == [0, 1]
    assert spread([], 5) == []


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--styles", "inc"], "no style 'inc'; did you mean 'ink'?"),
        (["--photos", "nowhere"], "photos: nowhere is no folder"),
        (["--paintings", "nowhere"], "paintings: nowhere is no folder"),
        (["--neq-512", "1"], "neq-512: needs 512 px among the sizes"),
        (["--sizes", "4096"], "photos: none has a long side of 4096 px or more"),
    ],
)
def test_bad_input_is_refused_before_any_work(
    tmp_path: Path,
    random_vgg: Path,
    engine: FakeEngine,
    capsys: pytest.CaptureFixture[str],
    more: list[str],
    message: str,
) -> None:
    assert main(arguments(tmp_path, random_vgg, *more)) == 1
    assert message in capsys.readouterr().err
    assert not engine.shapes


def test_a_style_without_its_painting_is_refused(
    tmp_path: Path, random_vgg: Path, engine: FakeEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    given = arguments(tmp_path, random_vgg)
    (tmp_path / "paintings" / "gold.jpg").unlink()
    assert main(given) == 1
    assert "holds no file for gold; it holds ink." in capsys.readouterr().err


def test_a_photo_that_cannot_be_read_is_named(
    tmp_path: Path, random_vgg: Path, engine: FakeEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    given = arguments(tmp_path, random_vgg)
    (tmp_path / "photos" / "photo_0.jpg").write_bytes(images.encode(gradient())[:200])
    assert main(given) == 1
    assert "photo photo_0.jpg: is a damaged picture" in capsys.readouterr().err


def test_what_is_no_bundle_is_refused(tmp_path: Path, random_vgg: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = arguments(tmp_path, random_vgg)
    given[1] = f"{tmp_path}/photos"
    assert main(given) == 1
    assert "is no bundle" in capsys.readouterr().err


def test_a_bundle_that_does_not_say_how_it_was_trained_is_refused(
    tmp_path: Path, random_vgg: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = arguments(tmp_path, random_vgg)
    fake_bundle(tmp_path / "bundle", "ink", "gold")
    assert main(given) == 1
    assert "the record of the training lacks a weight of style 'gold'" in capsys.readouterr().err


@pytest.mark.data
def test_the_starter_is_worth_some_iterations(
    data: Path, monkeypatch: pytest.MonkeyPatch, measured: list[Figures]
) -> None:
    """Real weights, one photo, one style: fractions in their range, and N_eq counted from both starts."""
    monkeypatch.setattr("impasto_trainer.evaluation.figures.PROBED", 1)
    weights = data / "weights" / "vgg19_features_fp16.safetensors"
    given = ["--photos", f"{data}/photos_large", "--paintings", f"{data}/paintings", "--vgg-weights", f"{weights}"]
    sizes = ["--count", "1", "--neq-count", "1", "--sizes", "128"]

    assert main(["evaluate", str(STARTER), *given, *sizes, "--styles", "starry-night", "--device", "cpu"]) == 0

    (figures,) = measured
    fractions = figures.fractions[128]
    assert fractions is not None
    assert 0 < fractions.style < 0.5
    assert 0.2 < fractions.content < 0.6
    assert figures.strengths[1.0].style < figures.strengths[0.0].style == pytest.approx(1, abs=0.02)
    assert figures.from_noise[128].iterations > figures.from_photo[128].iterations >= 1

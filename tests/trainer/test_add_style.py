from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from impasto import images
from impasto.bundle import GRAPH, WEIGHTS, Bundle, load_bundle, write_bundle
from impasto.cards import About
from impasto.engine import Cancellation, FakeEngine, Provider, open_engine
from impasto.nn.bundled import read_network
from impasto.nn.checkpoint import Checkpoint
from impasto.nn.transformer import TransformerNet, new_code
from impasto_exporter.export import export
from impasto_server.bundles.library import Library
from impasto_server.fast.engines import Engines
from impasto_server.fast.pace import Pace
from impasto_trainer.main import main
from impasto_trainer.paintings import Painting
from impasto_trainer.recipe import Recipe
from tests.support import fake_bundle, gradient
from tests.trainer.pictures import painting, photos

RECIPE = Recipe(
    design="johnson-cin", width=4, residual_blocks=1, painting_size=64, style_weight=20.0, content_budget=0, tv_weight=0
)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Return a bundle with two styles, `plain` and `coarse`, the second of whose paintings has strokes."""
    folder = tmp_path_factory.mktemp("base")
    torch.manual_seed(0)
    architecture = RECIPE.architecture
    checkpoint = Checkpoint(
        architecture=architecture,
        weights=TransformerNet(architecture).state_dict(),
        styles=("plain", "coarse"),
        codes=new_code(architecture) + 0.2 * torch.randn(2, architecture.code_size),
        training={"step": 1, "recipe": RECIPE.to_dict(), "paintings": {"plain": {"file": "plain.png"}}},
        thumbnails={
            "plain": images.encode(gradient(384, 384)),
            "coarse": Painting.read(painting(folder / "coarse.jpg")).thumbnail(),
        },
    )
    return export(checkpoint, folder / "base", name="base", version="3", about=About()).bundle


def arguments(folder: Path, base: Bundle, *more: str) -> list[str]:
    """Return what a small training needs, its photos and painting made in `folder`."""
    if not (folder / "photos").exists():
        photos(folder / "photos")
        painting(folder / "Fine_Strokes.jpg")
    places = ["--bundle", str(base.path), "--out", str(folder / "mine"), "--photos", str(folder / "photos")]
    quiet = ["--workers", "0", "--compile", "off", "--device", "cpu", "--crop", "64", "--batch", "2"]
    return ["add-style", f"{folder}/Fine_Strokes.jpg", *places, "--perception", "compact", *quiet, *more]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, base: Bundle) -> Bundle:
    """Return a bundle with a style that was learnt for a few steps."""
    folder = tmp_path_factory.mktemp("made")
    facts = ["--title", "Fine Strokes", "--artist", "A. Painter", "--source", "my own"]
    assert main(arguments(folder, base, "--steps", "3", *facts)) == 0
    return load_bundle(folder / "mine")


def test_a_new_style_shares_the_transformer_to_the_byte(base: Bundle, made: Bundle) -> None:
    for file in (GRAPH, WEIGHTS):
        assert (made.path / file).read_bytes() == (base.path / file).read_bytes()
    assert made.transformer == base.transformer
    assert (made.name, list(made.styles)) == ("mine", ["fine-strokes"])
    np.testing.assert_array_equal(made.identity, base.identity)
    assert made.manifest["parity"] == base.manifest["parity"]
    assert made.manifest["training"]["from"]["bundle"] == "base"
    style = made.styles["fine-strokes"]
    assert (style.title, style.artist) == ("Fine Strokes", "A. Painter")
    assert images.decode(style.thumbnail).shape == (384, 384, 3)
    for part in ("Painting: my own", "that of the bundle base 3, as it is", "3 steps", "Figures: style fraction"):
        assert part in style.card


def test_the_code_alone_learns_and_the_style_loss_falls(tmp_path: Path, base: Bundle) -> None:
    assert main(arguments(tmp_path, base, "--steps", "100", "--warmup", "5", "--learning-rate", "0.05")) == 0
    lines = [json.loads(line) for line in (tmp_path / "mine.training" / "losses.jsonl").read_text().splitlines()]
    assert lines[-1]["style"] < 0.95 * lines[0]["style"]
    trained = Checkpoint.load(tmp_path / "mine.training" / "checkpoint.safetensors")
    for name, weight in read_network(base).state_dict().items():
        assert torch.equal(trained.weights[name], weight)
    assert not np.allclose(trained.codes[0], base.code("coarse"), atol=0.05)


async def test_a_server_opens_the_shared_transformer_once(base: Bundle, made: Bundle) -> None:
    library = Library.load([base.path, made.path])
    opened = []

    def open_one(bundle: Bundle) -> FakeEngine:
        opened.append(bundle.name)
        return FakeEngine()

    engines = Engines(open_one, Pace())
    kept = [await engines.open(bundle) for bundle in library.bundles]
    brush = library.brush("mine/fine-strokes", 1.0)
    painted = engines.run(brush.transformer, [gradient()], [brush.code], Cancellation())
    assert opened == ["base"]
    assert kept[0] is kept[1]
    assert painted.shape == (1, 3, *gradient().shape[:2])


def test_what_the_engine_paints_is_what_was_trained(made: Bundle) -> None:
    photo, code = images.to_planes(gradient()), made.code("fine-strokes")[None]
    with torch.no_grad():
        expected = read_network(made)(torch.from_numpy(photo), torch.from_numpy(code)).numpy()
    np.testing.assert_allclose(open_engine(made, provider=Provider.CPU).run(photo, code), expected, atol=1e-4)


def test_a_bundle_that_is_there_is_added_to(tmp_path: Path, base: Bundle) -> None:
    assert main(arguments(tmp_path, base, "--steps", "1", "--keep")) == 0
    first = load_bundle(tmp_path / "mine")
    given = arguments(tmp_path, base, "--steps", "1")
    given[1] = str(painting(tmp_path / "another.png"))
    assert main(given) == 0
    second = load_bundle(tmp_path / "mine")
    assert list(second.styles) == ["another", "coarse", "fine-strokes", "plain"]
    assert (first.version, second.version) == ("1", "2")
    assert second.styles["plain"] == base.styles["plain"]
    np.testing.assert_array_equal(second.code("fine-strokes"), first.code("fine-strokes"))
    assert second.manifest["training"]["paintings"].keys() == {"plain", "fine-strokes", "another"}


def test_a_run_goes_on_where_it_stopped_and_replaces_its_style(tmp_path: Path, base: Bundle) -> None:
    assert main(arguments(tmp_path, base, "--steps", "2", "--style-weight", "3")) == 0
    assert main(arguments(tmp_path, base, "--steps", "4", "--resume")) == 0
    record = load_bundle(tmp_path / "mine").manifest["training"]
    assert (record["step"], record["recipe"]["style_weight"]) == (4, 3)


def test_the_frozen_transformer_says_when_it_does_not_suffice(
    tmp_path: Path, base: Bundle, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("impasto_trainer.new_style.CLEARLY_WORSE", 0.0)
    assert main(arguments(tmp_path, base, "--steps", "1")) == 0
    said = capsys.readouterr().out
    assert "fine-strokes: starts from coarse, the nearest, at a distance of" in said
    assert "fine-strokes: the frozen transformer does not reach it: " in said
    assert said.endswith("Train it whole with --full\n")


def test_full_trains_the_transformer_and_names_the_export(
    tmp_path: Path, base: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    title = 'The "Fine" Strokes'
    assert main(arguments(tmp_path, base, "--steps", "2", "--full", "--title", title)) == 0
    out = tmp_path / "mine"
    command = f"impasto-export {out}/checkpoint.safetensors --out {out}/bundle --name mine --about {out}/about.toml"
    assert command in capsys.readouterr().out
    assert About.read(out / "about.toml").style("fine-strokes")["title"] == title
    trained = Checkpoint.load(out / "checkpoint.safetensors")
    changes = [
        (trained.weights[name] - weight).abs().max().item() for name, weight in read_network(base).state_dict().items()
    ]
    assert 0 < max(changes) < 0.01  # warm: two steps away from the bundle's


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (["--bundle", "{folder}/photos"], "is no bundle"),
        (["--bundle", "{folder}/fake"], "a transformer that this Impasto cannot build"),
        (["--out", "{folder}/photos"], "photos exists and is no bundle"),
        (["--out", "{folder}/fake"], "is a bundle of another transformer than base's"),
        (["--photos", "absent"], "absent is no folder"),
        (["--name", "Über"], "'Über' is no bundle name"),
        (["--about", "absent.toml"], "absent.toml"),
        (["--resume"], "no readable checkpoint"),
        (["--steps", "0"], "steps: 0 is out of range"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_arguments_are_refused_before_any_work(
    tmp_path: Path,
    base: Bundle,
    capsys: pytest.CaptureFixture[str],
    change: list[str],
    complaint: str,
) -> None:
    given = arguments(tmp_path, base, "--steps", "1")
    fake = fake_bundle(tmp_path / "fake")
    write_bundle(
        fake.path,
        {**fake.manifest, "architecture": {"name": "unheard-of"}},
        {file: (fake.path / file).read_bytes() for file in fake.manifest["files"]},
    )
    assert main([*given, *(part.format(folder=tmp_path) for part in change)]) == 1
    assert complaint in capsys.readouterr().err
    assert not (tmp_path / "mine").exists()
    assert not (tmp_path / "mine.training").exists()


def test_an_id_that_the_new_bundle_would_have_twice_is_refused(
    tmp_path: Path, base: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    given = arguments(tmp_path, base, "--steps", "1", "--keep")
    given[1] = str(painting(tmp_path / "Coarse.png"))
    assert main(given) == 1
    assert "has a style 'coarse' already; rename Coarse.png, or give --replace" in capsys.readouterr().err


def test_a_style_of_the_bundle_is_learnt_anew_and_takes_its_place(tmp_path: Path, base: Bundle) -> None:
    given = arguments(
        tmp_path, base, "--steps", "2", "--keep", "--replace", "--name", "base", "--content-budget", "0.2"
    )
    given[1] = str(painting(tmp_path / "Coarse.png"))
    assert main(given) == 0

    made = load_bundle(tmp_path / "mine")
    assert (made.version, list(made.styles)) == ("4", ["coarse", "plain"])
    assert np.abs(made.code("coarse") - base.code("coarse")).max() > 0
    np.testing.assert_array_equal(made.code("plain"), base.code("plain"))
    np.testing.assert_array_equal(made.identity, base.identity)
    assert made.manifest["training"]["recipe"]["content_budget"] == 0.2


def test_what_is_known_of_a_painting_stays_known_when_it_is_learnt_anew(tmp_path: Path, base: Bundle) -> None:
    facts = ["--title", "Fine Strokes", "--artist", "A. Painter", "--year", "1901", "--source", "my own"]
    assert main(arguments(tmp_path, base, "--steps", "1", *facts)) == 0
    assert main(arguments(tmp_path, base, "--steps", "2", "--replace", "--year", "1902")) == 0

    style = load_bundle(tmp_path / "mine").styles["fine-strokes"]
    assert (style.title, style.artist, style.year) == ("Fine Strokes", "A. Painter", "1902")
    assert "- Painting: my own\n" in style.card


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ([], "replace: there is no style 'fine-strokes' to be replaced: the new bundle keeps none; give --keep"),
        (["--keep"], "no style 'fine-strokes' to be replaced: the new bundle has coarse, plain"),
        (["--full"], "replace: with --full no bundle is written; leave one of the two"),
    ],
)
def test_what_is_not_there_cannot_be_replaced(
    tmp_path: Path, base: Bundle, capsys: pytest.CaptureFixture[str], more: list[str], complaint: str
) -> None:
    assert main(arguments(tmp_path, base, "--steps", "1", "--replace", *more)) == 1
    assert complaint in capsys.readouterr().err


def test_facts_of_one_painting_do_not_fit_two(tmp_path: Path, base: Bundle, capsys: pytest.CaptureFixture[str]) -> None:
    given = arguments(tmp_path, base, "--steps", "1", "--title", "Both")
    given.insert(1, str(painting(tmp_path / "another.png")))
    assert main(given) == 1
    assert "title: 2 paintings are given, and this is of one; use --about FILE" in capsys.readouterr().err

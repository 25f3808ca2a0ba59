from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from impasto import codes
from impasto.bundle import load_bundle
from impasto.cards import About
from impasto.engine import FakeEngine, Provider, open_engine
from impasto.errors import BundleError, ExportError
from impasto.nn.checkpoint import Checkpoint
from impasto.nn.designs import DESIGNS
from impasto.nn.transformer import Architecture, TransformerNet, new_code
from impasto_exporter.export import Export, export
from impasto_exporter.graph import check_nodes
from impasto_exporter.main import main
from impasto_exporter.parity import TOLERANCE, compare

SMALL = Architecture(width=4, residual_blocks=1)


def checkpoint() -> Checkpoint:
    torch.manual_seed(0)
    return Checkpoint(
        architecture=SMALL,
        weights=TransformerNet(SMALL).state_dict(),
        styles=("ink", "gold"),
        codes=new_code(SMALL) + 0.2 * torch.randn(2, SMALL.code_size),
        training={"step": 12, "seconds": 90.0, "photos": 5, "device": "cpu", "recipe": {"batch": 4}},
        thumbnails={"ink": b"a picture", "gold": b"another"},
    )


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Export:
    about = About(photos="CC BY", styles={"ink": {"title": "Ink Study", "artist": "A. Painter", "year": "1889"}})
    return export(checkpoint(), tmp_path_factory.mktemp("out") / "small", name="small", version="3", about=about)


def test_the_bundle_paints_what_the_checkpoint_paints(exported: Export) -> None:
    engine, source = open_engine(exported.bundle, provider=Provider.CPU), checkpoint()
    photos = np.random.default_rng(0).random((2, 3, 40, 56), dtype=np.float32)
    styles = np.stack([exported.bundle.code("gold"), exported.bundle.code("ink")])
    with torch.no_grad():
        expected = source.transformer()(torch.from_numpy(photos), source.codes[[1, 0]]).numpy()
    np.testing.assert_allclose(engine.run(photos, styles), expected, atol=1e-4)


def test_strength_zero_returns_the_photo(exported: Export) -> None:
    engine = open_engine(exported.bundle, provider=Provider.CPU)
    photo = np.random.default_rng(1).random((1, 3, 32, 32), dtype=np.float32)
    code = codes.at_strength(exported.bundle.code("ink"), exported.bundle.identity, 0.0)
    np.testing.assert_allclose(engine.run(photo, code[None]), photo, atol=1e-6)


def test_the_parity_report_covers_sizes_and_batches_and_is_stored(exported: Export) -> None:
    assert 0 < exported.parity.largest <= TOLERANCE
    stored = json.loads((exported.bundle.path / "bundle.json").read_text())["parity"]
    assert stored["largest_error"] == exported.parity.largest
    assert len({(case["height"], case["width"]) for case in stored["cases"]}) >= 4
    assert max(case["batch"] for case in stored["cases"]) >= 4


def test_the_graph_is_plain_and_its_weights_are_stored_once(exported: Export) -> None:
    graph = exported.bundle.graph
    model = onnx.load(graph, load_external_data=False)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 18)]
    assert graph.stat().st_size < 100_000
    assert {weight.external_data[0].value for weight in model.graph.initializer if weight.external_data} == {
        "transformer.safetensors"
    }
    assert str(Path.cwd()).encode() not in graph.read_bytes()


def test_nodes_are_counted_against_the_architecture(exported: Export) -> None:
    assert exported.nodes["InstanceNormalization"] == 11
    assert exported.nodes["Conv"] == 12
    model = onnx.load(exported.bundle.graph, load_external_data=False)
    with pytest.raises(ExportError, match="12 Conv nodes; the architecture declares 14"):
        check_nodes(model, replace(SMALL, residual_blocks=2))


@pytest.mark.parametrize("design", DESIGNS)
def test_every_design_exports_at_free_sizes(tmp_path: Path, design: str) -> None:
    torch.manual_seed(0)
    architecture = Architecture(name=design, width=8, residual_blocks=1)
    source = Checkpoint(
        architecture=architecture,
        weights=TransformerNet(architecture).state_dict(),
        styles=("ink",),
        codes=new_code(architecture)[None],
        thumbnails={"ink": b"a picture"},
    )
    done = export(source, tmp_path / "one", name="one", version="1", about=About())
    sizes = {(height, width) for _, height, width, _ in done.parity.cases}
    assert len(sizes) >= 4
    assert all(side % done.bundle.size_multiple == 0 for size in sizes for side in size)
    photo = np.random.default_rng(0).random((1, 3, 7 * architecture.size_multiple, 5 * architecture.size_multiple))
    painted = open_engine(done.bundle, provider=Provider.CPU).run(
        photo.astype(np.float32), done.bundle.code("ink")[None]
    )
    assert painted.shape == photo.shape


def test_an_engine_that_paints_otherwise_fails_parity() -> None:
    source = checkpoint()
    with pytest.raises(ExportError, match="fake differs from torch"):
        compare(source.transformer(), FakeEngine(), source.codes)


def test_styles_carry_titles_thumbnails_and_cards(exported: Export) -> None:
    ink, gold = exported.bundle.styles["ink"], exported.bundle.styles["gold"]
    assert (ink.title, ink.artist, ink.year, ink.thumbnail) == ("Ink Study", "A. Painter", "1889", b"a picture")
    assert gold.title == "Gold"
    for part in ("Ink Study (A. Painter, 1889)", "5; CC BY", "12 steps", "batch 4"):
        assert part in ink.card


def test_the_program_exports_and_replaces_a_bundle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint().save(tmp_path / "c.safetensors")
    (tmp_path / "about.toml").write_text('photos = "mine"\n[styles.gold]\ntitle = "Gold Leaf"\n')
    given = [str(tmp_path / "c.safetensors"), "--out", str(tmp_path / "My Bundle")]
    assert main(given) == 0
    assert main([*given, "--bundle-version", "2", "--about", str(tmp_path / "about.toml")]) == 0
    bundle = load_bundle(tmp_path / "My Bundle")
    assert (bundle.name, bundle.version, bundle.styles["gold"].title) == ("my-bundle", "2", "Gold Leaf")
    printed = capsys.readouterr().out
    assert "largest error" in printed
    assert "11 InstanceNormalization" in printed


@pytest.mark.parametrize(
    ("prepare", "change", "complaint"),
    [
        (lambda path: None, [], "no readable checkpoint"),
        (lambda path: checkpoint().save(path), ["--name", "Über"], "'Über' is no bundle name"),
        (lambda path: checkpoint().save(path), ["--about", "absent.toml"], "absent.toml"),
        (lambda path: checkpoint().save(path), ["--out", "{folder}/c.safetensors/out"], "could not write the bundle"),
    ],
    ids=["no checkpoint", "bad name", "no about file", "a file where a folder should be"],
)
def test_bad_arguments_are_refused(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    prepare: Callable[[Path], None],
    change: list[str],
    complaint: str,
) -> None:
    prepare(tmp_path / "c.safetensors")
    change = [part.format(folder=tmp_path) for part in change]
    assert main([str(tmp_path / "c.safetensors"), "--out", str(tmp_path / "out"), *change]) == 1
    assert complaint in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ('[styles.inc]\ntitle = "Ink"', "tells of 'inc'; the checkpoint's styles are ink, gold"),
        ('[styles.ink]\ntitel = "Ink"', "ink has 'titel'; known are artist, source, title, year"),
        ('styles = "ink"', "cannot use"),
        ("[styles]\nink = 3", "cannot use"),
        ("author = 'me'", "author"),
        ("title: Ink", "cannot use"),
    ],
)
def test_an_about_file_that_means_nothing_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, complaint: str
) -> None:
    checkpoint().save(tmp_path / "c.safetensors")
    (tmp_path / "about.toml").write_text(content)
    given = [str(tmp_path / "c.safetensors"), "--out", str(tmp_path / "out"), "--about", str(tmp_path / "about.toml")]
    assert main(given) == 1
    assert complaint in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_tampered_export_is_refused_at_load(exported: Export, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in exported.bundle.path.rglob("*"):
        if file.is_file():
            target = copy / file.relative_to(exported.bundle.path)
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(file.read_bytes())
    weights = bytearray((copy / "transformer.safetensors").read_bytes())
    weights[-1] ^= 1
    (copy / "transformer.safetensors").write_bytes(weights)
    with pytest.raises(BundleError, match=r"transformer\.safetensors has SHA-256"):
        load_bundle(copy)


def test_figures_go_onto_the_cards(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint().save(tmp_path / "checkpoint.safetensors")
    figures = tmp_path / "figures.json"
    given = [str(tmp_path / "checkpoint.safetensors"), "--out", str(tmp_path / "small"), "--figures", str(figures)]
    figures.write_text('{"ink": {"style fraction at 256 px": 0.2}}')
    assert main(given) == 0
    styles = load_bundle(tmp_path / "small").styles
    assert "- Figures: style fraction at 256 px 0.2\n" in styles["ink"].card
    assert "Figures" not in styles["gold"].card

    for wrong, told in (('{"silver": {}}', "silver"), ("[1]", "evaluate --json"), ("{", "evaluate --json")):
        figures.write_text(wrong)
        capsys.readouterr()
        assert main(given) == 1
        assert told in capsys.readouterr().err

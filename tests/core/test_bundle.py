"""A bundle is read only when every part of it is what its maker wrote."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load, save

from impasto.bundle import (
    CODES,
    GRAPH,
    HALF_GRAPH,
    IDENTITY,
    MANIFEST,
    WEIGHTS,
    Bundle,
    load_bundle,
    sha256,
    write_bundle,
)
from impasto.errors import BundleError, StyleNotFound
from tests.support import CODE_SIZE, code, fake_bundle

Edit = Callable[[dict[str, Any]], object]


def edit_manifest(bundle: Bundle, edit: Edit) -> None:
    manifest = json.loads((bundle.path / MANIFEST).read_text())
    edit(manifest)
    (bundle.path / MANIFEST).write_text(json.dumps(manifest))


def replace(bundle: Bundle, name: str, data: bytes) -> None:
    """Change a file as its maker would: with its digest."""
    (bundle.path / name).write_bytes(data)
    edit_manifest(bundle, lambda manifest: manifest["files"].update({name: sha256(data)}))


# Reading


def test_a_bundle_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = fake_bundle(tmp_path / "test", "ink", "gold")

    bundle = load_bundle(tmp_path / "test")

    assert (bundle.name, bundle.version, bundle.size_multiple) == ("test", "1", 4)
    assert list(bundle.styles) == ["gold", "ink"]
    gold = bundle.styles["gold"]
    assert (gold.title, gold.artist, gold.year, gold.card) == ("Gold", "A. Painter", "1889", "# gold\n")
    assert gold.thumbnail.startswith(b"\xff\xd8")
    assert (bundle.code("gold") == code(0, 1)).all()
    assert (bundle.identity == code(1, 0)).all()
    assert bundle.graph == tmp_path / "test" / GRAPH
    assert bundle.transformer == written.transformer
    assert bundle.manifest["format_version"] == 1


def test_bundles_share_a_digest_exactly_when_they_share_a_transformer(tmp_path: Path) -> None:
    first = fake_bundle(tmp_path / "a", "ink", name="one")
    same = fake_bundle(tmp_path / "b", "gold", "rust", name="one")
    other = fake_bundle(tmp_path / "c", "ink", name="two")

    assert first.transformer == same.transformer != other.transformer


def test_a_graph_is_had_in_the_precisions_that_the_bundle_lists(tmp_path: Path) -> None:
    bundle = fake_bundle(tmp_path / "test", "ink")
    halved = {**bundle.manifest, "precisions": {"fp32": GRAPH, "fp16": HALF_GRAPH}}
    newer = write_bundle(tmp_path / "newer", halved, {**contents(bundle), HALF_GRAPH: b"half a graph"})

    assert bundle.graph_in("fp32") == bundle.graph
    with pytest.raises(BundleError, match=r"no graph in 'fp16', but fp32; .*impasto-export --half .*test"):
        bundle.graph_in("fp16")
    assert newer.graph_in("fp16") == tmp_path / "newer" / HALF_GRAPH
    assert newer.transformer == bundle.transformer


def test_an_unknown_style_is_told_what_exists(tmp_path: Path) -> None:
    bundle = fake_bundle(tmp_path / "test", "ink", "gold")

    with pytest.raises(StyleNotFound, match="did you mean 'gold'") as caught:
        bundle.code("gould")
    assert caught.value.available == ["gold", "ink"]


# Refusing


@pytest.mark.parametrize("name", [GRAPH, WEIGHTS, CODES, "styles/ink.jpg", "styles/ink.md"])
@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        pytest.param(lambda file: file.unlink(), "cannot read {name}: No such file", id="missing"),
        pytest.param(lambda file: file.write_bytes(file.read_bytes()[:-1]), "{name} has SHA-256", id="cut short"),
        pytest.param(lambda file: file.write_bytes(file.read_bytes()[:-1] + b"~"), "{name} has SHA-256", id="altered"),
    ],
)
def test_a_damaged_file_is_refused_by_name(
    tmp_path: Path, name: str, damage: Callable[[Path], object], reason: str
) -> None:
    bundle = fake_bundle(tmp_path / "test", "ink")
    damage(bundle.path / name)

    with pytest.raises(BundleError, match=reason.format(name=name)):
        load_bundle(bundle.path)


@pytest.mark.parametrize(
    ("manifest", "reason"),
    [
        pytest.param(None, "is no bundle: cannot read bundle.json", id="absent"),
        pytest.param(b'{"format_version": 1, "na', "bundle.json is no JSON", id="cut short"),
        pytest.param(b"\xff\xfe\x00", "bundle.json is no JSON", id="not text"),
        pytest.param(b"[" * 100_000, "bundle.json is no JSON", id="nested without end"),
        pytest.param(b"[]", "format version None", id="a list"),
        pytest.param(b'{"format_version": 2}', "format version 2; this Impasto reads 1", id="of a later format"),
        pytest.param(b'{"format_version": 1}', "bundle.json does not list transformer.onnx", id="without files"),
    ],
)
def test_a_bad_manifest_is_refused(tmp_path: Path, manifest: bytes | None, reason: str) -> None:
    if manifest is not None:
        (tmp_path / MANIFEST).write_bytes(manifest)

    with pytest.raises(BundleError, match=reason):
        load_bundle(tmp_path)


def duplicate_under_another_id(manifest: dict[str, Any]) -> None:
    manifest["styles"].append({**manifest["styles"][0], "id": "../ink"})


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        pytest.param(lambda m: m.pop("name"), "bundle.json lacks 'name'", id="no name"),
        pytest.param(lambda m: m.update(name="My Bundle"), "'My Bundle' is no id", id="a name that is no id"),
        pytest.param(lambda m: m.update(version="2/3"), "'2/3' is no version", id="a version that is none"),
        pytest.param(lambda m: m.update(version="1" * 65), "is no version", id="a version without end"),
        pytest.param(lambda m: m.pop("code_size"), "bundle.json lacks 'code_size'", id="no code size"),
        pytest.param(lambda m: m.update(code_size=12), r"asks for float32 \(12,\)", id="another code size"),
        pytest.param(lambda m: m.update(size_multiple=0), "size_multiple is 0", id="a size multiple of 0"),
        pytest.param(lambda m: m.update(size_multiple="4"), "size_multiple is '4'", id="a size multiple in words"),
        pytest.param(lambda m: m.update(precisions={"fp16": "x"}), "'x' among its precisions", id="no such graph"),
        pytest.param(lambda m: m.update(precisions=16), "makes no sense", id="precisions that are a number"),
        pytest.param(lambda m: m["styles"].clear(), r"bundle.json lists the styles \[\]", id="no styles"),
        pytest.param(lambda m: m["styles"].pop(), r"styles.safetensors holds the codes \['ink'\]", id="a style less"),
        pytest.param(duplicate_under_another_id, r"lacks 'styles/\.\./ink\.jpg'", id="a style of a wild id"),
        pytest.param(lambda m: m["files"].update({"../key": "0"}), "'../key', which lies outside", id="a file above"),
        pytest.param(lambda m: m["files"].update({"/etc/x": "0"}), "'/etc/x', which lies outside", id="a file at /"),
        pytest.param(lambda m: m["files"].update({"a\0b": "0"}), "which lies outside", id="a file of no possible name"),
        pytest.param(lambda m: m["files"].update({GRAPH: None}), f"{GRAPH} has SHA-256", id="no digest"),
        pytest.param(lambda m: m["files"].pop("styles/ink.md"), "lacks 'styles/ink.md'", id="no model card"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(tmp_path: Path, edit: Edit, reason: str) -> None:
    bundle = fake_bundle(tmp_path / "test", "ink")
    edit_manifest(bundle, edit)

    with pytest.raises(BundleError, match=reason):
        load_bundle(bundle.path)


@pytest.mark.parametrize(
    ("codes", "reason"),
    [
        pytest.param({"ink": code(0, 1)}, "styles.safetensors lacks the code 'identity'", id="no identity"),
        pytest.param({IDENTITY: code(0.9, 0), "ink": code(0, 1)}, "does not return the photo", id="a false identity"),
        pytest.param({IDENTITY: code(1, 0)}, r"holds the codes \[\]", id="a style without a code"),
        pytest.param({"ink": code(0, np.nan)}, "'ink' that are not finite", id="NaN"),
        pytest.param({"ink": code(0, np.inf)}, "'ink' that are not finite", id="infinite"),
        pytest.param({"ink": np.zeros(CODE_SIZE - 1, np.float32)}, r"'ink' as float32 \(9,\)", id="too short"),
        pytest.param({"ink": np.zeros(CODE_SIZE)}, "'ink' as float64", id="float64"),
        pytest.param({"ink": np.zeros((1, CODE_SIZE), np.float32)}, r"'ink' as float32 \(1, 10\)", id="2-D"),
    ],
)
def test_codes_that_cannot_paint_are_refused(tmp_path: Path, codes: dict[str, Any], reason: str) -> None:
    bundle = fake_bundle(tmp_path / "test", "ink")
    replace(bundle, CODES, save(codes))

    with pytest.raises(BundleError, match=reason):
        load_bundle(bundle.path)


def test_codes_that_are_no_safetensors_are_refused(tmp_path: Path) -> None:
    bundle = fake_bundle(tmp_path / "test", "ink")
    replace(bundle, CODES, b"\x80\x04pickled")

    with pytest.raises(BundleError, match=f"{CODES} cannot be read"):
        load_bundle(bundle.path)


# Writing


def contents(bundle: Bundle) -> dict[str, bytes]:
    return {name: (bundle.path / name).read_bytes() for name in bundle.manifest["files"]}


def test_a_bundle_is_replaced_whole(tmp_path: Path) -> None:
    fake_bundle(tmp_path / "test", "ink", "gold")

    bundle = fake_bundle(tmp_path / "test", "rust")

    assert list(bundle.styles) == ["rust"]
    assert sorted(path.name for path in (bundle.path / "styles").iterdir()) == ["rust.jpg", "rust.md"]
    assert [path.name for path in tmp_path.iterdir()] == ["test"]


def test_a_bundle_that_is_not_sound_never_replaces_one_that_is(tmp_path: Path) -> None:
    bundle = fake_bundle(tmp_path / "test", "ink")
    files = contents(bundle)
    files[CODES] = save({"ink": load(files[CODES])["ink"]})

    with pytest.raises(BundleError, match="lacks the code 'identity'"):
        write_bundle(bundle.path, bundle.manifest, files)

    assert list(load_bundle(bundle.path).styles) == ["ink"]
    assert [path.name for path in tmp_path.iterdir()] == ["test"]


def test_a_failed_swap_puts_the_older_bundle_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = fake_bundle(tmp_path / "test", "ink")
    rename = Path.rename

    def fail_for_the_draft(self: Path, target: Path) -> Path:
        if self.suffix == ".draft":
            raise OSError("the disk went away")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail_for_the_draft)
    with pytest.raises(BundleError, match="the disk went away"):
        write_bundle(bundle.path, bundle.manifest, contents(bundle))

    assert list(load_bundle(bundle.path).styles) == ["ink"]
    assert [path.name for path in tmp_path.iterdir()] == ["test"]


def test_a_folder_that_is_no_bundle_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter-1.txt").write_text("It was a dark night.")

    with pytest.raises(BundleError, match="exists and is no bundle"):
        fake_bundle(tmp_path / "thesis")

    assert (tmp_path / "thesis" / "chapter-1.txt").read_text() == "It was a dark night."


def test_nothing_is_written_outside_the_bundle(tmp_path: Path) -> None:
    bundle = fake_bundle(tmp_path / "test", "ink")

    with pytest.raises(BundleError, match="outside the bundle"):
        write_bundle(tmp_path / "other", bundle.manifest, {**contents(bundle), "../../escaped": b"!"})

    assert [path.name for path in tmp_path.iterdir()] == ["test"]

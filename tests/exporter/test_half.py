"""The graph in half precision: what it computes in fp16 and what not, and that a bundle has it only where it passes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto
from onnx.external_data_helper import uses_external_data

from impasto.bundle import GRAPH, HALF_GRAPH, STARTER, Bundle, load_bundle, write_bundle
from impasto.cards import About
from impasto.engine import Provider, open_engine
from impasto.engine.buckets import DeviceThread, StaticEngine
from impasto.engine.precision import LEAST_DECIBELS
from impasto.engine.static import CPU_PLACE
from impasto.nn.checkpoint import Checkpoint
from impasto.nn.designs import DESIGNS
from impasto.nn.transformer import Architecture, TransformerNet, new_code
from impasto_exporter import half_variant
from impasto_exporter.export import Export, export
from impasto_exporter.half import in_half
from impasto_exporter.half_variant import add_half
from impasto_exporter.main import main
from impasto_exporter.scaling import with_scaling_norms


def exported(path: Path, design: str = "shuffle-cin") -> Export:
    torch.manual_seed(0)
    architecture = Architecture(name=design, width=8, residual_blocks=1)
    source = Checkpoint(
        architecture=architecture,
        weights=TransformerNet(architecture).state_dict(),
        styles=("ink",),
        codes=new_code(architecture)[None],
        thumbnails={"ink": b"a picture"},
    )
    return export(source, path, name="one", version="1", about=About())


@pytest.fixture(scope="module", params=DESIGNS)
def done(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Export:
    return exported(tmp_path_factory.mktemp("out") / "one", request.param)


@pytest.fixture
def older(done: Export, tmp_path: Path) -> Bundle:
    """Return a bundle as they were before there were graphs in half precision."""
    bundle = done.bundle
    files = {name: (bundle.path / name).read_bytes() for name in bundle.manifest["files"] if name != HALF_GRAPH}
    parity = {key: value for key, value in bundle.manifest["parity"].items() if key != "fp16"}
    manifest = {**bundle.manifest, "precisions": {"fp32": GRAPH}, "parity": parity}
    added = ("files", "format_version")
    return write_bundle(tmp_path / "older", {key: manifest[key] for key in manifest if key not in added}, files)


def types(model: onnx.ModelProto) -> dict[str, int]:
    graph = onnx.shape_inference.infer_shapes(model).graph
    values = (*graph.value_info, *graph.input, *graph.output)
    return {
        **{tensor.name: tensor.data_type for tensor in graph.initializer},
        **{value.name: value.type.tensor_type.elem_type for value in values},
    }


def test_every_design_has_a_graph_in_half_precision_that_paints_the_same(done: Export) -> None:
    assert done.half.passes
    assert done.half.decibels["ink"] > LEAST_DECIBELS
    side = 8 * done.bundle.size_multiple
    photo = np.random.default_rng(0).random((1, 3, side, side), dtype=np.float32)
    half = StaticEngine(done.bundle.graph_in("fp16"), len(done.bundle.identity), CPU_PLACE, DeviceThread("test"))
    for code in (done.bundle.code("ink")[None], done.bundle.identity[None]):
        expected = open_engine(done.bundle, provider=Provider.CPU).run(photo, code)
        assert np.abs(half.run(photo, code) - expected).max() < 0.02


def test_convolutions_and_norms_are_in_half_precision_and_the_gate_is_not(done: Export) -> None:
    model = onnx.load(done.bundle.graph_in("fp16"), load_external_data=False)
    kinds = types(model)

    def of(operator: str) -> set[int]:
        nodes = [node for node in model.graph.node if node.op_type == operator]
        return {kinds[name] for node in nodes for name in (node.input[0], node.output[0])}

    assert of("Conv") == of("Pad") == of("Relu") == of("InstanceNormalization") == {TensorProto.FLOAT16}
    assert of("Sigmoid") == of("Clip") == {TensorProto.FLOAT}
    (painted,) = model.graph.output
    gate = {name for node in model.graph.node if painted.name in node.output for name in node.input}
    behind = [node for node in model.graph.node if gate.intersection(node.output)]
    assert {kinds[name] for node in behind for name in node.input} == {TensorProto.FLOAT}
    assert {kinds[value.name] for value in (*model.graph.input, painted)} == {TensorProto.FLOAT}


def test_every_value_is_rounded_once_where_it_is_used_twice(done: Export) -> None:
    model = onnx.load(done.bundle.graph_in("fp16"), load_external_data=False)
    casts = [(node.input[0], node.attribute[0].i) for node in model.graph.node if node.op_type == "Cast"]

    assert len(casts) == len(set(casts))
    assert [kind for name, kind in casts if name == "style"] == [TensorProto.FLOAT16]


def test_both_graphs_refer_to_the_same_weights(done: Export) -> None:
    models = [onnx.load(path, load_external_data=False) for path in done.bundle.graphs.values()]
    one, other = (
        [tensor.SerializeToString() for tensor in model.graph.initializer if uses_external_data(tensor)]
        for model in models
    )

    assert done.bundle.graph_in("fp16").stat().st_size < 100_000
    assert one == other != []


def test_a_graph_that_ends_in_half_precision_still_returns_fp32() -> None:
    image = onnx.helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 1, "H", "W"])
    painted = onnx.helper.make_tensor_value_info("painted", TensorProto.FLOAT, ["N", 1, "H", "W"])
    weight = onnx.helper.make_tensor("weight", TensorProto.FLOAT, [1, 1, 1, 1], [0.5])
    nodes = [onnx.helper.make_node("Conv", ["image", "weight"], ["painted"])]
    graph = onnx.helper.make_graph(nodes, "one convolution", [image], [painted], [weight])
    opset = [onnx.helper.make_opsetid("", 18)]

    half = in_half(onnx.helper.make_model(graph, opset_imports=opset, ir_version=10))

    onnx.checker.check_model(half, full_check=True)
    assert types(half)["painted"] == TensorProto.FLOAT
    assert [node.op_type for node in half.graph.node] == ["Cast", "Cast", "Conv", "Cast"]


def test_a_style_that_suffers_leaves_the_bundle_without_it_and_the_report_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(half_variant, "LEAST_DECIBELS", 1000.0)

    done = exported(tmp_path / "one")

    assert list(done.bundle.graphs) == ["fp32"]
    assert not (done.bundle.path / HALF_GRAPH).exists()
    assert "is left out, since less than 1000 dB can be seen" in str(done.half)
    assert done.bundle.manifest["parity"]["fp16"]["decibels"].keys() == {"ink"}


def test_the_program_adds_it_to_a_bundle_and_changes_nothing_else(
    older: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    assert list(older.graphs) == ["fp32"]

    assert main(["--half", str(older.path)]) == 0

    assert "the graph in fp16 is added" in capsys.readouterr().out
    newer = load_bundle(older.path)
    assert list(newer.graphs) == ["fp32", "fp16"]
    assert newer.transformer == older.transformer
    assert newer.manifest["files"].items() > older.manifest["files"].items()
    changed = {key for key in newer.manifest if newer.manifest[key] != older.manifest[key]}
    assert changed == {"precisions", "parity", "files"}
    again, _ = add_half(older.path)
    assert again.manifest == newer.manifest


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ([], "give CHECKPOINT and --out BUNDLE, or --half BUNDLE"),
        (["c.safetensors"], "give CHECKPOINT and --out BUNDLE"),
        (["--half", "one", "--out", "two"], "give neither CHECKPOINT nor --out with it"),
    ],
)
def test_arguments_that_do_not_go_together_are_refused(
    given: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(given)
    assert complaint in capsys.readouterr().err


def test_half_of_no_bundle_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--half", str(tmp_path)]) == 1
    assert "is no bundle" in capsys.readouterr().err


def test_the_starter_has_one_that_every_style_passes() -> None:
    starter = load_bundle(STARTER)
    report = starter.manifest["parity"]["fp16"]

    assert list(starter.graphs) == ["fp32", "fp16"]
    assert report["decibels"].keys() == starter.styles.keys()
    assert min(report["decibels"].values()) >= report["least_decibels"] == LEAST_DECIBELS
    made = in_half(with_scaling_norms(onnx.load(starter.graph, load_external_data=False)))
    assert starter.graph_in("fp16").read_bytes() == made.SerializeToString()

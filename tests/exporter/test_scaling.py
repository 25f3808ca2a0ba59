"""Norms that scale by the style code themselves: the graph computes what it did, in fewer passes over a picture."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from impasto.bundle import STARTER, WEIGHTS, load_bundle
from impasto.codes import Codes
from impasto.images import Planes
from impasto_exporter.scaling import with_scaling_norms


def painted(graph: Path, photos: Planes, codes: Codes) -> Planes:
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    (result,) = session.run(None, {"image": photos, "style": codes})
    assert isinstance(result, np.ndarray)
    return result


def test_a_batch_of_unlike_styles_is_painted_as_before_without_a_mul_and_an_add_a_norm(tmp_path: Path) -> None:
    starter = load_bundle(STARTER)
    model = onnx.load(starter.graph, load_external_data=False)
    photos = np.random.default_rng(0).random((3, 3, 40, 56), dtype=np.float32)
    codes = np.stack([*list(starter.codes.values())[:2], starter.identity])

    scaling = with_scaling_norms(model)

    graph = tmp_path / "scaling.onnx"
    onnx.save(scaling, graph)
    (tmp_path / WEIGHTS).write_bytes((starter.path / WEIGHTS).read_bytes())
    onnx.checker.check_model(graph, full_check=True)
    assert np.abs(painted(graph, photos, codes) - painted(starter.graph, photos, codes)).max() < 1e-4
    before, after = (Counter(node.op_type for node in graph.graph.node) for graph in (model, scaling))
    norms = before["InstanceNormalization"]
    assert after["InstanceNormalization"] == norms > 0
    for operator in ("Mul", "Add"):
        assert before[operator] - after[operator] == norms
    assert before["Unsqueeze"] - after["Unsqueeze"] == 2 * norms
    assert after["Reshape"] - before["Reshape"] == 4 * norms


@pytest.mark.parametrize("case", ["scales of its own", "nothing behind it", "used twice", "an output", "along rows"])
def test_a_norm_that_is_not_as_traced_stays_as_it_is(case: str) -> None:
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 2, "H", "W"])
    style = helper.make_tensor_value_info("style", TensorProto.FLOAT, ["N", 2])
    result = helper.make_tensor_value_info("painted", TensorProto.FLOAT, ["N", 2, "H", "W"])
    scale = np.full(2, 2.0 if case == "scales of its own" else 1.0, np.float32)
    axes = np.array([1, 2] if case == "along rows" else [2, 3])
    constants = {"scale": scale, "bias": np.zeros(2, np.float32), "axes": axes}
    nodes = [
        helper.make_node("InstanceNormalization", ["image", "scale", "bias"], ["normalised"]),
        helper.make_node("Unsqueeze", ["style", "axes"], ["gamma"]),
        helper.make_node("Unsqueeze", ["style", "axes"], ["beta"]),
        helper.make_node("Mul", ["normalised", "gamma"], ["times"]),
        helper.make_node("Add", ["times", "normalised" if case == "used twice" else "beta"], ["painted"]),
    ]
    if case == "nothing behind it":
        nodes = [helper.make_node("InstanceNormalization", ["image", "scale", "bias"], ["painted"])]
    initializers = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    between = helper.make_tensor_value_info("times", TensorProto.FLOAT, ["N", 2, "H", "W"])
    results = [result, between] if case == "an output" else [result]
    graph = helper.make_graph(nodes, case, [image, style], results, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)

    assert list(with_scaling_norms(model).graph.node) == nodes

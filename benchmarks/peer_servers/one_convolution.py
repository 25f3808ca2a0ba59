"""A bundle whose network is one convolution, so that next to nothing but the server is measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper
from safetensors.numpy import save

from impasto import images
from impasto.bundle import CODES, GRAPH, IDENTITY, WEIGHTS, Bundle, write_bundle
from impasto.codes import Codes

STYLE = "sharper"
_CODE_SIZE = 10  # 4 numbers that the network does not read, and the gate


def one_convolution_bundle(path: Path) -> Bundle:
    """Write a bundle that paints clip(a * image + b * conv(image)), where conv sharpens each channel."""
    manifest = {
        "name": "one-convolution",
        "version": "1",
        "code_size": _CODE_SIZE,
        "size_multiple": 8,
        "styles": [{"id": STYLE, "title": "Sharper", "artist": "", "year": ""}],
    }
    files = {
        GRAPH: _graph(),
        WEIGHTS: save({"none": np.zeros(1, np.float32)}),  # they are in the graph
        CODES: save({IDENTITY: _code(1, 0), STYLE: _code(0, 1)}),
        f"styles/{STYLE}.jpg": images.encode(np.full((32, 32, 3), 128, np.uint8)),
        f"styles/{STYLE}.md": b"# Sharper\n",
    }
    return write_bundle(path, manifest, files)


def _code(a: float, b: float) -> Codes:
    return np.asarray([0] * (_CODE_SIZE - 6) + [a] * 3 + [b] * 3, dtype=np.float32)


def _graph() -> bytes:
    node = helper.make_node
    nodes = [
        node("Conv", ["image", "kernel"], ["network"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        *_gate_channels("a", "a_start", "b_start"),
        *_gate_channels("b", "b_start", "end"),
        node("Mul", ["a", "image"], ["kept"]),
        node("Mul", ["b", "network"], ["paint"]),
        node("Add", ["kept", "paint"], ["sum"]),
        node("Clip", ["sum", "zero", "one"], ["painted"]),
    ]
    kernel = np.zeros((3, 3, 3, 3), np.float32)
    kernel[range(3), range(3)] = [[0, -0.25, 0], [-0.25, 2, -0.25], [0, -0.25, 0]]
    integers = {"a_start": [-6], "b_start": [-3], "end": [_CODE_SIZE], "channel": [1], "space": [2, 3]}
    constants = [helper.make_tensor(name, TensorProto.INT64, [len(v)], v) for name, v in integers.items()]
    constants += [helper.make_tensor(name, TensorProto.FLOAT, [], [v]) for name, v in (("zero", 0.0), ("one", 1.0))]
    shape: list[str | int | None] = ["N", 3, "H", "W"]
    graph = helper.make_graph(
        nodes,
        "one-convolution",
        [
            helper.make_tensor_value_info("image", TensorProto.FLOAT, shape),
            helper.make_tensor_value_info("style", TensorProto.FLOAT, ["N", _CODE_SIZE]),
        ],
        [helper.make_tensor_value_info("painted", TensorProto.FLOAT, shape)],
        [*constants, numpy_helper.from_array(kernel, "kernel")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return bytes(model.SerializeToString())


def _gate_channels(name: str, start: str, end: str) -> list[NodeProto]:
    """Return what cuts three numbers out of the code, as [N, 3, 1, 1]."""
    return [
        helper.make_node("Slice", ["style", start, end, "channel"], [f"{name}_flat"]),
        helper.make_node("Unsqueeze", [f"{name}_flat", "space"], [name]),
    ]

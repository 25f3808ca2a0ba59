"""A bundle that ONNX Runtime can run: the gate alone, with the photo's negative in the network's place."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from onnx import NodeProto, TensorProto, helper
from safetensors.numpy import save

from impasto.bundle import GRAPH, WEIGHTS, Bundle, write_bundle
from tests.support import CODE_SIZE, fake_bundle


def gate_bundle(path: Path, *, white: float = 1.0, graph: bytes | None = None, version: str = "1") -> Bundle:
    """Write a bundle that paints clip(a * image + b * (white - image)), or one with this `graph` instead.

    `white` lies in the weights' file, as a trained transformer's weights do.
    """
    bundle = fake_bundle(path, "ink", "gold", version=version)
    files = {name: (path / name).read_bytes() for name in bundle.manifest["files"]}
    files[WEIGHTS] = save({"white": np.asarray([white], np.float32)})
    files[GRAPH] = _graph(files[WEIGHTS]) if graph is None else graph
    return write_bundle(path, bundle.manifest, files)


def halving_graph() -> bytes:
    """Return a graph that paints every picture at half its size."""
    return _model([helper.make_node("AveragePool", ["image"], ["painted"], kernel_shape=[2, 2], strides=[2, 2])], [])


def _graph(weights: bytes) -> bytes:
    node = helper.make_node
    nodes = [
        node("Slice", ["style", "a_start", "b_start", "channel"], ["a_flat"]),
        node("Slice", ["style", "b_start", "end", "channel"], ["b_flat"]),
        node("Unsqueeze", ["a_flat", "space"], ["a"]),
        node("Unsqueeze", ["b_flat", "space"], ["b"]),
        node("Mul", ["a", "image"], ["kept"]),
        node("Sub", ["white", "image"], ["negative"]),
        node("Mul", ["b", "negative"], ["paint"]),
        node("Add", ["kept", "paint"], ["sum"]),
        node("Clip", ["sum", "zero", "one"], ["painted"]),
    ]
    integers = {"a_start": [-6], "b_start": [-3], "end": [CODE_SIZE], "channel": [1], "space": [2, 3]}
    constants = [helper.make_tensor(name, TensorProto.INT64, [len(v)], v) for name, v in integers.items()]
    constants += [helper.make_tensor(name, TensorProto.FLOAT, [], [v]) for name, v in (("zero", 0.0), ("one", 1.0))]
    return _model(nodes, [*constants, _external("white", weights)])


def _model(nodes: list[NodeProto], initializers: list[TensorProto]) -> bytes:
    """Return a model with a transformer's inputs and output."""
    shape: list[str | int | None] = ["N", 3, "H", "W"]
    graph = helper.make_graph(
        nodes,
        "gate",
        [
            helper.make_tensor_value_info("image", TensorProto.FLOAT, shape),
            helper.make_tensor_value_info("style", TensorProto.FLOAT, ["N", CODE_SIZE]),
        ],
        [helper.make_tensor_value_info("painted", TensorProto.FLOAT, ["N", 3, "h", "w"])],
        initializers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return bytes(model.SerializeToString())


def _external(name: str, weights: bytes) -> TensorProto:
    """Return a float [1] that is the first tensor of a safetensors file: its length, its JSON header, its data."""
    (header,) = struct.unpack_from("<Q", weights)
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    for key, value in {"location": WEIGHTS, "offset": str(8 + header), "length": "4"}.items():
        tensor.external_data.add(key=key, value=value)
    return tensor

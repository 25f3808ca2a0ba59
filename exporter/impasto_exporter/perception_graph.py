"""A perception as an ONNX graph, for where there is no torch: its weights stay in the safetensors file that ships."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load

from impasto.backbones import Backbone
from impasto.engine.sight import CONTENT, IMAGE, gram_output
from impasto.errors import ExportError
from impasto.nn.perception import IMAGENET_MEAN, IMAGENET_STD
from impasto_exporter.graph import OPSET, places

_IR_VERSION = 10  # of ONNX; ONNX Runtime 1.18 and later read it
_ELEMENTS = {"float16": TensorProto.FLOAT16, "float32": TensorProto.FLOAT}


def write_perception_graph(
    path: Path, backbone: Backbone, weights: Path, *, content: str, styles: Sequence[str]
) -> None:
    """Write the graph of a perception, which refers to a file of weights beside it.

    Input `image` [N, 3, H, W], RGB in 0..1; N, H and W are free, H and W at least 16. Outputs `content`, the features
    [N, C, H / 2^k, W / 2^k] of a layer behind k poolings, and `gram_<layer>`, the Gram matrices [N, C, C] of others:
    what `impasto.nn.perception` and `impasto.nn.losses.gram` compute, with max pooling.

    Args:
        path: in the folder of the weights.
        backbone: one whose convolutions are whole.
        weights: its safetensors file, in floating point.
        content, styles: layers.

    Raises:
        ExportError: the file lacks a weight, or holds it as something else than floating point.
        ValueError: a layer that the backbone lacks.
    """
    builder = _Builder(weights)
    deepest = max((content, *styles), key=backbone.depth)
    features = builder.normalised(IMAGE)
    outputs = []
    for layer in list(backbone.channels)[: backbone.depth(deepest) + 1]:
        features = builder.layer(layer, features, pooled=layer.endswith("_1") and layer != "relu1_1")
        seen = builder.measured(layer, features) if backbone.measured and layer in backbone.exits else features
        channels = backbone.channels[layer]
        if layer == content:
            builder.node("Identity", [seen], CONTENT)
            outputs.append(_value(CONTENT, ["N", channels, None, None]))
        if layer in styles:
            builder.gram(seen, gram_output(layer))
            outputs.append(_value(gram_output(layer), ["N", channels, channels]))
    onnx.save(builder.model(f"{backbone.name} perception", outputs), path)
    onnx.checker.check_model(path)


class _Builder:
    """Nodes and constants of a graph in the making; each method that adds some returns the name of their result."""

    def __init__(self, weights: Path) -> None:
        contents = weights.read_bytes()
        self._file = weights.name
        self._weights = load(contents)
        self._places = places(contents)
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}

    def model(self, name: str, outputs: Iterable[onnx.ValueInfoProto]) -> onnx.ModelProto:
        image = _value(IMAGE, ["N", 3, "H", "W"])
        graph = helper.make_graph(self._nodes, name, [image], list(outputs), list(self._constants.values()))
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=_IR_VERSION)

    def normalised(self, image: str) -> str:
        mean, std = (np.asarray(three, np.float32).reshape(1, 3, 1, 1) for three in (IMAGENET_MEAN, IMAGENET_STD))
        centred = self.node("Sub", [image, self._constant("mean", mean)], "centred")
        return self.node("Div", [centred, self._constant("std", std)], "normalised")

    def layer(self, name: str, features: str, *, pooled: bool) -> str:
        if pooled:
            features = self.node("MaxPool", [features], f"{name}.pooled", kernel_shape=[2, 2], strides=[2, 2])
        filters = [features, self._weight(f"features.{name}.weight"), self._weight(f"features.{name}.bias")]
        return self.node("Relu", [self.node("Conv", filters, f"{name}.sums", pads=[1, 1, 1, 1])], name)

    def measured(self, name: str, features: str) -> str:
        return self.node("Conv", [features, self._weight(f"metrics.{name}.weight")], f"{name}.measured")

    def gram(self, features: str, output: str) -> str:
        rows = self.node("Reshape", [features, self._constant("rows", np.asarray([0, 0, -1]))], f"{output}.rows")
        columns = self.node("Transpose", [rows], f"{output}.columns", perm=[0, 2, 1])
        positions = self.node("Shape", [rows], f"{output}.shape", start=2)
        count = self.node("Cast", [positions], f"{output}.count", to=TensorProto.FLOAT)
        return self.node("Div", [self.node("MatMul", [rows, columns], f"{output}.products"), count], output)

    def node(self, operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        self._nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def _constant(self, name: str, value: np.ndarray) -> str:
        self._constants[name] = numpy_helper.from_array(value, name)
        return name

    def _weight(self, name: str) -> str:
        """Refer to a weight where it lies; it is turned into fp32 once, when a session is opened."""
        value = self._weights.get(name)
        if value is None or str(value.dtype) not in _ELEMENTS:
            raise ExportError(f"{self._file} holds no {name} in floating point")
        tensor = TensorProto(name=name, dims=value.shape, data_type=_ELEMENTS[str(value.dtype)])
        tensor.data_location = TensorProto.EXTERNAL
        begin, end = self._places[name]
        for key, place in (("location", self._file), ("offset", begin), ("length", end - begin)):
            tensor.external_data.add(key=key, value=str(place))
        self._constants[name] = tensor
        return self.node("Cast", [name], f"{name}.fp32", to=TensorProto.FLOAT)


def _value(name: str, shape: Sequence[str | int | None]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

"""The transformer's graph in half precision (fp16): its convolutions, and all between the first of them and the last.

An instance norm takes and gives fp16 as well, but ONNX Runtime's CUDA provider adds up and divides in fp32 within it;
the CPU's has none for fp16, and puts a Cast on either side of one for fp32. Everything else stays in fp32: the sigmoid
and the gate, which add the photo itself; the inputs and the output. The weights stay where they are, in fp32, with a
Cast behind each, which the runtime computes once, when it opens the graph.
"""

from __future__ import annotations

from collections.abc import Iterable

import onnx
from onnx import NodeProto, TensorProto, helper

_CARRIERS = {"Pad", "Reshape", "Slice", "Transpose", "Unsqueeze"}
"""Operators that hand numbers on unchanged, so that it does not matter on which side of them they are rounded."""


def in_half(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the graph in half precision; inputs, output and weights are those of `model`."""
    rewriting = _Rewriting(model)
    for node in model.graph.node:
        rewriting.add(node)
    for output in model.graph.output:
        rewriting.keep_output(output.name)
    half = onnx.ModelProto()
    half.CopyFrom(model)
    half.graph.ClearField("node")
    half.graph.ClearField("value_info")  # it tells the types of before
    half.graph.node.extend(rewriting.nodes)
    return half


class _Rewriting:
    """Copies the nodes of a graph, each in its precision, with a Cast wherever two of them meet."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.nodes: list[NodeProto] = []
        self._opset = model.opset_import[0].version
        self._types = _types(model)
        self._half_nodes = _half_nodes(model.graph.node, self._types)
        self._half_values: set[str] = set()
        self._casts: dict[tuple[str, int], str] = {}

    def add(self, node: NodeProto) -> None:
        half = node.output[0] in self._half_nodes
        copied = NodeProto()
        copied.CopyFrom(node)
        for place in _of_the_outputs_type(node, self._opset):
            if self._is_float(node.input[place]):
                copied.input[place] = self._in(node.input[place], half)
        self.nodes.append(copied)
        if half:
            self._half_values.update(node.output)

    def keep_output(self, name: str) -> None:
        """Have the graph's output in fp32, under its name, whatever paints it."""
        if name in self._half_values:
            painter = next(node for node in self.nodes if name in node.output)
            painter.output[list(painter.output).index(name)] = f"{name}_as_half"
            self.nodes.append(helper.make_node("Cast", [f"{name}_as_half"], [name], to=TensorProto.FLOAT))

    def _is_float(self, name: str) -> bool:
        return self._types.get(name) == TensorProto.FLOAT

    def _in(self, name: str, half: bool) -> str:
        """Return the name of a value in a precision; where it is in the other one, of a Cast of it."""
        if (name in self._half_values) == half:
            return name
        wanted = TensorProto.FLOAT16 if half else TensorProto.FLOAT
        if (name, wanted) not in self._casts:
            cast = f"{name}_as_{'half' if half else 'float'}"
            self.nodes.append(helper.make_node("Cast", [name], [cast], name=f"cast_{cast}", to=wanted))
            self._casts[name, wanted] = cast
        return self._casts[name, wanted]


def _half_nodes(nodes: Iterable[NodeProto], types: dict[str, int]) -> set[str]:
    """Return the nodes to compute in half precision, by the name of their first output."""
    nodes = list(nodes)
    behind: set[str] = set()  # values that depend on a convolution
    for node in nodes:
        if node.op_type == "Conv" or behind.intersection(node.input):
            behind.update(node.output)
    ahead: set[str] = set()  # values that a convolution depends on
    half: set[str] = set()
    for node in reversed(nodes):
        leads_on = bool(ahead.intersection(node.output))
        if node.op_type == "Conv" or leads_on:
            ahead.update(node.input)
        between = node.op_type == "Conv" or (leads_on and node.output[0] in behind)
        if types.get(node.output[0]) == TensorProto.FLOAT and between:
            half.add(node.output[0])
    return half | _carriers(nodes, half, types)


def _carriers(nodes: list[NodeProto], half: set[str], types: dict[str, int]) -> set[str]:
    """Return the nodes that only hand numbers on to those in half precision: one Cast, ahead of them all, will do."""
    carriers: set[str] = set()
    for node in reversed(nodes):
        (output, *_) = node.output
        takers = [other.output[0] for other in nodes if output in other.input and other.op_type != "Shape"]
        if node.op_type in _CARRIERS and types.get(output) == TensorProto.FLOAT and takers:
            carriers.update([output] if half.union(carriers).issuperset(takers) else [])
    return carriers


def _of_the_outputs_type(node: NodeProto, opset: int) -> list[int]:
    """Return the inputs that have the type of the output; others, as a Resize's scales, keep their own."""
    schema = onnx.defs.get_schema(node.op_type, opset)
    kind = schema.outputs[0].type_str
    last = len(schema.inputs) - 1  # the last may stand for any number of them
    return [place for place in range(len(node.input)) if schema.inputs[min(place, last)].type_str == kind]


def _types(model: onnx.ModelProto) -> dict[str, int]:
    """Return the type of every value's elements."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    types = {tensor.name: tensor.data_type for tensor in graph.initializer}
    for value in (*graph.input, *graph.output, *graph.value_info):
        types[value.name] = value.type.tensor_type.elem_type
    return types

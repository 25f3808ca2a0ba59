"""Instance norms that scale by the style code themselves.

A graph as traced passes over a picture three times where once would do: an InstanceNormalization with scales of 1,
which belong to channels and not to pictures, and behind it what the code says, times a gamma and plus a beta for every
picture and channel (Dumoulin et al. 2017, equation 5). Seen as one picture of N x C channels, which a Reshape says
without touching a number, a batch has scales enough for both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import NodeProto, helper, numpy_helper
from onnx.external_data_helper import uses_external_data

_ONE_PICTURE = "shape_of_one_picture"
_A_LIST = "shape_of_a_list"


@dataclass(frozen=True)
class _Norm:
    """What is to become one node: x, normalised, times gamma, plus beta.

    Attributes:
        norm, times, plus: the nodes.
        gamma, beta: the nodes that make [N, C, 1, 1] of the code's [N, C].
        channels: C.
    """

    norm: NodeProto
    times: NodeProto
    plus: NodeProto
    gamma: NodeProto
    beta: NodeProto
    channels: int


def with_scaling_norms(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the graph with instance norms that do their Mul and Add themselves, where they are as traced.

    It computes the same, and its inputs, output and weights are the same.
    """
    nodes = list(model.graph.node)
    found = {id(one.plus): one for one in _Reading(model.graph, nodes).norms()}
    gone = {id(node) for one in found.values() for node in (one.norm, one.times, one.gamma, one.beta)}
    result = onnx.ModelProto()
    result.CopyFrom(model)
    result.graph.ClearField("node")
    result.graph.ClearField("value_info")  # it tells of values that are gone
    for node in nodes:
        if id(node) in found:
            result.graph.node.extend(_one_node(found[id(node)]))
        elif id(node) not in gone:
            result.graph.node.append(node)
    if found:
        result.graph.initializer.extend(_shapes(one.channels for one in found.values()))
    _drop_unused(result.graph)
    return result


class _Reading:
    """Finds such norms in a graph."""

    def __init__(self, graph: onnx.GraphProto, nodes: list[NodeProto]) -> None:
        self._nodes = nodes
        self._makers = {output: node for node in nodes for output in node.output}
        self._takers: dict[str, list[NodeProto]] = {}
        for node in nodes:
            for name in node.input:
                self._takers.setdefault(name, []).append(node)
        stays = [tensor for tensor in graph.initializer if not uses_external_data(tensor)]  # as weights do
        self._constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in stays}
        self._outputs = {output.name for output in graph.output}

    def norms(self) -> Iterator[_Norm]:
        for node in self._nodes:
            if node.op_type == "InstanceNormalization" and self._is_plain(node):
                yield from self._norm(node)

    def _norm(self, norm: NodeProto) -> Iterator[_Norm]:
        times = self._only_taker(norm, "Mul")
        plus = times and self._only_taker(times, "Add")
        gamma, beta = (times and self._scale(times, norm)), (plus and times and self._scale(plus, times))
        if times and plus and gamma and beta:
            yield _Norm(norm, times, plus, gamma, beta, len(self._constants[norm.input[1]]))

    def _is_plain(self, norm: NodeProto) -> bool:
        """Tell whether a norm's own scales do nothing."""
        if not self._constants.keys() >= set(norm.input[1:]):
            return False
        scale, bias = (self._constants[name] for name in norm.input[1:])
        return bool((scale == 1).all() and (bias == 0).all())

    def _only_taker(self, node: NodeProto, operator: str) -> NodeProto | None:
        takers = self._takers.get(node.output[0], [])
        only = len(takers) == 1 and takers[0].op_type == operator and node.output[0] not in self._outputs
        return takers[0] if only else None

    def _scale(self, node: NodeProto, beside: NodeProto) -> NodeProto | None:
        """Return what makes the other operand of a node, if that is an Unsqueeze of [N, C] for it alone."""
        (other,) = (name for name in node.input if name != beside.output[0])
        maker = self._makers.get(other)
        if maker is None or maker.op_type != "Unsqueeze" or len(self._takers[other]) > 1:
            return None
        axes = self._constants.get(maker.input[1])
        return maker if axes is not None and axes.tolist() == [2, 3] else None


def _one_node(one: _Norm) -> list[NodeProto]:
    (x, *_), (normalised,), (painted,) = one.norm.input, one.norm.output, one.plus.output
    lists = [f"{maker.output[0]}_as_list" for maker in (one.gamma, one.beta)]
    norm = NodeProto()
    norm.CopyFrom(one.norm)
    norm.ClearField("input")
    norm.ClearField("output")
    norm.input.extend([f"{normalised}_input", *lists])
    norm.output.append(normalised)
    return [
        *(
            helper.make_node("Reshape", [maker.input[0], _A_LIST], [name], name=f"reshape_{name}")
            for maker, name in zip((one.gamma, one.beta), lists, strict=True)
        ),
        helper.make_node("Reshape", [x, _ONE_PICTURE], [f"{normalised}_input"], name=f"reshape_{normalised}_input"),
        norm,
        helper.make_node("Reshape", [normalised, _batch_of(one.channels)], [painted], name=f"reshape_{painted}"),
    ]


def _drop_unused(graph: onnx.GraphProto) -> None:
    used = {name for node in graph.node for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    graph.ClearField("initializer")
    graph.initializer.extend(kept)


def _batch_of(channels: int) -> str:
    return f"shape_of_{channels}_channels"


def _shapes(channels: Iterable[int]) -> list[onnx.TensorProto]:
    """Return the shapes that Reshapes ask for; a 0 keeps what there is."""
    shapes = {_ONE_PICTURE: [1, -1, 0, 0], _A_LIST: [-1]} | {_batch_of(c): [-1, c, 0, 0] for c in channels}
    return [numpy_helper.from_array(np.array(shape, np.int64), name) for name, shape in shapes.items()]

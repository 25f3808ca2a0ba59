"""Instance norms that scale by the style code themselves.

A graph as traced has four nodes where one would do: an InstanceNormalization with scales of 1, whose scales belong to
channels and not to pictures, and behind it what the code says, times a gamma and plus a beta for every picture and
channel (Dumoulin et al. 2017, equation 5). Seen as one picture of N x C channels, a batch has scales enough for both.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import NodeProto, helper, numpy_helper

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
    """Return the graph with a single node for every instance norm and its scales, where it is as traced.

    It computes the same, and its inputs, output and weights are the same.
    """
    nodes = list(model.graph.node)
    found = {id(one.plus): one for one in _norms(nodes, model.graph.initializer)}
    gone = {id(node) for one in found.values() for node in (one.norm, one.times, one.gamma, one.beta)}
    result = onnx.ModelProto()
    result.CopyFrom(model)
    result.graph.ClearField("node")
    for node in nodes:
        if id(node) in found:
            result.graph.node.extend(_one_node(found[id(node)]))
        elif id(node) not in gone:
            result.graph.node.append(node)
    if found:
        result.graph.initializer.extend(_shapes(one.channels for one in found.values()))
    _drop_unused(result.graph)
    return result


def _norms(nodes: list[NodeProto], initializers: Iterable[onnx.TensorProto]) -> Iterable[_Norm]:
    makers = {output: node for node in nodes for output in node.output}
    takers: dict[str, list[NodeProto]] = {}
    for node in nodes:
        for name in node.input:
            takers.setdefault(name, []).append(node)
    constants = {tensor.name: tensor for tensor in initializers}

    def only_taker(node: NodeProto, operator: str) -> NodeProto | None:
        them = takers.get(node.output[0], [])
        return them[0] if len(them) == 1 and them[0].op_type == operator else None

    def scale(node: NodeProto, beside: NodeProto) -> NodeProto | None:
        """Return what makes the other operand of a node, if that is an Unsqueeze for it alone."""
        (other,) = (name for name in node.input if name != beside.output[0])
        maker = makers.get(other)
        return maker if maker is not None and maker.op_type == "Unsqueeze" and len(takers[other]) == 1 else None

    for norm in nodes:
        if norm.op_type != "InstanceNormalization" or not _plain(norm, constants):
            continue
        times = only_taker(norm, "Mul")
        plus = times and only_taker(times, "Add")
        gamma, beta = (times and scale(times, norm)), (plus and times and scale(plus, times))
        if times and plus and gamma and beta:
            yield _Norm(norm, times, plus, gamma, beta, constants[norm.input[1]].dims[0])


def _plain(norm: NodeProto, constants: dict[str, onnx.TensorProto]) -> bool:
    """Tell whether a norm's own scales do nothing."""
    if not constants.keys() >= set(norm.input[1:]):
        return False
    scale, bias = (numpy_helper.to_array(constants[name]) for name in norm.input[1:])
    return bool((scale == 1).all() and (bias == 0).all())


def _one_node(one: _Norm) -> list[NodeProto]:
    (x, *_), (painted,) = one.norm.input, one.plus.output
    lists = [f"{maker.output[0]}_as_list" for maker in (one.gamma, one.beta)]
    norm = NodeProto()
    norm.CopyFrom(one.norm)
    norm.ClearField("input")
    norm.ClearField("output")
    norm.input.extend([f"{x}_as_one", *lists])
    norm.output.append(f"{painted}_as_one")
    return [
        *(
            helper.make_node("Reshape", [maker.input[0], _A_LIST], [name], name=f"reshape_{name}")
            for maker, name in zip((one.gamma, one.beta), lists, strict=True)
        ),
        helper.make_node("Reshape", [x, _ONE_PICTURE], [f"{x}_as_one"], name=f"reshape_{x}_as_one"),
        norm,
        helper.make_node("Reshape", [norm.output[0], _batch_of(one.channels)], [painted], name=f"reshape_{painted}"),
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

"""The transformer as an ONNX graph whose weights lie in a safetensors file."""

from __future__ import annotations

import json
import warnings
from collections import Counter

import onnx
import torch
from onnx import TensorProto
from safetensors.torch import save
from torch import Tensor

from impasto.bundle import WEIGHTS
from impasto.engine.onnx import IMAGE, PAINTED, STYLE
from impasto.errors import ExportError
from impasto.nn.transformer import Architecture, TransformerNet

OPSET = 18  # above it, ONNX Runtime's CUDA provider hands Pad to the CPU
_LEAST_SIDE = 16  # px, of a picture
_SMALLEST = 1024  # bytes; smaller constants stay in the graph


def build_graph(network: TransformerNet) -> tuple[onnx.ModelProto, bytes]:
    """Return the graph and the contents of the safetensors file that its weights refer to.

    Inputs `image` [N, 3, H, W] and `style` [N, D], output `painted` [N, 3, H, W]; N, H and W are free, H and W
    multiples of the architecture's size_multiple.

    Raises:
        ExportError: a weight of the network is not in the graph as it is.
    """
    model = _trace(network)
    _forget_origin(model)
    state = network.state_dict()
    contents = save({name: value.contiguous() for name, value in state.items()})
    _refer_to_weights(model, state, contents)
    return model, contents


def check_nodes(model: onnx.ModelProto, architecture: Architecture) -> dict[str, int]:
    """Return how many nodes of each operator there are, if the heavy ones are just those the architecture declares.

    Raises:
        ExportError: a heavy operator is missing, left over, or unexpected.
    """
    found = Counter(node.op_type for node in model.graph.node)
    for operator, wanted in architecture.node_inventory.items():
        if found[operator] != wanted:
            raise ExportError(f"the graph has {found[operator]} {operator} nodes; the architecture declares {wanted}")
    return dict(sorted(found.items()))


def _trace(network: TransformerNet) -> onnx.ModelProto:
    multiple = network.architecture.size_multiple
    least = -(-_LEAST_SIDE // multiple)
    batch, height, width = (torch.export.Dim(name, min=low) for name, low in (("N", 1), ("h", least), ("w", least)))
    example = (torch.rand(2, 3, 16 * multiple, 12 * multiple), torch.rand(2, network.architecture.code_size))
    with warnings.catch_warnings():
        # The exporter warns of its own internals' deprecations.
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            network,
            example,
            input_names=[IMAGE, STYLE],
            output_names=[PAINTED],
            opset_version=OPSET,
            dynamo=True,
            dynamic_shapes=({0: batch, 2: multiple * height, 3: multiple * width}, {0: batch}),
            verbose=False,
        )
    assert program is not None
    model: onnx.ModelProto = program.model_proto
    return model


def _forget_origin(model: onnx.ModelProto) -> None:
    """Drop the exporter's notes: source lines and paths of the machine that ran it, most of the file."""
    graph = model.graph
    for item in (model, graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        item.ClearField("metadata_props")
        item.ClearField("doc_string")


def _refer_to_weights(model: onnx.ModelProto, state: dict[str, Tensor], contents: bytes) -> None:
    """Replace each weight's data in the graph by its place in the safetensors file."""
    found = places(contents)
    missing = set(state)
    for tensor in model.graph.initializer:
        if tensor.name in state and tensor.raw_data == contents[slice(*found[tensor.name])]:
            begin, end = found[tensor.name]
            tensor.ClearField("raw_data")
            tensor.data_location = TensorProto.EXTERNAL
            for key, value in (("location", WEIGHTS), ("offset", begin), ("length", end - begin)):
                tensor.external_data.add(key=key, value=str(value))
            missing.remove(tensor.name)
        elif len(tensor.raw_data) > _SMALLEST:
            raise ExportError(f"the graph holds {tensor.name} ({len(tensor.raw_data)} bytes), which is no weight")
    if missing:
        raise ExportError(f"the graph lacks the weights {', '.join(sorted(missing))}")


def places(contents: bytes) -> dict[str, tuple[int, int]]:
    """Return where each tensor's bytes begin and end in a safetensors file.

    The format (github.com/huggingface/safetensors, "Format"): 8 bytes with the header's length, the header, the data.
    """
    length = int.from_bytes(contents[:8], "little")
    header = json.loads(contents[8 : 8 + length])
    start = 8 + length
    return {
        name: (start + entry["data_offsets"][0], start + entry["data_offsets"][1])
        for name, entry in header.items()
        if name != "__metadata__"
    }

"""A running server with the Open Inference Protocol's stub, and requests for it."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from impasto import images
from impasto.engine import FakeEngine
from impasto.images import Limits, Pixels
from impasto.inference import open_inference_pb2 as pb
from impasto.inference.open_inference_pb2_grpc import GRPCInferenceServiceStub
from tests.server.support import Served, photo, serving
from tests.support import fake_bundle

DATATYPES = {"float32": "FP32", "uint8": "UINT8", "int32": "INT32", "bool": "BOOL"}


@dataclass
class Inferring(Served):
    """A running server and the protocol's stub."""

    oip: Any = field(default=None, repr=False)

    async def infer(self, *inputs: tuple[str, Any], **others: Any) -> pb.ModelInferResponse:
        response: pb.ModelInferResponse = await self.oip.ModelInfer(request(*inputs, **others))
        return response

    async def statistics(self) -> pb.ModelStatistics:
        """Return those of the model test."""
        answer = await self.oip.ModelStatistics(pb.ModelStatisticsRequest(name="test"))
        found: pb.ModelStatistics = answer.model_stats[0]
        return found


@asynccontextmanager
async def inferring(folder: Path, engine: FakeEngine | None = None, **options: Any) -> AsyncIterator[Inferring]:
    """Serve one bundle, the model `test` in version 1."""
    async with serving(fake_bundle(folder / "bundle"), engine=engine, **options) as served:
        stub = GRPCInferenceServiceStub(served.channel)  # type: ignore[no-untyped-call]
        yield Inferring(served.server, served.channel, served.log, stub)


def request(
    *inputs: tuple[str, Any],
    model: str = "test",
    version: str = "",
    id: str = "",
    outputs: Sequence[str] = (),
    parameters: Mapping[str, Any] | None = None,
) -> pb.ModelInferRequest:
    """Return a request: of lists of bytes, or of arrays, with raw contents."""
    message = pb.ModelInferRequest(model_name=model, model_version=version, id=id)
    for name, values in inputs:
        add(message, name, values)
    message.outputs.extend(pb.ModelInferRequest.InferRequestedOutputTensor(name=name) for name in outputs)
    for name, value in (parameters or {}).items():
        message.parameters[name].CopyFrom(parameter(value))
    return message


def add(message: pb.ModelInferRequest, name: str, values: Any) -> None:
    if isinstance(values, np.ndarray):
        shape, datatype, raw = values.shape, DATATYPES[values.dtype.name], values.tobytes()
    else:
        shape, datatype, raw = (len(values), 1), "BYTES", prefixed(*values)
    message.inputs.append(pb.ModelInferRequest.InferInputTensor(name=name, datatype=datatype, shape=shape))
    message.raw_input_contents.append(raw)


def parameter(value: Any) -> pb.InferParameter:
    match value:
        case bool():
            return pb.InferParameter(bool_param=value)
        case int():
            return pb.InferParameter(int64_param=value)
        case float():
            return pb.InferParameter(double_param=value)
    return pb.InferParameter(string_param=value)


def prefixed(*parts: bytes) -> bytes:
    return b"".join(struct.pack("<I", len(part)) + part for part in parts)


def files(response: pb.ModelInferResponse) -> list[bytes]:
    """Return the elements of an answer of BYTES."""
    (data,) = response.raw_output_contents
    parts, at = [], 0
    while at < len(data):
        (length,) = struct.unpack_from("<I", data, at)
        parts.append(data[at + 4 : at + 4 + length])
        at += 4 + length
    return parts


def tensor(response: pb.ModelInferResponse) -> NDArray[Any]:
    """Return the elements of an answer of numbers."""
    (output,), (data,) = response.outputs, response.raw_output_contents
    kind = {"FP32": "<f4", "UINT8": "u1"}[output.datatype]
    return np.frombuffer(data, np.dtype(kind)).reshape(tuple(output.shape))


def decoded(file: bytes) -> Pixels:
    return images.decode(file, limits=Limits(min_side=1))


INK = ("style", [b"ink"])
PHOTO = ("image", [photo()])

"""The inputs of a request: names, data types, shapes and elements, each checked before anything is made of it."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

import numpy as np

from impasto.errors import InvalidInput
from impasto.inference import open_inference_pb2 as pb
from impasto_server.rpc.inference.interface import INPUTS, MAX_PHOTOS, MOST_QUOTED, Tensor

_PREFIX = struct.Struct("<I")
_STRIP = 65_536  # elements that are looked at at once, so that other threads get their turn

_SIZES = {"BOOL": 1, "UINT8": 1, "INT32": 4, "FP32": 4}  # bytes of an element
_CONTENTS = {
    "BOOL": "bool_contents",
    "UINT8": "uint_contents",
    "INT32": "int_contents",
    "FP32": "fp32_contents",
    "BYTES": "bytes_contents",
}


@dataclass(frozen=True)
class Input:
    """An input that was read.

    Attributes:
        tensor: which one.
        shape: as it was sent.
        parts: the elements of BYTES.
        data: the elements of any other data type, little endian.
    """

    tensor: Tensor
    shape: tuple[int, ...]
    parts: Sequence[bytes] = field(default=(), repr=False)
    data: bytes = field(default=b"", repr=False)

    @property
    def count(self) -> int:
        """How many photos it has, or has a value for."""
        return self.shape[0]


def read_inputs(request: pb.ModelInferRequest) -> dict[str, Input]:
    """Return the inputs of a request by their names.

    Raises:
        InvalidInput: one has another name, data type, shape or number of elements than it should, or comes twice.
    """
    if len(request.inputs) > len(INPUTS):
        raise InvalidInput("inputs", f"are {len(request.inputs)}; there are {len(INPUTS)}, each of which is given once")
    raw = _shared_out(request)
    found: dict[str, Input] = {}
    for index, sent in enumerate(request.inputs):
        tensor = _named(sent.name)
        if tensor.name in found:
            raise InvalidInput(tensor.name, "is given twice; give each input once")
        shape = _checked_shape(tensor, sent)
        found[tensor.name] = _raw(tensor, shape, raw[index]) if index in raw else _typed(tensor, shape, sent.contents)
    return found


def _shared_out(request: pb.ModelInferRequest) -> dict[int, bytes]:
    """Return the raw contents by the index of the input that they are of: one that has no contents of its own."""
    raw = request.raw_input_contents
    without = [index for index, sent in enumerate(request.inputs) if not sent.contents.ByteSize()]
    if raw and len(raw) != len(without):
        raise InvalidInput(
            "raw_input_contents",
            f"has {len(raw)} parts, and {len(without)} inputs have no contents of their own; give one for each of "
            "these, in their order",
        )
    return dict(zip(without, raw, strict=True)) if raw else {}


def _named(name: str) -> Tensor:
    if name in INPUTS:
        return INPUTS[name]
    near = get_close_matches(name[:MOST_QUOTED], INPUTS, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    raise InvalidInput("inputs", f"no input is named {name[:MOST_QUOTED]!r}{hint} There are: {', '.join(INPUTS)}")


def _checked_shape(tensor: Tensor, sent: pb.ModelInferRequest.InferInputTensor) -> tuple[int, ...]:
    if sent.datatype != tensor.datatype:
        raise InvalidInput(
            tensor.name, f"has the data type {sent.datatype[:MOST_QUOTED]!r}; send {tensor.datatype}{_other(tensor)}"
        )
    shape = tuple(sent.shape)
    if not _is_like(shape, tensor):
        raise InvalidInput(tensor.name, f"has the shape {_text(shape)}; send {_wanted(tensor)}")
    if shape[0] > MAX_PHOTOS:
        raise InvalidInput(
            tensor.name, f"is of {shape[0]} photos; send at most {MAX_PHOTOS} in one request, or more over a stream"
        )
    return shape


def _is_like(shape: tuple[int, ...], tensor: Tensor) -> bool:
    if not shape or min(shape) < 1:
        return False
    if tensor.is_picture:
        return len(shape) == 4 and shape[3] == 3
    return shape[1:] in ((), (1,))


def _other(tensor: Tensor) -> str:
    """Return what tells of the tensor for a picture's other data type."""
    if not tensor.is_picture:
        return ""
    names = {one.name: one.datatype for one in INPUTS.values() if one.is_picture and one is not tensor}
    return "".join(f", or {datatype} as {name!r}" for name, datatype in names.items())


def _wanted(tensor: Tensor) -> str:
    if tensor.is_picture:
        return "[N, height, width, 3]: N photos of one size, the three colours of a pixel together"
    return "[N, 1] or [N], with a value for each of N photos; N may be 1 for an option of all photos"


def _raw(tensor: Tensor, shape: tuple[int, ...], data: bytes) -> Input:
    count = math.prod(shape)
    if tensor.datatype == "BYTES":
        return Input(tensor, shape, parts=_parted(tensor.name, data, count))
    wanted = count * _SIZES[tensor.datatype]
    if len(data) != wanted:
        raise InvalidInput(
            tensor.name,
            f"has {len(data)} bytes of raw contents, and its shape {_text(shape)} in {tensor.datatype} takes {wanted}",
        )
    return Input(tensor, shape, data=data)


def _parted(name: str, data: bytes, count: int) -> Sequence[bytes]:
    """Return the elements of BYTES, each of which comes after its length."""
    parts: list[bytes] = []
    at = 0
    for index in range(count):
        begin = at + _PREFIX.size
        if begin > len(data):
            raise _badly_parted(name, f"ends before element {index} of {count}")
        (length,) = _PREFIX.unpack_from(data, at)
        at = begin + length
        if at > len(data):
            raise _badly_parted(name, f"says that element {index} has {length} bytes, where {len(data) - begin} follow")
        parts.append(data[begin:at])
    if at < len(data):
        raise _badly_parted(name, f"has {len(data) - at} bytes after the last of {count} elements")
    return parts


def _badly_parted(name: str, problem: str) -> InvalidInput:
    return InvalidInput(name, f"{problem}; put before each element its length, as 4 bytes, little endian")


def _typed(tensor: Tensor, shape: tuple[int, ...], contents: pb.InferTensorContents) -> Input:
    field, count = _CONTENTS[tensor.datatype], math.prod(shape)
    values = getattr(contents, field)
    if len(values) != count:
        raise InvalidInput(
            tensor.name,
            f"has {len(values)} elements in contents.{field}, and its shape {_text(shape)} takes {count}; send as many "
            "there, or raw_input_contents",
        )
    if tensor.datatype == "BYTES":
        return Input(tensor, shape, parts=list(values))
    return Input(tensor, shape, data=_data(tensor, contents, values))


def _data(tensor: Tensor, contents: pb.InferTensorContents, values: Sequence[int]) -> bytes:
    match tensor.datatype:
        case "FP32":
            return _floats(contents, len(values))
        case "UINT8":
            return b"".join(_bytes(tensor.name, values[at : at + _STRIP]) for at in range(0, len(values), _STRIP))
        case "INT32":
            return np.array(list(values), "<i4").tobytes()
        case _:
            return bytes(values)


def _floats(contents: pb.InferTensorContents, count: int) -> bytes:
    """Return the elements as they are on the wire: the last bytes of a message that has nothing else."""
    alone = pb.InferTensorContents()
    alone.fp32_contents.MergeFrom(contents.fp32_contents)
    return alone.SerializeToString()[-4 * count :]


def _bytes(name: str, values: Sequence[int]) -> bytes:
    try:
        return bytes(values)
    except ValueError:
        raise InvalidInput(name, f"has the value {max(values)}; give 0 to 255") from None


def _text(shape: Sequence[int]) -> str:
    return f"[{', '.join(map(str, shape[:8]))}{', ...' if len(shape) > 8 else ''}]"

"""The options of a request: inputs with a value for each photo, or parameters with one for all."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from impasto.errors import InvalidInput
from impasto.inference import open_inference_pb2 as pb
from impasto_server.rpc.inference.interface import MOST_QUOTED, OPTIONS, Tensor
from impasto_server.rpc.inference.tensors import Input

Value = bytes | str | float | int | bool
"""BYTES, or text, FP32, INT32 and BOOL."""

_OPTIONS = {option.name: option for option in OPTIONS}
_BY_INPUT_ALONE = ("mask",)  # a picture is no text
_PATTERNS = {"FP32": struct.Struct("<f"), "INT32": struct.Struct("<i"), "BOOL": struct.Struct("<?")}
_YES_AND_NO = {"true": True, "false": False}

TIMEOUT = "timeout"
FINAL = "triton_enable_empty_final_response"

# What clients send of their own accord. Sequences and priorities mean nothing to a model that paints each photo by
# itself; the size of a tensor's data is that of what comes.
_PROTOCOLS_OWN = frozenset(
    {
        TIMEOUT,
        FINAL,
        "binary_data_output",
        "binary_data_size",
        "priority",
        "sequence_end",
        "sequence_id",
        "sequence_start",
    }
)


class Options:
    """The options of one request.

    Args:
        inputs: of the request.
        parameters: of the request.
        photos: how many it has.

    Raises:
        InvalidInput: one is unknown, comes twice, or has values for another number of photos.
    """

    def __init__(self, inputs: Mapping[str, Input], parameters: Mapping[str, pb.InferParameter], photos: int) -> None:
        self._each: dict[str, Input] = {}
        self._all: dict[str, Value] = {}
        for name, sent in inputs.items():
            if name not in _OPTIONS:
                continue
            if sent.count not in (1, photos):
                raise InvalidInput(
                    name, f"has values for {sent.count} photos, and there are {photos}; give {photos}, or 1 for all"
                )
            self._each[name] = sent
        for name, parameter in parameters.items():
            if name not in _PROTOCOLS_OWN:
                self._all[name] = _value(_known(name), parameter)
        for name in self._each.keys() & self._all.keys():
            raise InvalidInput(name, "is given as an input and as a parameter; give it once")

    def of(self, photo: int) -> dict[str, Value]:
        """Return the options of one photo."""
        return self._all | {name: _element(sent, photo) for name, sent in self._each.items()}


def _known(name: str) -> Tensor:
    if name in _BY_INPUT_ALONE:
        raise InvalidInput(name, "is given as a parameter; send it as an input of data type BYTES")
    if name in _OPTIONS:
        return _OPTIONS[name]
    near = get_close_matches(name[:MOST_QUOTED], _OPTIONS, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    known = ", ".join(one for one in _OPTIONS if one not in _BY_INPUT_ALONE)
    raise InvalidInput("parameters", f"no parameter is named {name[:MOST_QUOTED]!r}{hint} There are: {known}")


def _element(sent: Input, photo: int) -> Value:
    index = photo if sent.count > 1 else 0
    if sent.tensor.datatype == "BYTES":
        return sent.parts[index]
    pattern = _PATTERNS[sent.tensor.datatype]
    value: Value = pattern.unpack_from(sent.data, index * pattern.size)[0]
    return value


def _value(option: Tensor, parameter: pb.InferParameter) -> Value:
    """Return a parameter's value. Clients that cannot send a kind of it send its text."""
    kind = parameter.WhichOneof("parameter_choice")
    value: Any = getattr(parameter, kind) if kind else None
    match option.datatype, value:
        case ("BYTES", str()) | ("BOOL", bool()):
            return value  # type: ignore[no-any-return]
        case "BOOL", str() if value.lower() in _YES_AND_NO:
            return _YES_AND_NO[value.lower()]
        case ("FP32", (float() | int() | str())) | ("INT32", (int() | str())) if not isinstance(value, bool):
            return _number(option, value)
    raise InvalidInput(option.name, f"{_quoted(value)} will not do; give {_kinds(option)}")


def _number(option: Tensor, value: float | int | str) -> float | int:
    try:
        return float(value) if option.datatype == "FP32" else int(value)
    except (ValueError, OverflowError):
        raise InvalidInput(option.name, f"{_quoted(value)} is no number; give {_kinds(option)}") from None


def _kinds(option: Tensor) -> str:
    return {
        "BYTES": "string_param",
        "BOOL": "bool_param",
        "FP32": "double_param, or the number as string_param",
        "INT32": "int64_param, or the number as string_param",
    }[option.datatype]


def _quoted(value: object) -> str:
    return repr(value)[:MOST_QUOTED]

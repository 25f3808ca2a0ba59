"""What the programs around tritonclient have in common."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tritonclient.grpc import InferInput
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

Array = NDArray[Any]

SMALL = {"working_size": 256}


def texts(*values: bytes | str) -> Array:
    """Return BYTES, one for each photo: [N, 1]."""
    return np.array([[value.encode() if isinstance(value, str) else value] for value in values], dtype=object)


def given(name: str, values: Array, shape: Sequence[int] | None = None, datatype: str = "") -> InferInput:
    """Return an input; with a shape or a data type that is not its own, if one is given."""
    found = InferInput(name, list(values.shape), np_to_triton_dtype(values.dtype))
    found.set_data_from_numpy(values)
    if shape is not None:
        found.set_shape(list(shape))
    if datatype:
        found._input.datatype = datatype  # the client checks, and a broken one does not
    return found


def with_raw(name: str, shape: Sequence[int], raw: bytes) -> InferInput:
    """Return an input of BYTES whose elements were put together by hand."""
    found = given(name, texts(b""), shape)
    found._raw_content = raw
    return found


def refusal(error: InferenceServerException) -> list[str]:
    """Return the status and the message of an error."""
    return [str(error.status()).removeprefix("StatusCode."), str(error.message())]


def arguments() -> tuple[list[str], Path]:
    """Return the addresses that the program was given, and the folder for photos and pictures."""
    *addresses, folder = sys.argv[1:]
    return addresses, Path(folder)


def report(findings: dict[str, Any]) -> None:
    """Tell what was found."""
    print(json.dumps(findings))

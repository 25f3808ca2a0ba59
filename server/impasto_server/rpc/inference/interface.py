"""What every model takes and gives: the one table behind metadata, configurations and the reading of requests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from impasto_server.raw import Depth

MOST_QUOTED = 100  # characters of what was sent, where an error repeats it
MAX_PHOTOS = 64
"""That one request may bring."""

IMAGE = "image"
PIXELS = "pixels"
PIXELS_UINT8 = "pixels_uint8"
PAINTED = "painted"

_ANY = -1
_ONE = (1,)
_PICTURE = (_ANY, _ANY, 3)


@dataclass(frozen=True)
class Tensor:
    """A tensor as models tell of it.

    Attributes:
        name: its name.
        datatype: of its elements, as requests name it.
        dims: its shape, without the number of photos; -1 where any length will do.
    """

    name: str
    datatype: str
    dims: tuple[int, ...] = _ONE

    @property
    def shape(self) -> tuple[int, ...]:
        return (_ANY, *self.dims)

    @property
    def is_picture(self) -> bool:
        """Whether it holds pixels."""
        return self.dims == _PICTURE


_RAW = (Tensor(PIXELS, "FP32", _PICTURE), Tensor(PIXELS_UINT8, "UINT8", _PICTURE))

PHOTOS = (Tensor(IMAGE, "BYTES"), *_RAW)
"""The photos: one of these."""

OPTIONS = (
    Tensor("style", "BYTES"),
    Tensor("blend", "BYTES"),
    Tensor("strength", "FP32"),
    Tensor("working_size", "INT32"),
    Tensor("width", "INT32"),
    Tensor("height", "INT32"),
    Tensor("format", "BYTES"),
    Tensor("quality", "INT32"),
    Tensor("metadata", "BYTES"),
    Tensor("mask", "BYTES"),
    Tensor("mask_feather", "FP32"),
    Tensor("mask_inverted", "BOOL"),
)
"""How to paint them: inputs, or parameters for all photos of a request."""

INPUTS: Mapping[str, Tensor] = {tensor.name: tensor for tensor in (*PHOTOS, *OPTIONS)}

OUTPUTS: Mapping[str, Tensor] = {tensor.name: tensor for tensor in (Tensor(PAINTED, "BYTES"), *_RAW)}
"""What comes of them: one of these."""

DEPTHS: Mapping[str, Depth] = {PIXELS: Depth.FP32, PIXELS_UINT8: Depth.UINT8}
"""How the values of pixels are written, by the tensor."""

ANSWERS: Mapping[str, str] = {IMAGE: PAINTED, PIXELS: PIXELS, PIXELS_UINT8: PIXELS_UINT8}
"""The output that is given where none is asked for, by the photos' input."""

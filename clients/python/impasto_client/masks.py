"""Which part of a photo is painted."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from impasto.v1 import stylizer_pb2 as pb
from impasto_client.errors import InvalidRequest

MAX_FEATHER = 0.1  # of the photo's long side
_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Mask:
    """Which part of a photo is painted, and which stays as it is.

    Attributes:
        image: the bytes of a PNG file, grey: white is painted, black is kept, and grey is in between. It has exactly
            the size of the photo as one looks at it, turned upright.
        feather: how far the edge is softened, as a share of the photo's long side: 0 (as sharp as the mask) to 0.1; by
            default the server's, 0.005.
        inverted: whether white is what is kept instead, as in a mask of a photo's subject.
    """

    image: bytes = field(repr=False)
    feather: float | None = None
    inverted: bool = False


MaskLike = bytes | Mask
"""A mask, or the bytes of its file."""


def mask_message(mask: MaskLike) -> pb.Mask:
    """Return what a request calls it.

    Raises:
        InvalidRequest: no PNG, or a feather that is none. What is in the file is left to the server.
    """
    whole = Mask(mask) if isinstance(mask, bytes) else mask
    if not isinstance(whole, Mask):
        raise InvalidRequest("mask", f"is a {type(mask).__name__}; give the bytes of a PNG file, or Mask(image)")
    if not isinstance(whole.image, bytes):
        raise InvalidRequest("mask", f"its image is a {type(whole.image).__name__}; give the bytes of a PNG file")
    if not whole.image.startswith(_PNG):
        raise InvalidRequest("mask", "is no PNG file; save it as a grey PNG of the photo's size")
    if not isinstance(whole.inverted, bool):
        raise InvalidRequest("mask", f"inverted is {whole.inverted!r}; give True or False")
    message = pb.Mask(image=whole.image, inverted=whole.inverted)
    if whole.feather is not None:
        message.feather = _feather(whole.feather)
    return message


def _feather(feather: float) -> float:
    number = isinstance(feather, int | float) and not isinstance(feather, bool)
    if not number or not math.isfinite(feather) or not 0 <= feather <= MAX_FEATHER:
        raise InvalidRequest("mask.feather", f"{feather!r} is out of range; give 0 to {MAX_FEATHER}")
    return feather

"""Paintings that nobody has trained, as styles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from impasto.v1 import stylizer_pb2 as pb
from impasto_client.errors import InvalidRequest
from impasto_client.formats import A_PICTURE


@dataclass(frozen=True)
class Painting:
    """A painting to take the style from.

    Attributes:
        image: the bytes of a JPEG, PNG, WebP, AVIF or HEIC file.
        weight: its share beside other paintings, 0 or more; weights need not sum to 1.
    """

    image: bytes = field(repr=False)
    weight: float = 1.0


def style_images(paintings: Painting | Sequence[Painting]) -> pb.StyleImages:
    """Return what a request calls them.

    Raises:
        InvalidRequest: none, no paintings, or weights that nothing can be made of.
    """
    several = [paintings] if isinstance(paintings, Painting) else list(paintings)
    if not several:
        raise InvalidRequest("style", "there are no paintings; give at least one")
    parts = [_part(number, painting) for number, painting in enumerate(several, start=1)]
    if not any(part.weight for part in parts):
        raise InvalidRequest("style", "the paintings' weights are all 0; give one of them a share")
    return pb.StyleImages(parts=parts)


def _part(number: int, painting: Painting) -> pb.StyleImages.Part:
    if not isinstance(painting, Painting):
        raise InvalidRequest(
            "style", f"{type(painting).__name__} is no painting; give Painting(image), or several of them in a list"
        )
    if not isinstance(painting.image, bytes) or not painting.image:
        raise InvalidRequest("style", f"painting {number} is empty or no bytes; give those of {A_PICTURE}")
    if not (isinstance(painting.weight, int | float) and 0 <= painting.weight < math.inf):
        raise InvalidRequest("style", f"{painting.weight!r} is no weight for painting {number}; give 0 or more")
    return pb.StyleImages.Part(image=painting.image, weight=painting.weight)

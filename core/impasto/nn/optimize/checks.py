"""What may not be optimised, said before any work is spent on it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from impasto import images
from impasto.errors import InvalidInput
from impasto.images import Pixels
from impasto.optimization import Optimization


def check(
    photo: Pixels,
    paintings: Sequence[tuple[Pixels, float]],
    asked: Optimization,
    fast: Callable[[Pixels], Pixels] | None,
) -> None:
    """Raise InvalidInput for pictures, weights or a start that `optimize` does not take."""
    images.Limits(max_pixels=photo.shape[0] * photo.shape[1]).check(photo.shape[1], photo.shape[0], "image")
    if not paintings:
        raise InvalidInput("style_images.parts", "is empty; give at least one painting")
    for place, (painting, weight) in enumerate(paintings):
        field_name = f"style_images.parts[{place}]"
        images.Limits(max_pixels=painting.shape[0] * painting.shape[1]).check(
            painting.shape[1], painting.shape[0], f"{field_name}.image"
        )
        if not (math.isfinite(weight) and weight >= 0):
            raise InvalidInput(f"{field_name}.weight", f"{weight} is out of range; give 0 or more")
    if not np.any([weight for _, weight in paintings]):
        raise InvalidInput("style_images.parts", "all weights are 0; raise one")
    if asked.start == "fast" and fast is None:
        raise InvalidInput("optimization.start", "fast needs a trained style, and there is none; give photo or noise")

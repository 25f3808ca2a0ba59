"""An engine for tests, of this project and of those who build on it."""

from __future__ import annotations

import numpy as np

from impasto.codes import Codes, gate
from impasto.engine.base import Cancellation
from impasto.images import Planes


class FakeEngine:
    """Honours the gate as a transformer would, with the photo's negative in the network's place.

    So strength 0 returns the photo, a code with a = 0 and b = 1 returns its negative, and every size and batch works.

    Attributes:
        shapes: the shape of every batch that it was given, in order.
    """

    name = "fake"
    precision = "fp32"
    fixed_shapes = False

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def run(self, images: Planes, codes: Codes, cancellation: Cancellation | None = None) -> Planes:  # noqa: ARG002
        self.shapes.append(images.shape)
        a, b = (part[:, :, None, None] for part in gate(codes))
        return np.asarray(np.clip(a * images + b * (1 - images), 0, 1), dtype=np.float32)

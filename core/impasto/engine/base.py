"""What every engine can do."""

from __future__ import annotations

from enum import Enum
from typing import Protocol

from impasto.codes import Codes
from impasto.images import Planes


class Provider(Enum):
    """Where an engine computes, fastest first."""

    CUDA = "cuda"
    OPENVINO = "openvino"
    CPU = "cpu"


class Engine(Protocol):
    """Paints batches of photos. Safe to call from several threads."""

    @property
    def name(self) -> str:
        """What it runs on, for logs and metrics: `openvino`."""

    def run(self, images: Planes, codes: Codes) -> Planes:
        """Paint.

        Args:
            images: [N, 3, H, W], RGB in 0..1; H and W multiples of the bundle's size_multiple, 16 or more.
            codes: [N, D].

        Returns:
            [N, 3, H, W], of the shape of `images`; RGB in 0..1, every number finite. Who calls need not check.

        Raises:
            EngineError: the device failed, ran out of memory, or painted anything else than that.
        """

"""What every engine can do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from threading import Lock
from typing import Protocol

import numpy as np

from impasto.codes import Codes
from impasto.errors import EngineError, RunCancelled
from impasto.images import Planes


class Provider(Enum):
    """Where an engine computes, fastest first."""

    CUDA = "cuda"
    OPENVINO = "openvino"
    CPU = "cpu"


class Cancellation:
    """One run's end before its time. `cancel` may be called from any thread, before, during or after the run.

    Attributes:
        cancelled: whether it has been.
    """

    def __init__(self) -> None:
        self.cancelled = False
        self._lock = Lock()
        self._stop: Callable[[], None] | None = None

    def cancel(self) -> None:
        with self._lock:
            self.cancelled = True
            if self._stop is not None:
                self._stop()

    @contextmanager
    def stopping_by(self, stop: Callable[[], None]) -> Iterator[None]:
        """For an engine: in this block `cancel` calls `stop`, at once if it came first."""
        with self._lock:
            self._stop = stop
            if self.cancelled:
                stop()
        try:
            yield
        finally:
            with self._lock:
                self._stop = None


class Engine(Protocol):
    """Paints batches of photos. Safe to call from several threads."""

    @property
    def name(self) -> str:
        """What it runs on, for logs and metrics: `openvino`."""

    @property
    def precision(self) -> str:
        """What its convolutions compute in: `fp32`, `tf32`, `bf16` or `fp16`."""

    @property
    def fixed_shapes(self) -> bool:
        """Whether a shape that it has not met yet costs it some tenths of a second: then keep to `bucket_size`."""

    def run(self, images: Planes, codes: Codes, cancellation: Cancellation | None = None) -> Planes:
        """Paint.

        Args:
            images: [N, 3, H, W], RGB in 0..1; H and W multiples of the bundle's size_multiple, 16 or more.
            codes: [N, D].
            cancellation: stops the run where the device can be stopped, and else lets it run to its end.

        Returns:
            [N, 3, H, W], of the shape of `images`; RGB in 0..1, every number finite. Who calls need not check.

        Raises:
            EngineError: the device failed, ran out of memory, or painted anything else than that.
            RunCancelled: it was stopped.
        """


def checked(painted: Planes, images: Planes, name: str) -> Planes:
    """Return what an engine painted.

    Raises:
        EngineError: it has another shape than the photos, or numbers that are not finite.
    """
    if painted.shape != images.shape:
        raise EngineError(f"{name} painted {painted.shape} on a batch of {images.shape}")
    if not np.isfinite(painted.sum()):  # numbers in 0..1 do not add up to infinity, and this needs no mask
        raise EngineError(f"{name} painted numbers that are not finite on a batch of {images.shape}")
    return np.asarray(painted, dtype=np.float32)


def failure(error: Exception, images: Planes, name: str, cancellation: Cancellation | None) -> EngineError:
    """Return what to raise for an error of the runtime's: it has classes of its own, without a common one."""
    if cancellation is not None and cancellation.cancelled:
        return RunCancelled(f"{name} was stopped on a batch of {images.shape}")
    return EngineError(f"{name} failed on a batch of {images.shape}: {error}")

"""Stopping a network in the middle of a pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from torch import Tensor, nn


class Interrupted(Exception):
    """Somebody asked for the work to stop."""


@contextmanager
def interruptible(layers: Iterable[nn.Module], interrupted: Callable[[], bool]) -> Iterator[None]:
    """Within the block, let passes through these layers raise Interrupted, at the next one of either direction."""

    def look() -> None:
        if interrupted():
            raise Interrupted

    def on_the_way(_module: nn.Module, _inputs: object, output: Tensor) -> None:
        look()
        if output.requires_grad:
            output.register_hook(lambda _gradient: look())  # type: ignore[no-untyped-call]

    hooks = [layer.register_forward_hook(on_the_way) for layer in layers]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()

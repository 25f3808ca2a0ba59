"""The engines of a server: one a transformer, on threads of their own, off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np

from impasto.bundle import Bundle
from impasto.codes import Codes
from impasto.engine import Engine, Provider, available_providers, open_engine
from impasto.images import Pixels, to_pixels, to_planes
from impasto.logs import Log
from impasto_server.library import Brush

OpenEngine = Callable[[Bundle], Engine]

THREAD_NAME = "impasto-engine"
_WARM_UP_SIDE = 64  # px


@dataclass(frozen=True)
class Run:
    """A picture painted.

    Attributes:
        pixels: [H, W, 3].
        queued: s, spent waiting for a thread.
        painting: s, spent on one.
    """

    pixels: Pixels = field(repr=False)
    queued: float
    painting: float


class Engines:
    """Opens and runs engines.

    Args:
        open: makes an engine for a bundle.
        runs: how many may run at once.
    """

    def __init__(self, open: OpenEngine, runs: int) -> None:
        self._open = open
        self._engines: dict[str, Engine] = {}
        self._pool = ThreadPoolExecutor(runs, THREAD_NAME)

    @property
    def names(self) -> list[str]:
        """What they run on."""
        return [engine.name for engine in self._engines.values()]

    async def warm_up(self, bundles: Iterable[Bundle]) -> None:
        """Open every bundle's engine, and paint with it.

        Raises:
            EngineError: one cannot be opened, or fails.
        """
        for bundle in bundles:
            await asyncio.get_running_loop().run_in_executor(self._pool, self._warm_up, bundle)

    async def run(self, pixels: Pixels, brush: Brush) -> Run:
        """Paint [H, W, 3]; each side has 16 px or more.

        Raises:
            EngineError: the run failed.
        """
        engine = self._engines[brush.transformer]
        asked = perf_counter()

        def paint() -> Run:
            begun = perf_counter()
            painted = _paint(engine, pixels, brush.code, brush.size_multiple)
            return Run(painted, begun - asked, perf_counter() - begun)

        return await asyncio.get_running_loop().run_in_executor(self._pool, paint)

    def close(self) -> None:
        """Drop what waits; a run that has begun goes on to its end."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _warm_up(self, bundle: Bundle) -> None:
        if bundle.transformer not in self._engines:
            self._engines[bundle.transformer] = self._open(bundle)
        grey = np.full((_WARM_UP_SIDE, _WARM_UP_SIDE, 3), 128, np.uint8)
        code = next(iter(bundle.codes.values()))
        _paint(self._engines[bundle.transformer], grey, code, bundle.size_multiple)


def onnx_engines(provider: str, threads: int, log: Log) -> OpenEngine:
    """Return what opens engines on ONNX Runtime, and logs which provider it chose and why.

    Args:
        provider: a Provider's value, or auto.
        threads: for one run on a CPU; 0 is every core.
    """

    def open_one(bundle: Bundle) -> Engine:
        chosen = None if provider == "auto" else Provider(provider)
        engine = open_engine(bundle, provider=chosen, threads=threads)
        available = ", ".join(item.value for item in available_providers())
        why = f"asked for; available: {available}" if chosen else f"the first that works of: {available}"
        log.info("engine opened", bundle=bundle.name, provider=engine.name, why=why)
        return engine

    return open_one


def _paint(engine: Engine, pixels: Pixels, code: Codes, size_multiple: int) -> Pixels:
    """Return the picture painted, at its own size; at most size_multiple - 1 px are added for it and cut off again."""
    height, width = pixels.shape[:2]
    margins = ((0, -height % size_multiple), (0, -width % size_multiple), (0, 0))
    images = to_planes(np.pad(pixels, margins, mode="reflect"))
    return to_pixels(engine.run(images, code[None]))[:height, :width]

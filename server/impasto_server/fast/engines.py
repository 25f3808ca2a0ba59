"""The engines of a server: one a transformer, opened and tried before anyone is painted for with it.

An engine is there as long as anyone holds its Equipment: the shelf, for the bundles that are served, and whatever is
in the works. When the last of them lets go, it is closed: its sessions need nothing more than to be dropped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter
from weakref import WeakValueDictionary, finalize

import numpy as np

from impasto.bundle import Bundle
from impasto.codes import Codes
from impasto.engine import Cancellation, Engine, Provider, available_providers, bucket_size, open_engine
from impasto.images import Pixels, Planes, Size, fit, planes_of
from impasto.logs import Log
from impasto_server.bundles.library import Brush
from impasto_server.fast.pace import BatchSizes, Pace, largest_batch_that_gains

OpenEngine = Callable[[Bundle], Engine]
Check = Callable[[Bundle, Engine], None]

THREAD_NAME = "impasto-engine"
_PROPORTIONS = ((1, 1), (4, 3), (3, 4), (3, 2), (2, 3), (16, 9), (9, 16))  # of photos
_WARM_UP_SIDES = (64, 256)  # px, of the grey squares that are painted before the server is ready


@dataclass(frozen=True)
class Equipment:
    """A transformer's engine, and what was found out about it.

    Attributes:
        engine: what runs it.
        batches: how many pictures it gains by taking at once.
    """

    engine: Engine
    batches: BatchSizes


class Engines:
    """Opens and runs engines.

    Args:
        open: makes an engine for a bundle.
        pace: is told how long each run takes.
        most: pictures that an engine may paint at once; None for as many as it is found to gain by.
        usual_side: px, of most pictures: an engine of fixed shapes paints one of each usual proportion beforehand.
    """

    def __init__(self, open: OpenEngine, pace: Pace, most: int | None = None, usual_side: int = 0) -> None:
        self._open = open
        self._pace = pace
        self._most = most
        self._usual_side = usual_side
        self._equipment: WeakValueDictionary[str, Equipment] = WeakValueDictionary()
        self._turn = asyncio.Lock()

    @property
    def equipment(self) -> Mapping[str, Equipment]:
        """By the transformer's digest."""
        return self._equipment

    @property
    def engines(self) -> Mapping[str, Engine]:
        """By the transformer's digest."""
        return {transformer: equipment.engine for transformer, equipment in self._equipment.items()}

    def suitable(self, brush: Brush, size: Size) -> Size:
        """Return the size, (width, height) in px, to paint at in place of this one: for most engines it is the same."""
        fixed = self._equipment[brush.transformer].engine.fixed_shapes
        return bucket_size(size, brush.size_multiple) if fixed else size

    async def open(self, bundle: Bundle, check: Check = lambda *_: None) -> Equipment:
        """Return a bundle's engine: the one that its transformer has, or a new one.

        A new one paints, which tells its pace and whether it gains by batches. All that is done on a thread of its
        own, while others are served by other engines; one at a time, as it takes from them what it needs.

        Args:
            bundle: whose.
            check: called on that thread with the bundle and its engine, which nobody else gets if it raises.

        Raises:
            EngineError: it cannot be opened, or fails.
        """
        async with self._turn:
            pool = ThreadPoolExecutor(1, THREAD_NAME)
            try:
                return await asyncio.get_running_loop().run_in_executor(pool, self._opened, bundle, check)
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def run(
        self, transformer: str, pictures: Sequence[Pixels], codes: Sequence[Codes], cancellation: Cancellation
    ) -> Planes:
        """Paint pictures [H, W, 3] of one size, each in a code [D] of its own: [N, 3, H, W].

        Raises:
            EngineError: the run failed, or was cancelled.
        """
        begun = perf_counter()
        painted = self._equipment[transformer].engine.run(planes_of(pictures), np.stack(codes), cancellation)
        height, width = pictures[0].shape[:2]
        self._pace.note(transformer, height * width, (perf_counter() - begun) / len(pictures))
        return painted

    def _opened(self, bundle: Bundle, check: Check) -> Equipment:
        equipment = self._equipment.get(bundle.transformer) or self._equip(bundle)
        check(bundle, equipment.engine)
        self._equipment[bundle.transformer] = equipment
        return equipment

    def _equip(self, bundle: Bundle) -> Equipment:
        engine = self._open(bundle)
        equipment = Equipment(engine, self._try(engine, bundle))
        finalize(equipment, self._pace.forget, bundle.transformer).atexit = False
        if engine.fixed_shapes and self._usual_side:
            code = next(iter(bundle.codes.values()))
            for across, down in _PROPORTIONS:
                usual = fit(across, down, self._usual_side)
                width, height = bucket_size(usual, bundle.size_multiple)
                engine.run(np.zeros((1, 3, height, width), np.float32), code[None])
        return equipment

    def _try(self, engine: Engine, bundle: Bundle) -> BatchSizes:
        """Paint squares of grey, noting the pace, and return which batches are worth it."""
        code = next(iter(bundle.codes.values()))
        found = {}
        for side in (side + -side % bundle.size_multiple for side in _WARM_UP_SIDES):
            grey = np.full((side, side, 3), 128, np.uint8)

            def seconds(count: int, grey: Pixels = grey) -> float:
                images, codes = planes_of([grey] * count), np.stack([code] * count)
                begun = perf_counter()
                engine.run(images, codes)
                return perf_counter() - begun

            seconds(1)  # the first of a size sets up more than it paints
            self._pace.note(bundle.transformer, side * side, seconds(1))
            found[side * side] = self._most or largest_batch_that_gains(seconds)
        return BatchSizes(found)


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
        log.info("engine opened", bundle=bundle.name, provider=engine.name, precision=engine.precision, why=why)
        return engine

    return open_one

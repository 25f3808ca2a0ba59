"""Who is painted next, with whom, and who is not."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter

import numpy as np
import pytest

from impasto.bundle import Bundle
from impasto.codes import Codes
from impasto.engine import Cancellation, FakeEngine
from impasto.errors import EngineError, RunCancelled
from impasto.images import Planes
from impasto_server.errors import ShuttingDown, TooLate
from impasto_server.fast.engines import Engines
from impasto_server.fast.pace import Pace
from impasto_server.fast.scheduler import Piece, Run, Scheduler
from tests.support import code, fake_bundle


class Gated(FakeEngine):
    """An engine that waits before each run until it is let go, or stopped."""

    def __init__(self) -> None:
        super().__init__()
        self.holding = False
        self.stops = True
        self.entered = threading.Semaphore(0)
        self.release = threading.Semaphore(0)
        self.codes: list[Codes] = []
        self.stopped = threading.Event()

    def run(self, images: Planes, codes: Codes, cancellation: Cancellation | None = None) -> Planes:
        if self.holding:
            self.codes.append(codes)
            self.entered.release()
            with (cancellation or Cancellation()).stopping_by(self._stop):
                assert self.release.acquire(timeout=60)
            if self.stopped.is_set():
                raise RunCancelled("stopped")
        return super().run(images, codes, cancellation)

    def _stop(self) -> None:
        if self.stops:
            self.stopped.set()
            self.release.release()

    async def until_entered(self) -> None:
        assert await asyncio.to_thread(self.entered.acquire, timeout=60)


@asynccontextmanager
async def scheduling(bundle: Bundle, engine: Gated, *, runs: int = 1, most: int = 1) -> AsyncIterator[Scheduler]:
    pace = Pace()
    engines = Engines(lambda _: engine, pace, most)
    kept = await engines.open(bundle)
    scheduler = Scheduler(engines, runs, pace)
    engine.shapes.clear()
    engine.holding = True
    try:
        yield scheduler
    finally:
        scheduler.close()
        del kept
        engine.holding = False
        for _ in range(100):
            engine.release.release()


def piece(
    bundle: Bundle, strength: float = 1.0, *, client: str = "a", side: int = 16, due: float | None = None
) -> Piece:
    pixels = np.full((side, side, 3), 100, np.uint8)
    return Piece(pixels, bundle.transformer, code(1 - strength, strength), client, due)


def begin(scheduler: Scheduler, *pieces: Piece) -> list[asyncio.Future[Run]]:
    """Have pieces painted; what is cancelled is withdrawn."""
    return [asyncio.ensure_future(paint(scheduler, item)) for item in pieces]


async def paint(scheduler: Scheduler, item: Piece) -> Run:
    loop, outcome = asyncio.get_running_loop(), asyncio.get_running_loop().create_future()

    def settle(found: Run | Exception) -> None:
        if not outcome.done():
            outcome.set_result(found)

    def tell(found: Run | Exception) -> None:
        loop.call_soon_threadsafe(settle, found)

    withdraw = scheduler.put(item, tell)
    try:
        found = await outcome
    except asyncio.CancelledError:
        withdraw()
        raise
    if isinstance(found, Exception):
        raise found
    assert isinstance(found, Run)
    return found


async def until_waiting(scheduler: Scheduler, count: int) -> None:
    while scheduler.depth != count:
        await asyncio.sleep(0)


def gates(engine: Gated) -> list[list[float]]:
    """Return the strengths of every batch that was painted."""
    return [[round(float(one[-1]), 2) for one in batch] for batch in engine.codes]


async def test_an_idle_server_paints_at_once(tmp_path: Path) -> None:
    engine, bundle = Gated(), fake_bundle(tmp_path / "b")
    async with scheduling(bundle, engine) as scheduler:
        assert scheduler.wait("a") == 0
        (painting,) = begin(scheduler, piece(bundle))
        await engine.until_entered()
        engine.release.release()
        run = await painting
    np.testing.assert_allclose(run.planes, 1 - 100 / 255, atol=1e-6)
    assert run.batch == 1


async def test_what_comes_in_during_a_run_makes_the_next_batch_and_each_gets_its_own(tmp_path: Path) -> None:
    engine, bundle = Gated(), fake_bundle(tmp_path / "b")
    async with scheduling(bundle, engine, most=8) as scheduler:
        first = begin(scheduler, piece(bundle))
        await engine.until_entered()
        others = begin(scheduler, *(piece(bundle, strength, client=str(strength)) for strength in (0.0, 0.25, 0.5)))
        await until_waiting(scheduler, 3)
        engine.release.release()
        await engine.until_entered()
        engine.release.release()
        runs = await asyncio.gather(*first, *others)
    assert gates(engine) == [[1.0], [0.0, 0.25, 0.5]]
    assert [run.batch for run in runs] == [1, 3, 3, 3]
    photo = 100 / 255
    for run, strength in zip(runs, (1, 0, 0.25, 0.5), strict=True):
        assert run.planes.shape == (1, 3, 16, 16)
        np.testing.assert_allclose(run.planes, (1 - strength) * photo + strength * (1 - photo), atol=1e-6)


async def test_a_batch_is_of_one_size_and_no_larger_than_the_engine_gains_by(tmp_path: Path) -> None:
    engine, bundle = Gated(), fake_bundle(tmp_path / "b")
    async with scheduling(bundle, engine, most=2) as scheduler:
        paintings = begin(scheduler, piece(bundle))
        await engine.until_entered()
        sizes = (16, 32, 16, 16)
        paintings += begin(scheduler, *(piece(bundle, client=str(k), side=side) for k, side in enumerate(sizes)))
        await until_waiting(scheduler, 4)
        for _ in range(4):
            engine.release.release()
        await asyncio.gather(*paintings)
    assert sorted(shape[0] for shape in engine.shapes) == [1, 1, 1, 2]
    assert (2, 3, 16, 16) in engine.shapes


async def test_a_flood_does_not_keep_the_next_client_waiting(tmp_path: Path) -> None:
    engine, bundle = Gated(), fake_bundle(tmp_path / "b")
    async with scheduling(bundle, engine) as scheduler:
        flood = begin(scheduler, *(piece(bundle, 0.1, client="flooder") for _ in range(10)))
        await until_waiting(scheduler, 9)
        newcomer = begin(scheduler, piece(bundle, 0.9, client="newcomer"))
        await until_waiting(scheduler, 10)
        assert scheduler.wait("another newcomer") < scheduler.wait("flooder")
        for _ in range(20):
            engine.release.release()
        await asyncio.gather(*flood, *newcomer)
    assert [0.9] in gates(engine)[:3]


async def test_several_runs_go_at_once(tmp_path: Path) -> None:
    engine, bundle = Gated(), fake_bundle(tmp_path / "b")
    async with scheduling(bundle, engine, runs=2) as scheduler:
        paintings = begin(scheduler, piece(bundle), piece(bundle))
        await engine.until_entered()
        await engine.until_entered()
        engine.release.release()
        engine.release.release()
        await asyncio.gather(*paintings)


async def test_a_cancelled_piece_leaves_the_queue(tmp_path: Path) -> None:
    engine, bundle = Gated(), fake_bundle(tmp_path / "b")
    async with scheduling(bundle, engine) as scheduler:
        paintings = begin(scheduler, piece(bundle), piece(bundle, 0.5), piece(bundle, 0.7))
        await engine.until_entered()
        await until_waiting(scheduler, 2)
        paintings[1].cancel()
        await until_waiting(scheduler, 1)
        engine.release.release()
        engine.release.release()
        await asyncio.gather(paintings[0], paintings[2])
    assert gates(engine) == [[1.0], [0.7]]


async def test_a_run_stops_when_nobody_waits_for_any_of_its_pieces(tmp_path: Path) -> None:
    engine, bundle = Gated(), fake_bundle(tmp_path / "b")
    async with scheduling(bundle, engine, most=2) as scheduler:
        first = begin(scheduler, piece(bundle))
        await engine.until_entered()
        both = begin(scheduler, piece(bundle), piece(bundle))
        await until_waiting(scheduler, 2)
        engine.release.release()
        await engine.until_entered()
        await asyncio.gather(*first)

        both[0].cancel()
        await asyncio.gather(both[0], return_exceptions=True)
        assert not engine.stopped.is_set()
        both[1].cancel()
        await asyncio.gather(both[1], return_exceptions=True)

        assert await asyncio.to_thread(engine.stopped.wait, 60)
        engine.stopped.clear()
        again = begin(scheduler, piece(bundle))
        await engine.until_entered()
        engine.release.release()
        await asyncio.gather(*again)


async def test_who_would_be_too_late_is_refused_and_told_when_to_come(tmp_path: Path) -> None:
    engine, bundle = Gated(), fake_bundle(tmp_path / "b")
    async with scheduling(bundle, engine) as scheduler:
        waiting = begin(scheduler, *(piece(bundle, side=512) for _ in range(50)))
        await until_waiting(scheduler, 49)
        with pytest.raises(TooLate) as caught:
            await paint(scheduler, piece(bundle, due=perf_counter()))
        assert 0 < caught.value.retry_after <= caught.value.wait
        assert scheduler.depth == 49
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def test_with_nobody_before_it_even_one_that_seems_late_may_try(tmp_path: Path) -> None:
    engine, bundle = Gated(), fake_bundle(tmp_path / "b")
    async with scheduling(bundle, engine) as scheduler:
        (painting,) = begin(scheduler, piece(bundle, due=perf_counter()))
        await engine.until_entered()
        engine.release.release()
        assert (await painting).batch == 1


async def test_a_failed_run_fails_its_pieces_and_no_others(tmp_path: Path) -> None:
    class Failing(Gated):
        def run(self, images: Planes, codes: Codes, cancellation: Cancellation | None = None) -> Planes:
            painted = super().run(images, codes, cancellation)
            if self.holding and codes[0][-1] == 0.5:
                raise EngineError("the device is on fire")
            return painted

    engine, bundle = Failing(), fake_bundle(tmp_path / "b")
    async with scheduling(bundle, engine) as scheduler:
        bad, good = begin(scheduler, piece(bundle, 0.5), piece(bundle, 1.0))
        for _ in range(2):
            engine.release.release()
        with pytest.raises(EngineError, match="on fire"):
            await bad
        assert (await good).batch == 1


async def test_closing_fails_what_waits_and_lets_what_runs_finish(tmp_path: Path) -> None:
    engine, bundle = Gated(), fake_bundle(tmp_path / "b")
    async with scheduling(bundle, engine) as scheduler:
        running, waiting = begin(scheduler, piece(bundle), piece(bundle))
        await engine.until_entered()
        await until_waiting(scheduler, 1)
        scheduler.close()
        with pytest.raises(ShuttingDown):
            await waiting
        engine.release.release()
        assert (await running).batch == 1
        with pytest.raises(ShuttingDown):
            await paint(scheduler, piece(bundle))


async def test_who_has_waited_for_too_long_is_not_painted_any_more(tmp_path: Path) -> None:
    engine, bundle = Gated(), fake_bundle(tmp_path / "b")
    async with scheduling(bundle, engine) as scheduler:
        first = begin(scheduler, piece(bundle))
        await engine.until_entered()
        late, other = begin(scheduler, piece(bundle, 0.3, due=perf_counter() + 1), piece(bundle, 0.6))
        await until_waiting(scheduler, 2)
        await asyncio.sleep(1)
        for _ in range(2):
            engine.release.release()
        with pytest.raises(TooLate):
            await late
        await asyncio.gather(*first, other)
    assert gates(engine) == [[1.0], [0.6]]

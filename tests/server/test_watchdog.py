"""What gets stuck is found, and the server ends so that another can be started."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from impasto.codes import Codes
from impasto.engine import Cancellation, FakeEngine
from impasto.images import Planes, encode_planes
from impasto.logs import make_log
from impasto_client.errors import ServerFault
from impasto_server.fast import pictures
from impasto_server.fast.codec import Codec
from impasto_server.life.ending import Status
from impasto_server.life.pulse import Pulse
from impasto_server.life.watchdog import Overdue, Watchdog
from tests.client.servers import stylize_sync
from tests.server.processes import server_process
from tests.server.support import Served, photo, reason, refusal, serving
from tests.support import fake_bundle


class HoldsWide(FakeEngine):
    """An engine that holds pictures of this width until it is let go."""

    width = 0

    def __init__(self) -> None:
        super().__init__()
        self.entered = threading.Event()
        self.release = threading.Event()

    def run(self, images: Planes, codes: Codes, cancellation: Cancellation | None = None) -> Planes:
        if images.shape[3] == self.width:
            self.entered.set()
            assert self.release.wait(60)
        return super().run(images, codes, cancellation)


async def until_stuck(served: Served) -> None:
    async with asyncio.timeout(60):
        await served.server.until_stuck()


async def test_a_stuck_run_ends_its_own_picture_and_sends_what_waits_elsewhere(tmp_path: Path) -> None:
    engine = HoldsWide()
    async with serving(fake_bundle(tmp_path / "b"), engine=engine, engine_stuck_seconds=0.1, max_batch=1) as served:
        engine.width = 64
        stuck = asyncio.ensure_future(served.stylize())
        await asyncio.to_thread(engine.entered.wait, 60)
        waiting = asyncio.ensure_future(served.stylize(image=photo(32, 32)))
        watch = served.health.Watch(HealthCheckRequest())
        assert (await watch.read()).status == HealthCheckResponse.SERVING

        await until_stuck(served)

        assert (await refusal(stuck)).code() is grpc.StatusCode.INTERNAL  # for which no client asks another server
        error = await refusal(waiting)
        assert (error.code(), reason(error)) == (grpc.StatusCode.UNAVAILABLE, "impasto/SHUTTING_DOWN")
        assert (await watch.read()).status == HealthCheckResponse.NOT_SERVING
        assert await served.get("/livez") == (503, "an engine is stuck\n")
        assert await served.get("/readyz") == (503, "an engine is stuck\n")
        late = await refusal(served.stylize())
        assert (late.code(), reason(late)) == (grpc.StatusCode.UNAVAILABLE, "impasto/SHUTTING_DOWN")
        (line,) = (line for line in served.lines if line["level"] == "critical")
        assert line["event"] == "an engine is stuck; shutting down, to be started anew"
        assert (line["size"], line["pictures"]) == ("64x48", 1)
        assert line["seconds"] > 20 * line["expected"]
        engine.release.set()


async def test_what_another_thread_paints_meanwhile_is_painted_to_its_end(tmp_path: Path) -> None:
    slow, go_on = threading.Event(), threading.Event()

    class SlowToo(HoldsWide):
        def run(self, images: Planes, codes: Codes, cancellation: Cancellation | None = None) -> Planes:
            if self.width and images.shape[3] == 32:
                slow.set()
                assert go_on.wait(60)
            return super().run(images, codes, cancellation)

    engine, options = SlowToo(), {"engine_stuck_seconds": 0.1, "engine_runs": 2, "max_batch": 1}
    async with serving(fake_bundle(tmp_path / "b"), engine=engine, **options) as served:
        engine.width = 64
        stuck = asyncio.ensure_future(served.stylize())
        assert await asyncio.to_thread(engine.entered.wait, 60)
        begun = asyncio.ensure_future(served.stylize(image=photo(32, 32)))
        assert await asyncio.to_thread(slow.wait, 60)
        await until_stuck(served)
        assert (await refusal(stuck)).code() is grpc.StatusCode.INTERNAL
        go_on.set()
        assert (await begun).image
        engine.release.set()


def test_a_server_whose_engine_is_stuck_ends_to_be_started_anew(tmp_path: Path) -> None:
    options = ("--engine-stuck-seconds", "0.5", "--drain-seconds", "5")
    with server_process(tmp_path, *options, hang="engine") as server:
        server.switch.touch()
        with pytest.raises(ServerFault):
            stylize_sync(server.target, photo(), timeout=60)
        assert server.process.wait(60) == Status.STUCK
        assert server.lines("an engine is stuck")
        assert server.lines("stopped")


async def test_a_codecs_thread_that_does_not_come_back_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()

    def held(*arguments: Any, **options: Any) -> bytes:
        assert release.wait(60)
        return encode_planes(*arguments, **options)

    monkeypatch.setattr(pictures, "encode_planes", held)
    async with serving(fake_bundle(tmp_path / "b"), engine_stuck_seconds=0.2) as served:
        call = asyncio.ensure_future(served.stylize(image=photo(200, 200)))
        await until_stuck(served)
        assert await served.get("/livez") == (503, "a codec's thread is stuck\n")
        release.set()
        assert (await call).image  # it came back after all


async def test_a_codec_tells_only_of_work_that_lasts() -> None:
    codec, release, entered = Codec(1), threading.Event(), threading.Event()

    def work() -> None:
        entered.set()
        assert release.wait(60)

    assert await codec.run(lambda: 7) == 7
    assert codec.overdue(0) is None
    codec.begin(work)
    assert await asyncio.to_thread(entered.wait, 60)
    assert codec.overdue(3600) is None
    overdue = codec.overdue(0)
    assert overdue is not None
    assert overdue.what == "a codec's thread"
    release.set()
    await codec.run(lambda: None)
    codec.close()


async def watched(look: Callable[[], Overdue | None], looks: int) -> list[Overdue]:
    """Return what a watchdog has found after so many looks."""
    count, enough = 0, asyncio.Event()
    found: list[Overdue] = []

    def looking() -> Overdue | None:
        nonlocal count
        count += 1
        if count == looks:
            enough.set()
        return look()

    watchdog = Watchdog([lambda: None, looking], found=found.append, log=make_log(stream=io.StringIO()), every=0.001)
    watchdog.start()
    waiting = {asyncio.ensure_future(enough.wait())}
    while not (found or enough.is_set()):
        await asyncio.wait(waiting, timeout=0.01)
    await watchdog.stop()
    for each in waiting:
        each.cancel()
    return found


async def test_only_work_that_was_seen_several_times_in_a_row_is_stuck() -> None:
    numbers = iter(range(100))
    assert await watched(lambda: Overdue("work", next(numbers), {}), 20) == []
    assert await watched(lambda: None, 20) == []
    always = Overdue("work", "the same", {})
    assert await watched(lambda: always, 20) == [always]


def test_a_loop_that_is_blocked_is_ended_and_one_that_turns_is_not() -> None:
    log, ended = io.StringIO(), []
    blocked = threading.Event()

    def end(say: Callable[[], None], status: Status) -> None:
        say()
        ended.append(status)
        blocked.set()

    async def turn() -> None:
        with Pulse(2, make_log(stream=log), end=end).watching(asyncio.get_running_loop()):
            await asyncio.sleep(4)
            assert not ended
            assert blocked.wait(60)

    asyncio.run(turn())
    assert ended == [Status.DEAF]
    assert "the event loop does not turn; ended at once" in log.getvalue()
    assert "test_watchdog.py" in log.getvalue()

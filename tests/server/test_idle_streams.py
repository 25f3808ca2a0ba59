"""Streams that stand still: they end, and until then hold no more than their window."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from impasto import images
from impasto.engine import FakeEngine
from impasto.images import Format
from impasto.v1 import stylizer_pb2 as pb
from impasto_client import AsyncClient
from impasto_server.errors import StreamIdle
from impasto_server.rpc.idleness import Idleness
from tests.server.job_support import serving_jobs, succeed
from tests.server.support import Held, photo, reason, refusal, serving
from tests.server.test_streams import config, item
from tests.support import fake_bundle

LARGE = images.encode(np.random.default_rng(0).integers(0, 256, (512, 512, 3), np.uint8), format=Format.PNG)  # 800 KB


def idle(error: grpc.aio.AioRpcError) -> bool:
    return (error.code(), reason(error)) == (grpc.StatusCode.DEADLINE_EXCEEDED, "impasto/STREAM_IDLE")


async def read_all(stream: Any, into: list[Any]) -> None:
    async for message in stream:
        into += [message]  # also of one that ends with an error


async def test_a_stream_whose_caller_sends_nothing_ends(tmp_path: Path) -> None:
    async with serving(fake_bundle(tmp_path / "b"), stream_idle_seconds=0.3) as served:
        stream = served.stub.StylizeStream()
        await stream.write(config())
        await stream.write(item(1))
        assert (await stream.read()).id == "1"
        error = await refusal(stream.read())
    assert idle(error)
    assert error.details() == ("no photo came for 0.3 s, so the stream was ended; open another when it is needed")


async def test_a_stream_that_does_not_even_say_how_it_is_to_go_ends(tmp_path: Path) -> None:
    async with serving(fake_bundle(tmp_path / "b"), stream_idle_seconds=0.3) as served:
        assert idle(await refusal(served.stub.StylizeStream().read()))


async def test_a_stream_that_waits_for_the_server_goes_on(tmp_path: Path) -> None:
    engine = Held()
    async with serving(fake_bundle(tmp_path / "b"), engine=engine, stream_idle_seconds=0.2) as served:
        engine.holding = True
        stream = served.stub.StylizeStream()
        await stream.write(config())
        await stream.write(item(1))
        reading = asyncio.ensure_future(stream.read())
        await engine.until_entered()
        await asyncio.wait({reading}, timeout=1)  # several times as long as it may stand still
        assert not reading.done()
        engine.release.set()
        assert (await reading).id == "1"
        assert idle(await refusal(stream.read()))


async def test_a_stream_whose_caller_reads_nothing_ends_and_lets_go_of_its_photos(tmp_path: Path) -> None:
    engine = FakeEngine()

    async def endless() -> AsyncIterator[pb.StylizeStreamRequest]:
        yield config(window=3)
        while True:
            yield item(1, LARGE)

    async with serving(fake_bundle(tmp_path / "b"), engine=engine, stream_idle_seconds=0.5) as served:
        stream = served.stub.StylizeStream(endless())
        while "impasto_stream_items_total" not in (page := (await served.get("/metrics"))[1]):
            await asyncio.sleep(0.05)
        before: Any = None
        while before != (before := len(engine.shapes)):  # it comes to rest
            await asyncio.sleep(1)
        assert 'method="/impasto.v1.Stylizer/StylizeStream"} 1.0' not in page
        answers: list[Any] = []
        error = await refusal(read_all(stream, answers))
        assert idle(error)
        assert str(error.details()).startswith("no answer was read for 0.5 s")
        assert 0 < len(answers) < 20
        assert len(engine.shapes) == before


async def test_a_result_that_nobody_reads_is_let_go(tmp_path: Path) -> None:
    async with serving_jobs(tmp_path, stream_idle_seconds=0.5) as served:
        name = (await served.create()).name
        succeed(await served.claim(), file=bytes(8 * 2**20))
        reading = served.stub.ReadStylization(pb.ReadStylizationRequest(name=name))
        await asyncio.sleep(2)
        chunks: list[Any] = []
        assert idle(await refusal(read_all(reading, chunks)))
        received = sum(len(chunk.data) for chunk in chunks)
        assert received < 8 * 2**20
        whole = b"".join(await served.read_result(name, received))  # it goes on where it broke off
        assert len(whole) == 8 * 2**20 - received


async def test_a_watch_of_a_job_that_takes_long_goes_on(tmp_path: Path) -> None:
    async with serving_jobs(tmp_path, stream_idle_seconds=0.3) as served:
        watch = served.watch((await served.create()).name)
        claim = await served.claim()
        await asyncio.sleep(1)
        succeed(claim)
        states = [message.stylization.state async for message in watch]
        assert states[-1] == pb.Stylization.SUCCEEDED


async def test_our_client_does_not_notice_that_its_stream_was_ended(tmp_path: Path) -> None:
    async def slowly() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield photo()
            await asyncio.sleep(1)

    async with serving(fake_bundle(tmp_path / "b"), stream_idle_seconds=0.2) as served:
        async with AsyncClient(str(served.server.address)) as client:
            results = [result.get().image async for result in client.stylize_stream(slowly(), "ink")]
        assert len(results) == 3
        assert [line["code"] for line in served.lines if line.get("code") == "DEADLINE_EXCEEDED"]


async def test_the_clock_runs_only_while_nothing_is_in_the_works() -> None:
    idleness = Idleness(0.05)
    idleness.begun()
    never: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    waiting = asyncio.ensure_future(idleness.wait(never))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    idleness.answered()
    with pytest.raises(StreamIdle):
        await waiting

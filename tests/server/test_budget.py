"""Bytes that streams hold together."""

from __future__ import annotations

import asyncio
from pathlib import Path

from impasto.v1 import stylizer_pb2 as pb
from impasto_server.rpc.budget import Budget
from tests.server.support import Held, photo, serving
from tests.support import fake_bundle


async def test_a_stream_that_holds_something_waits_while_all_together_hold_too_much() -> None:
    budget = Budget(10)
    full, other = budget.share(), budget.share()
    full.change(10)

    waiting = asyncio.ensure_future(full.room())
    await other.room()  # which holds nothing, and so may have one
    await asyncio.sleep(0)
    assert not waiting.done()

    full.change(-1)
    await waiting


async def test_a_stream_that_ends_gives_back_all_that_it_held() -> None:
    budget = Budget(10)
    share = budget.share()
    share.change(25)
    share.close()
    assert budget.held == 0


async def test_streams_take_one_photo_each_while_the_budget_is_used_up(tmp_path: Path) -> None:
    engine = Held()
    async with serving(fake_bundle(tmp_path / "b"), engine=engine, stream_bytes=1, stream_window=4) as served:
        engine.holding = True
        streams = [served.stub.StylizeStream() for _ in range(2)]
        config = pb.StylizeStreamConfig(defaults=pb.StylizeRequest(style_id="ink"))
        for stream in streams:
            await stream.write(pb.StylizeStreamRequest(config=config))
            for number in range(3):
                item = pb.StylizeStreamItem(id=str(number), request=pb.StylizeRequest(image=photo()))
                await stream.write(pb.StylizeStreamRequest(item=item))
            await stream.done_writing()
        await engine.until_entered()

        while "impasto_requests_in_flight 2.0" not in (await served.get("/metrics"))[1]:
            await asyncio.sleep(0.01)
        assert "impasto_requests_in_flight 2.0" in (await served.get("/metrics"))[1]

        engine.release.set()
        for stream in streams:
            assert [answer.id async for answer in stream] == ["0", "1", "2"]

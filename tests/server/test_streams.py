"""Photos over one stream."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from impasto import images
from impasto.codes import Codes
from impasto.engine import Cancellation, FakeEngine
from impasto.images import Format, Planes
from impasto.v1 import stylizer_pb2 as pb
from tests.server.support import Held, Served, fields, photo, read, reason, refusal, serving
from tests.support import fake_bundle, gradient

ORDERED, AS_COMPLETED = pb.StylizeStreamConfig.ORDERED, pb.StylizeStreamConfig.AS_COMPLETED


def config(style: str = "ink", **others: Any) -> pb.StylizeStreamRequest:
    defaults = pb.StylizeRequest(style_id=style, format=pb.IMAGE_FORMAT_PNG)
    return pb.StylizeStreamRequest(config=pb.StylizeStreamConfig(**{"defaults": defaults, **others}))


def item(id: object, image: bytes | None = None, **options: Any) -> pb.StylizeStreamRequest:
    request = pb.StylizeRequest(image=photo() if image is None else image, **options)
    return pb.StylizeStreamRequest(item=pb.StylizeStreamItem(id=str(id), request=request))


async def answers(served: Served, *messages: pb.StylizeStreamRequest) -> list[pb.StylizeStreamResponse]:
    return [answer async for answer in served.stub.StylizeStream(iter(messages))]


def ids(found: Iterable[pb.StylizeStreamResponse]) -> list[str]:
    return [answer.id for answer in found]


async def test_every_photo_of_a_stream_is_painted_in_order(tmp_path: Path) -> None:
    async with serving(fake_bundle(tmp_path / "b")) as served:
        found = await answers(served, config(), *(item(k, photo(40 + k, 30)) for k in range(20)))
    assert ids(found) == [str(k) for k in range(20)]
    for k, answer in enumerate(found):
        np.testing.assert_array_equal(read(answer.response), 255 - gradient(40 + k, 30))


async def test_a_stream_without_photos_ends_at_once(tmp_path: Path) -> None:
    async with serving(fake_bundle(tmp_path / "b")) as served:
        assert await answers(served, config()) == []


async def test_as_completed_a_slow_photo_holds_back_no_other(tmp_path: Path) -> None:
    engine = Held()
    async with serving(fake_bundle(tmp_path / "b"), engine=engine, engine_runs=1) as served:
        engine.holding = True
        stream = served.stub.StylizeStream()
        await stream.write(config(order=AS_COMPLETED))
        await stream.write(item("slow"))
        await engine.until_entered()
        await stream.write(item("unpainted", strength=0))
        assert (await stream.read()).id == "unpainted"
        engine.release.set()
        assert (await stream.read()).id == "slow"
        await stream.done_writing()
        assert await stream.read() == grpc.aio.EOF


async def test_an_error_belongs_to_its_photo_and_ends_nothing(tmp_path: Path) -> None:
    async with serving(fake_bundle(tmp_path / "b")) as served:
        found = await answers(
            served,
            config(),
            item("broken", b"no picture"),
            item("unknown", style_id="nowhere"),
            item("empty", b""),
            item("job", style_images=pb.StyleImages(parts=[pb.StyleImages.Part(image=photo())])),
            item("good"),
        )
        _, metrics = await served.get("/metrics")
    assert ids(found) == ["broken", "unknown", "empty", "job", "good"]
    codes = [grpc.StatusCode.INVALID_ARGUMENT.value[0]] * 4
    codes[1] = grpc.StatusCode.NOT_FOUND.value[0]
    assert [answer.error.code for answer in found[:4]] == codes
    assert "nowhere" in found[1].error.message
    assert found[0].error.details
    assert found[4].HasField("response")
    assert 'impasto_stream_items_total{code="INVALID_ARGUMENT"} 3.0' in metrics
    assert 'impasto_stream_items_total{code="OK"} 1.0' in metrics


async def test_an_unexpected_error_of_one_photo_is_logged_and_told_by_id(tmp_path: Path) -> None:
    class Broken(FakeEngine):
        def run(self, images: Planes, codes: Codes, cancellation: Cancellation | None = None) -> Planes:
            if images.shape[3] == 128:
                raise RuntimeError("a secret")
            return super().run(images, codes, cancellation)

    async with serving(fake_bundle(tmp_path / "b"), engine=Broken()) as served:
        bad, good = await answers(served, config(), item("bad", photo(128, 96)), item("good"))
        lost = next(line for line in served.lines if line["event"] == "unexpected error")
    assert bad.error.code == grpc.StatusCode.INTERNAL.value[0]
    assert "secret" not in str(bad)
    assert lost["item_request_id"] in bad.error.message
    assert good.HasField("response")


async def test_what_a_photo_asks_for_wins_over_the_streams_defaults(tmp_path: Path) -> None:
    both = pb.Blend(parts=[pb.Blend.Part(style_id="ink", weight=1), pb.Blend.Part(style_id="gold", weight=1)])
    one = pb.Blend(parts=[pb.Blend.Part(style_id="ink", weight=1)])
    defaults = pb.StylizeRequest(blend=both, format=pb.IMAGE_FORMAT_PNG, strength=0)
    async with serving(fake_bundle(tmp_path / "b")) as served:
        found = await answers(
            served,
            config(defaults=defaults),
            item("defaults"),
            item("strength", strength=1),
            item("size", output_size=pb.Size(width=32)),
            item("format", format=pb.IMAGE_FORMAT_WEBP),
            item("style", style_id="gold", strength=1),
            item("blend", blend=one, strength=1),
        )
    by_id = {answer.id: answer.response for answer in found}
    np.testing.assert_array_equal(read(by_id["defaults"]), gradient())
    np.testing.assert_array_equal(read(by_id["strength"]), 255 - gradient())
    assert read(by_id["size"]).shape == (24, 32, 3)
    assert by_id["format"].image.startswith(b"RIFF")
    np.testing.assert_array_equal(read(by_id["style"]), 255 - gradient())
    np.testing.assert_array_equal(read(by_id["blend"]), 255 - gradient())


@pytest.mark.parametrize(
    ("messages", "field"),
    [
        ([], "config"),
        ([item(1)], "config"),
        ([pb.StylizeStreamRequest()], "config"),
        ([config(order=7)], "config.order"),
        ([config(window=-1)], "config.window"),
        ([config(defaults=pb.StylizeRequest(image=b"x"))], "config.defaults.image"),
        ([config(), config()], "item"),
    ],
)
async def test_a_stream_that_is_none_is_refused_by_the_field(
    tmp_path: Path, messages: list[pb.StylizeStreamRequest], field: str
) -> None:
    async with serving(fake_bundle(tmp_path / "b")) as served:
        error = await refusal(answers(served, *messages))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert fields(error) == [field]


async def test_what_came_before_a_bad_message_is_answered(tmp_path: Path) -> None:
    async with serving(fake_bundle(tmp_path / "b")) as served:
        stream = served.stub.StylizeStream(iter([config(), item(1), item(2), pb.StylizeStreamRequest()]))
        assert ids([await stream.read(), await stream.read()]) == ["1", "2"]
        error = await refusal(stream.read())
    assert fields(error) == ["item"]


async def test_who_reads_nothing_is_read_no_further_and_holds_up_nobody(tmp_path: Path) -> None:
    window = 3
    noise = np.random.default_rng(0).integers(0, 256, (512, 512, 3), np.uint8)
    large = images.encode(noise, format=Format.PNG)  # 800 KB: soon more than what the transport holds
    sent = 0

    async def endless() -> AsyncIterator[pb.StylizeStreamRequest]:
        nonlocal sent
        yield config(window=window)
        while True:
            sent += 1
            yield item(sent, large)

    engine = FakeEngine()
    async with serving(fake_bundle(tmp_path / "b"), engine=engine) as served:
        warm = len(engine.shapes)
        lazy = served.stub.StylizeStream(endless())
        await lazy.read()
        before = -1
        while before != len(engine.shapes):  # it comes to rest
            before = len(engine.shapes)
            await asyncio.sleep(0.5)
        for _ in range(3):
            await served.stylize()
        assert before - warm < 30
        assert sent < 60
        lazy.cancel()


async def test_a_full_server_lets_a_streams_photos_wait(tmp_path: Path) -> None:
    engine = Held()
    async with serving(fake_bundle(tmp_path / "b"), engine=engine, max_concurrent_requests=1) as served:
        engine.holding = True
        unary = asyncio.ensure_future(served.stylize())
        await engine.until_entered()
        streaming = asyncio.ensure_future(answers(served, config(), item(1), item(2)))
        assert reason(await refusal(served.stylize())) == "impasto/OVERLOADED"
        engine.release.set()
        await unary
        assert ids(await streaming) == ["1", "2"]


async def test_a_cancelled_stream_leaves_nothing_in_the_works(tmp_path: Path) -> None:
    engine = Held()
    async with serving(fake_bundle(tmp_path / "b"), engine=engine) as served:
        engine.holding = True
        stream = served.stub.StylizeStream()
        await stream.write(config())
        for k in range(4):
            await stream.write(item(k))
        await engine.until_entered()
        stream.cancel()
        while "impasto_requests_in_flight 0.0" not in (await served.get("/metrics"))[1]:
            await asyncio.sleep(0.01)
        engine.release.set()
        assert (await served.stylize()).image
        assert len([shape for shape in engine.shapes if shape[2:] == (48, 64)]) == 2  # the one that had begun, and this


async def test_a_server_that_stops_answers_what_it_has_read_and_says_that_it_stops(tmp_path: Path) -> None:
    async with serving(fake_bundle(tmp_path / "b")) as served:
        stream = served.stub.StylizeStream()
        await stream.write(config())
        await stream.write(item(1))
        assert (await stream.read()).id == "1"
        stopping = asyncio.ensure_future(served.server.stop())
        error = await refusal(stream.read())
        await stopping
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert reason(error) == "impasto/SHUTTING_DOWN"


async def test_ten_thousand_frames_pass_in_constant_memory(tmp_path: Path) -> None:
    tiny, count = photo(16, 16, Format.JPEG), 10_000

    async def frames() -> AsyncIterator[pb.StylizeStreamRequest]:
        yield config(defaults=pb.StylizeRequest(style_id="ink"))
        for k in range(count):
            yield item(k, tiny)

    class Forgetful(FakeEngine):
        def run(self, images: Planes, codes: Codes, cancellation: Cancellation | None = None) -> Planes:
            painted = super().run(images, codes, cancellation)
            self.shapes.clear()
            return painted

    async with serving(fake_bundle(tmp_path / "b"), engine=Forgetful()) as served:
        received, early = 0, 0
        async for answer in served.stub.StylizeStream(frames()):
            assert answer.id == str(received)
            received += 1
            if received == count // 10:
                early = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        late = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert received == count
    assert late - early < 20_000  # KiB; ten thousand answers kept would take more

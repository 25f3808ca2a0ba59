"""Many photos over one stream: the same for both clients, against the real server with a fake engine."""

from __future__ import annotations

import asyncio
import gc
import io
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from grpc import StatusCode
from PIL import ExifTags, Image

from impasto.bundle import Bundle
from impasto_client import (
    AsyncClient,
    Client,
    ImpastoClientError,
    InvalidRequest,
    MessageTooLarge,
    Painting,
    Photo,
    StreamResult,
    StyleUnknown,
    streaming,
)
from tests.client import servers
from tests.client.servers import Call
from tests.client.stream_servers import (
    LONG,
    Connect,
    HoldsWidth,
    collect,
    echo_stream,
    either_client,
    negative,
    photo,
    pixels,
    synchronous,
)
from tests.core.exifs import phone
from tests.core.exifs import photo as file_of_a_phone
from tests.server.support import serving
from tests.support import fake_bundle

WINDOW = 8


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return fake_bundle(tmp_path / "bundle")


@either_client
async def test_photos_are_painted_in_their_order(connect: Connect, bundle: Bundle) -> None:
    widths = range(40, 70)

    async with serving(bundle) as served, connect(served.server.address) as stream:
        results = await collect(stream((photo(width) for width in widths), "ink", format="png"))

    assert [result.id for result in results] == [str(number) for number in range(30)]
    for result, width in zip(results, widths, strict=True):
        np.testing.assert_array_equal(pixels(result.get()), negative(width))


@either_client
async def test_as_completed_a_slow_photo_holds_back_no_other(connect: Connect, bundle: Bundle) -> None:
    engine = HoldsWidth(80)
    photos = {"slow": photo(80), "a": photo(), "b": photo(40), "c": photo(44)}

    async with serving(bundle, engine=engine, engine_runs=2) as served, connect(served.server.address) as stream:
        results = stream(photos.items(), "ink", ordered=False)
        quick = {(await anext(results)).id for _ in range(3)}
        engine.release.set()
        last = await anext(results)
        await results.aclose()

    assert quick == {"a", "b", "c"}
    assert last.id == "slow"


@either_client
async def test_an_error_belongs_to_its_photo_alone(connect: Connect, bundle: Bundle) -> None:
    photos: list[Any] = [
        photo(),
        ("torn", photo()[:99]),
        Photo(photo(), style="nobodys"),
        Photo(photo(), strength=7),
        Photo(photo(), quality="best", id="no number"),  # type: ignore[arg-type]
        Photo(photo(), style=Painting(photo())),  # type: ignore[arg-type]
        "photo.jpg",
        (7, photo()),
        b"",
        ("last", photo()),
    ]

    async with serving(bundle) as served, connect(served.server.address) as stream:
        results = await collect(stream(photos, "ink"))

    first, *failed, last = results
    assert first.stylized
    assert last.stylized
    assert [result.id for result in results] == ["0", "torn", "2", "3", "no number", "5", "6", "7", "8", "last"]
    assert not any(result.stylized for result in failed)
    fields = [result.error.field for result in failed if isinstance(result.error, InvalidRequest)]
    assert fields == ["image", "style", "strength", "quality", "style", "photo", "id", "photo"]
    assert isinstance(failed[1].error, StyleUnknown)
    assert failed[1].error.available == ["gold", "ink"]


@either_client
async def test_photos_that_are_all_refused_here_need_no_server(connect: Connect) -> None:
    async with connect("127.0.0.1:1") as stream:
        results = await collect(stream([photo()] * 20))

    assert len(results) == 20
    assert {str(result.error) for result in results} == {
        "style: neither the photo nor the stream has one; give an id such as 'starry-night'"
    }


@either_client
async def test_a_result_is_the_painting_or_raises(connect: Connect, bundle: Bundle) -> None:
    async with serving(bundle) as served, connect(served.server.address) as stream:
        good, bad = await collect(stream([photo(), b"no picture"], "ink"))

    assert good.get().width == 64
    with pytest.raises(InvalidRequest, match="image"):
        bad.get()


@either_client
async def test_each_photo_carries_what_it_or_the_stream_says(connect: Connect, bundle: Bundle) -> None:
    file = file_of_a_phone(phone())
    photos = [Photo(file), Photo(file, metadata="none"), Photo(file, metadata="without_location")]

    async with serving(bundle) as served, connect(served.server.address) as stream:
        results = await collect(stream(photos, "ink", metadata="all"))

    blocks = [Image.open(io.BytesIO(result.get().image)).getexif() for result in results]
    assert [block.get(ExifTags.Base.Artist) for block in blocks] == ["Ada Lovelace", None, "Ada Lovelace"]
    assert [bool(block.get_ifd(ExifTags.IFD.GPSInfo)) for block in blocks] == [True, False, False]


@either_client
async def test_the_options_of_a_photo_win_over_those_of_the_stream(connect: Connect, bundle: Bundle) -> None:
    photos = [
        Photo(photo()),
        Photo(photo(), width=32, format="webp"),
        Photo(photo(), strength=0),
        Photo(photo(), style={"ink": 1, "gold": 1}, working_size=40),
    ]

    async with serving(bundle) as served, connect(served.server.address) as stream:
        results = await collect(stream(photos, "ink", width=128, format="png", working_size=100))

    painted = [result.get() for result in results]
    assert [(found.width, found.format) for found in painted] == [
        (128, "png"),
        (32, "webp"),
        (128, "png"),
        (128, "png"),
    ]
    assert [found.working_size[0] for found in painted] == [100, 100, 64, 40]


@either_client
async def test_no_more_photos_are_asked_for_than_the_window_allows(connect: Connect, bundle: Bundle) -> None:
    asked = taken = 0

    def photos() -> Iterator[bytes]:
        nonlocal asked
        for asked in range(1, 101):
            assert asked <= taken + 1 + WINDOW
            yield photo(16, 16)

    async with serving(bundle) as served, connect(served.server.address) as stream:
        results = stream(photos(), "ink", window=WINDOW)
        assert asked == 0
        async for result in results:
            assert result.stylized
            taken += 1

    assert taken == 100


@either_client
async def test_the_window_is_told_to_the_server(connect: Connect) -> None:
    windows = []

    def answer(call: Call) -> Any:
        windows.append(next(call.request).config.window)
        return echo_stream(call)

    with servers.serving(answer) as server:
        async with connect(server.target) as stream:
            assert len(await collect(stream([b"photo"] * 5, "ink", window=3))) == 5

    assert windows == [3]


@either_client
async def test_a_stream_without_photos_makes_no_call(connect: Connect) -> None:
    with servers.serving(echo_stream) as server:
        async with connect(server.target) as stream:
            assert await collect(stream([], "ink")) == []

    assert server.calls == []


@either_client
async def test_what_the_photos_raise_comes_after_the_results_before_it(connect: Connect, bundle: Bundle) -> None:
    def photos() -> Iterator[bytes]:
        yield photo()
        yield photo()
        raise OSError("the camera is gone")

    async with serving(bundle) as served, connect(served.server.address) as stream:
        results = stream(photos(), "ink")
        ids = [(await anext(results)).id, (await anext(results)).id]
        with pytest.raises(OSError, match="the camera is gone"):
            await anext(results)

    assert ids == ["0", "1"]


@either_client
async def test_a_photo_can_wait_for_the_result_of_the_one_before(connect: Connect, bundle: Bundle) -> None:
    seen = threading.Semaphore(1)

    def photos() -> Iterator[bytes]:
        for _ in range(5):
            assert seen.acquire(timeout=LONG)
            yield photo()

    async with serving(bundle) as served, connect(served.server.address) as stream:
        async for result in stream(photos(), "ink"):
            assert result.stylized
            seen.release()


@either_client
async def test_a_photo_that_the_transport_refuses_takes_no_other_with_it(connect: Connect, bundle: Bundle) -> None:
    large = photo() + bytes(100_000)
    photos = [photo(), large, photo(), large, photo()]

    async with serving(bundle, max_message_bytes=50_000) as served, connect(served.server.address) as stream:
        results = await collect(stream(photos, "ink"))

    assert [result.id for result in results] == ["0", "1", "2", "3", "4"]
    assert [type(result.error) for result in results] == [type(None), MessageTooLarge] * 2 + [type(None)]
    assert isinstance(results[1].error, MessageTooLarge)
    assert results[1].error.limit == 50_000


@either_client
@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"window": 0}, "window"),
        ({"window": 2.5}, "window"),
        ({"timeout": 0}, "timeout"),
        ({"style": Painting(b"painting")}, "style"),
        ({"style": ""}, "style"),
        ({"format": "bmp"}, "format"),
        ({"strength": "strong"}, "strength"),
    ],
)
async def test_a_stream_that_makes_no_sense_is_refused_at_once(
    connect: Connect, options: dict[str, Any], field: str
) -> None:
    async with connect("127.0.0.1:1") as stream:
        with pytest.raises(InvalidRequest) as raised:
            stream([b"photo"], **options)

    assert raised.value.field == field
    assert raised.value.status is StatusCode.INVALID_ARGUMENT


@either_client
async def test_memory_stays_the_same_through_ten_thousand_frames(connect: Connect) -> None:
    def count() -> int:
        return sum(type(thing) in (Photo, StreamResult) for thing in gc.get_objects())

    def photos() -> Iterator[Photo]:
        for number in range(10_000):
            if number % 500 == 499:
                alive.append(count() - others)
            yield Photo(b"frame")

    gc.collect()
    others = count()  # of other tests
    alive: list[int] = []

    painted = 0
    with servers.serving(echo_stream) as server:
        async with connect(server.target) as stream:
            async for result in stream(photos(), "ink", window=WINDOW):
                painted += result.stylized is not None

    assert painted == 10_000
    assert max(alive) <= WINDOW + 3  # the reader's, and those that are being handed over


@either_client
async def test_the_server_hears_of_it_when_the_loop_is_left(connect: Connect) -> None:
    ended = threading.Event()

    def answer(call: Call) -> Any:
        call.context.add_callback(ended.set)
        return echo_stream(call)

    with servers.serving(answer) as server:
        async with connect(server.target) as stream:
            async with aclosing(stream(endless(), "ink")) as results:
                await anext(results)
            assert await asyncio.to_thread(ended.wait, LONG)


@either_client
async def test_leaving_the_loop_leaves_no_thread_and_no_task_behind(connect: Connect, bundle: Bundle) -> None:
    async with serving(bundle) as served, connect(served.server.address) as stream:
        await collect(stream([photo()] * 20, "ink"))  # the server's threads have begun
        threads, tasks = threads_now(), asyncio.all_tasks()
        async with aclosing(stream(endless(), "ink")) as results:
            async for result in results:
                if result.id == "20":
                    break
        await asyncio.wait_for(all_gone(threads, tasks), LONG)


@either_client
async def test_two_streams_share_a_client(connect: Connect, bundle: Bundle) -> None:
    async with serving(bundle) as served, connect(served.server.address) as stream:
        narrow, wide = await asyncio.gather(
            collect(stream([photo(40)] * 30, "ink")), collect(stream([photo(60)] * 30, "ink"))
        )

    assert [result.get().width for result in narrow] == [40] * 30
    assert [result.get().width for result in wide] == [60] * 30


async def test_a_cancelled_task_leaves_nothing_behind(bundle: Bundle) -> None:
    engine = HoldsWidth(80)

    async with serving(bundle, engine=engine) as served, AsyncClient(str(served.server.address)) as client:
        await client.styles()
        threads, tasks = threads_now(), asyncio.all_tasks()
        reading = asyncio.create_task(collect(client.stylize_stream([photo(80)], "ink")))
        assert await asyncio.to_thread(engine.entered.wait, LONG)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        engine.release.set()
        of_ours = {thread for thread in threads_now() - threads if thread.name.startswith("impasto-photos")}
        await asyncio.wait_for(all_gone(threads_now() - of_ours, tasks), LONG)


async def test_an_asynchronous_iterable_is_taken_in_the_event_loop(bundle: Bundle) -> None:
    loops = set()

    async def photos() -> AsyncIterator[bytes]:
        for _ in range(20):
            loops.add(asyncio.get_running_loop())
            yield photo()

    async with serving(bundle) as served, AsyncClient(str(served.server.address)) as client:
        assert len(await collect(client.stylize_stream(photos(), "ink"))) == 20

    assert loops == {asyncio.get_running_loop()}


async def test_a_source_that_takes_its_time_does_not_stop_the_event_loop(bundle: Bundle) -> None:
    ticked = threading.Event()

    def photos() -> Iterator[bytes]:
        asyncio.run_coroutine_threadsafe(tick(), loop)
        assert ticked.wait(LONG)
        yield photo()

    async def tick() -> None:
        ticked.set()

    loop = asyncio.get_running_loop()
    async with serving(bundle) as served, AsyncClient(str(served.server.address)) as client:
        assert len(await collect(client.stylize_stream(photos(), "ink"))) == 1


async def test_a_source_that_never_returns_does_not_hold_up_who_leaves(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "_SOURCE_TIME", 0.01)
    released = threading.Event()

    def photos() -> Iterator[bytes]:
        yield photo()
        released.wait(LONG)

    async with serving(bundle) as served, synchronous(served.server.address) as stream:
        async with aclosing(stream(photos(), "ink")) as results:
            await anext(results)
        asking = {thread for thread in threading.enumerate() if thread.name == "impasto-photos"}
        released.set()
        for thread in asking:
            await asyncio.to_thread(thread.join)

    assert len(asking) == 1


async def test_a_client_that_is_closed_ends_its_streams(bundle: Bundle) -> None:
    async with serving(bundle) as served:
        client = Client(str(served.server.address))
        results = client.stylize_stream(endless(), "ink")
        await asyncio.to_thread(next, results)
        client.close()
        with pytest.raises(ImpastoClientError):
            await asyncio.to_thread(list, results)


def endless() -> Iterator[bytes]:
    while True:
        yield photo(16, 16)


def threads_now() -> set[threading.Thread]:
    """Return the threads there are, save those in which the test itself waits."""
    return {thread for thread in threading.enumerate() if not thread.name.startswith("asyncio_")}


async def all_gone(threads: set[threading.Thread], tasks: set[asyncio.Task[Any]]) -> None:
    """Return when every thread and every task that is not one of these has ended."""
    for thread in threads_now() - threads:
        await asyncio.to_thread(thread.join)
    while new := asyncio.all_tasks() - tasks - {asyncio.current_task()}:
        await asyncio.wait(new)

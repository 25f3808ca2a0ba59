"""Streams whose server goes and comes back: no photo is lost, and none has two results."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from google.rpc.status_pb2 import Status
from grpc import StatusCode

from impasto.v1 import stylizer_pb2 as pb
from impasto_client import (
    DeadlineExceeded,
    ImpastoClientError,
    ServerBusy,
    ServerUnavailable,
    Unimplemented,
    channel,
)
from impasto_server.local import LocalServer, local_server
from tests.client import servers
from tests.client.proxies import faulty
from tests.client.servers import Call, retry_in
from tests.client.stream_servers import LONG, Connect, collect, echo_stream, echoed, either_client, photo
from tests.core.graphs import gate_bundle
from tests.server.support import serving
from tests.support import fake_bundle

IDS = [str(number) for number in range(200)]
FRAMES = [str(number).encode() for number in range(20)]


@either_client
@pytest.mark.parametrize("ordered", [True, False])
async def test_a_stream_goes_on_with_the_server_that_came_back(connect: Connect, tmp_path: Path, ordered: bool) -> None:
    bundle = fake_bundle(tmp_path / "bundle")

    async with serving(bundle, drain_delay_seconds=0) as served:
        address = served.server.address
        opened = connect(address)
        stream = await opened.__aenter__()
        results = stream((photo() for _ in IDS), "ink", ordered=ordered, timeout=LONG)
        found = [await anext(results) for _ in range(10)]
    async with serving(bundle, listen=str(address)):
        found += await collect(results)
        await opened.__aexit__(None, None, None)

    assert all(result.stylized for result in found)
    ids = [result.id for result in found]
    assert (ids if ordered else sorted(ids, key=int)) == IDS


@either_client
async def test_a_stream_outlives_a_server_that_is_killed(connect: Connect, tmp_path: Path) -> None:
    gate_bundle(tmp_path / "bundle")
    lost: list[ImpastoClientError] = []

    @contextmanager
    def served(port: int = 0) -> Iterator[LocalServer]:
        options = ["--bundle", str(tmp_path / "bundle"), "--bundle-probe", "off", "--provider", "cpu", "--jobs", "off"]
        with local_server(tmp_path, [*options, "--listen", f"127.0.0.1:{port}"]) as server:
            yield server

    with served() as server:
        async with connect(server.target) as stream:
            results = stream((photo() for _ in IDS), "ink", timeout=LONG, on_lost=lost.append)
            found = [await anext(results) for _ in range(10)]
            server.process.send_signal(signal.SIGKILL)
            server.process.wait()
            with served(server.grpc):
                found += await collect(results)

    assert [result.id for result in found] == IDS
    assert all(result.stylized for result in found)
    assert lost
    assert all(isinstance(error, ServerUnavailable) for error in lost)


@either_client
@pytest.mark.parametrize(
    ("code", "text"),
    [
        (StatusCode.UNAVAILABLE, "Socket closed"),
        (StatusCode.INTERNAL, "Received RST_STREAM with error code 2"),
        (StatusCode.DEADLINE_EXCEEDED, "stream timeout"),  # of a proxy; ours has not passed
    ],
)
async def test_photos_without_an_answer_are_sent_again_in_their_order(
    connect: Connect, code: StatusCode, text: str
) -> None:
    sent: list[list[bytes]] = []
    lost: list[ImpastoClientError] = []

    def broken_twice(call: Call) -> Iterator[pb.StylizeStreamResponse]:
        sent.append([])
        for request in photos_of(call):
            sent[-1].append(request.item.request.image)
            if call.number <= 2 and len(sent[-1]) == 4:
                call.fail(code, text)
            yield echoed(request)

    with servers.serving(broken_twice) as server:
        async with connect(server.target) as stream:
            results = await collect(stream(FRAMES, "ink", timeout=LONG, on_lost=lost.append))

    assert [result.get().image for result in results] == FRAMES
    first, second, third = sent
    assert first == FRAMES[:4]
    assert second[0] in FRAMES[:4]  # an answer that was on its way may have been lost with the connection
    assert third[0] in FRAMES[:7]
    for line in sent:
        begin = FRAMES.index(line[0])
        assert line == FRAMES[begin : begin + len(line)]
    assert len(lost) == 2
    assert all(isinstance(error, ServerUnavailable | DeadlineExceeded) for error in lost)


@either_client
async def test_a_stream_that_the_server_ends_early_is_opened_again(connect: Connect) -> None:
    def four_at_a_time(call: Call) -> Iterator[pb.StylizeStreamResponse]:
        return (echoed(request) for request, _ in zip(photos_of(call), range(4), strict=False))

    with servers.serving(four_at_a_time) as server:
        async with connect(server.target) as stream:
            results = await collect(stream(FRAMES, "ink", timeout=LONG))

    assert [result.get().image for result in results] == FRAMES


@either_client
async def test_a_photo_that_met_a_server_that_stops_is_sent_again(connect: Connect) -> None:
    def stops(call: Call) -> Iterator[pb.StylizeStreamResponse]:
        for request in photos_of(call):
            if call.number == 1 and request.item.request.image == FRAMES[2]:
                error = Status(code=StatusCode.UNAVAILABLE.value[0], message="shutting down")
                yield pb.StylizeStreamResponse(id=request.item.id, error=error)
            else:
                yield echoed(request)

    with servers.serving(stops) as server:
        async with connect(server.target) as stream:
            results = await collect(stream(FRAMES, "ink", timeout=LONG))

    assert [result.get().image for result in results] == FRAMES
    assert len(server.calls) == 2


@either_client
async def test_an_answer_that_comes_twice_is_given_once(connect: Connect) -> None:
    def twice(call: Call) -> Iterator[pb.StylizeStreamResponse]:
        for request in photos_of(call):
            yield echoed(request)
            yield echoed(request)

    with servers.serving(twice) as server:
        async with connect(server.target) as stream:
            results = await collect(stream(FRAMES, "ink"))

    assert [result.get().image for result in results] == FRAMES


@either_client
async def test_results_are_in_order_even_if_the_answers_are_not(connect: Connect) -> None:
    def backwards(call: Call) -> Iterator[pb.StylizeStreamResponse]:
        yield from map(echoed, reversed(list(photos_of(call))))

    with servers.serving(backwards) as server:
        async with connect(server.target) as stream:
            results = await collect(stream(FRAMES, "ink", window=len(FRAMES) + 1))

    assert [result.get().image for result in results] == FRAMES


@either_client
async def test_a_server_that_is_silent_for_too_long_is_given_up(connect: Connect) -> None:
    def silent(call: Call) -> Iterator[pb.StylizeStreamResponse]:
        requests = photos_of(call)
        yield echoed(next(requests))
        call.released.wait(LONG)

    with servers.serving(silent) as server:
        async with connect(server.target) as stream:
            results = stream(FRAMES, "ink", timeout=0.5)
            await anext(results)
            with pytest.raises(DeadlineExceeded, match=rf"no answer from {server.target} within 0\.5 s"):
                await anext(results)


@either_client
async def test_silence_does_not_count_while_nothing_waits(connect: Connect) -> None:
    released = asyncio.Event()
    loop = asyncio.get_running_loop()

    def photos() -> Iterator[bytes]:
        yield b"first"
        asyncio.run_coroutine_threadsafe(released.wait(), loop).result(LONG)
        yield b"second"

    with servers.serving(echo_stream) as server:
        async with connect(server.target) as stream:
            results = stream(photos(), "ink", timeout=0.2)
            await anext(results)
            waiting = asyncio.ensure_future(anext(results))
            await asyncio.wait([waiting], timeout=0.5)  # longer than the server may be silent
            released.set()
            second = await waiting
            await results.aclose()

    assert second.get().image == b"second"


@either_client
async def test_a_server_that_stays_away_is_given_up(connect: Connect) -> None:
    with socket.socket() as reserved:  # bound, so that nobody else takes the port, but not listening
        reserved.bind(("127.0.0.1", 0))
        async with connect(f"127.0.0.1:{reserved.getsockname()[1]}") as stream:
            with pytest.raises((ServerUnavailable, DeadlineExceeded)):
                await collect(stream(FRAMES, "ink", timeout=0.5))


@either_client
async def test_a_server_that_knows_no_streams_is_given_up(connect: Connect) -> None:
    def unknown(call: Call) -> Any:
        call.fail(StatusCode.UNIMPLEMENTED, "Method not found!")

    with servers.serving(unknown) as server:
        async with connect(server.target) as stream:
            with pytest.raises(Unimplemented, match="Method not found"):
                await collect(stream(FRAMES, "ink", timeout=LONG))

    assert len(server.calls) < 10  # one, but under asyncio gRPC may lose the status of a call that ends while we send


@either_client
async def test_a_busy_server_is_tried_again_when_it_says_when(connect: Connect) -> None:
    def busy_once(call: Call) -> Any:
        if call.number == 1:
            call.fail(StatusCode.RESOURCE_EXHAUSTED, "full", retry_in(0.1))
        return echo_stream(call)

    with servers.serving(busy_once) as server:
        async with connect(server.target) as stream:
            results = await collect(stream(FRAMES, "ink", timeout=LONG))

    assert [result.get().image for result in results] == FRAMES


@either_client
async def test_a_busy_server_that_says_nothing_more_is_not_tried_again(connect: Connect) -> None:
    def busy(call: Call) -> Any:
        call.fail(StatusCode.RESOURCE_EXHAUSTED, "full")

    with servers.serving(busy) as server:
        async with connect(server.target) as stream:
            with pytest.raises(ServerBusy, match="full"):
                await collect(stream(FRAMES, "ink", timeout=LONG))


@either_client
async def test_a_connection_that_dies_without_a_word_is_noticed(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel, "_PING_AFTER", 1000)
    monkeypatch.setattr(channel, "_PING_TIMEOUT", 1000)
    cut: Callable[[], None]

    def photos() -> Iterator[bytes]:
        for frame in FRAMES:
            if frame == FRAMES[10]:
                cut()
            yield frame

    with servers.serving(echo_stream) as server, faulty(server.port) as proxy:
        cut = proxy.unplug
        async with connect(proxy.target) as stream:
            results = await collect(stream(photos(), "ink", timeout=LONG))

    assert [result.get().image for result in results] == FRAMES


def photos_of(call: Call) -> Iterator[pb.StylizeStreamRequest]:
    return (request for request in call.request if request.HasField("item"))

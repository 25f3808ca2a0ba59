"""Uploads that come slowly, in part or all at once take a bounded memory, and keep nobody else waiting for ever."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from benchmarks.processes import resident
from impasto.v1 import stylizer_pb2 as pb
from tests.client.servers import stylize_sync
from tests.server.http2 import RawConnection, message
from tests.server.processes import ServerProcess, server_process
from tests.server.support import Held, photo, reason, refusal, serving
from tests.support import fake_bundle

STYLIZE = "/impasto.v1.Stylizer/Stylize"
STREAM = "/impasto.v1.Stylizer/StylizeStream"
LARGEST = 32 * 2**20  # bytes, of a message
MEBIBYTE = 2**20


@contextmanager
def half_sent(server: ServerProcess, count: int, path: str = STYLIZE, source: str = "127.0.0.1") -> Iterator[int]:
    """Begin so many uploads of the largest size, each over a connection of its own, send as much of each as the server
    lets us, but not its end, and yield how many bytes it took of them all."""
    part = message(LARGEST) + bytes(LARGEST * 15 // 16)

    def begin(connection: RawConnection) -> int:
        return connection.send(connection.call(path), part, seconds=3)

    with ExitStack() as stack, ThreadPoolExecutor(count) as threads:
        connections = [stack.enter_context(RawConnection(server.grpc, source=source)) for _ in range(count)]
        yield sum(threads.map(begin, connections))


def test_many_half_sent_uploads_take_no_more_memory_than_some(tmp_path: Path) -> None:
    with server_process(tmp_path, "--max-uploads", "4", "--receive-seconds", "60") as server:
        stylize_sync(server.target, photo())
        before = resident(server.process.pid)
        with half_sent(server, 60) as taken:
            grown = resident(server.process.pid) - before
            # Three are being read, as many of four as one machine may have; each of the others sends a window ahead.
            assert 80 * MEBIBYTE < taken < 4 * LARGEST + 60 * MEBIBYTE
            assert grown < 2 * 4 * LARGEST + 60 * MEBIBYTE
            with grpc.insecure_channel(server.target) as channel:  # they keep waiting those alone who bring pictures
                stub: Any = HealthStub(channel)
                assert stub.Check(HealthCheckRequest(), timeout=30).status == HealthCheckResponse.SERVING
        assert stylize_sync(server.target, photo()).image


def test_a_machine_that_sends_many_halves_keeps_nobody_elsewhere_waiting(tmp_path: Path) -> None:
    with (
        server_process(tmp_path, "--max-uploads", "8", "--receive-seconds", "300") as server,
        half_sent(server, 40, source="127.0.0.2"),
    ):
        assert stylize_sync(server.target, photo(), timeout=60).image


def test_half_sent_photos_of_streams_are_bounded_by_the_number_of_streams(tmp_path: Path) -> None:
    with server_process(tmp_path, "--max-streams", "3") as server:
        stylize_sync(server.target, photo())
        before = resident(server.process.pid)
        with half_sent(server, 30, STREAM) as taken:
            assert taken < 3 * LARGEST + 30 * MEBIBYTE
            assert resident(server.process.pid) - before < 2 * 3 * LARGEST + 60 * MEBIBYTE
        assert stylize_sync(server.target, photo()).image


def test_uploads_that_do_not_end_give_way_to_others_in_time(tmp_path: Path) -> None:
    with server_process(tmp_path, "--max-uploads", "2", "--receive-seconds", "3") as server, half_sent(server, 6):
        began = time.monotonic()
        assert stylize_sync(server.target, photo(), timeout=60).image
        assert time.monotonic() - began < 50
        assert server.wait_for("call")


async def test_who_waits_for_its_turn_in_vain_is_told_that_the_server_is_busy(tmp_path: Path) -> None:
    async with serving(fake_bundle(tmp_path / "b"), max_uploads=1, receive_seconds=0.5) as served:
        unsent: list[Any] = [served.channel.stream_unary(STYLIZE)() for _ in range(5)]
        refused = {(error.code(), reason(error)) for error in [await refusal(call) for call in unsent]}
        assert (await served.stylize()).image
    assert refused == {
        (grpc.StatusCode.DEADLINE_EXCEEDED, "impasto/REQUEST_TOO_SLOW"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "impasto/OVERLOADED"),
    }


async def test_a_request_that_is_being_painted_takes_no_turn(tmp_path: Path) -> None:
    engine = Held()
    async with serving(fake_bundle(tmp_path / "b"), engine=engine, max_uploads=1) as served:
        engine.holding = True
        calls = [asyncio.ensure_future(served.stylize()) for _ in range(5)]
        while "impasto_requests_in_flight 5.0" not in (await served.get("/metrics"))[1]:
            await asyncio.sleep(0.01)
        assert (await served.stub.ListStyles(pb.ListStylesRequest())).styles
        engine.release.set()
        for call in calls:
            assert (await call).image

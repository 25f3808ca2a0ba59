"""Connections that grow old, fall silent, or do nothing, and watchers that come and go over them."""

from __future__ import annotations

import asyncio
import gc
import random
import resource
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from benchmarks.processes import open_files, resident
from impasto import images
from impasto.images import Format
from impasto.v1 import stylizer_pb2 as pb
from impasto_client import AsyncClient, Client
from tests.client.servers import stylize_sync
from tests.server.http2 import RawConnection, message
from tests.server.processes import WAIT, server_process
from tests.server.support import Served, photo, serving
from tests.support import fake_bundle

SERVICES = ("", "impasto.v1.Stylizer", "google.longrunning.Operations")
MEBIBYTE = 2**20
QUICK_PINGS = ("--keepalive-seconds", "1", "--keepalive-timeout-seconds", "1")


def connection(served: Served) -> grpc.aio.Channel:
    """Return a channel with a connection of its own; by default all to one target share one."""
    return grpc.aio.insecure_channel(str(served.server.address), options=[("grpc.use_local_subchannel_pool", 1)])


class Watcher:
    """Watches a service's health, opens the watch again when it breaks, and notes what it hears."""

    def __init__(self, channel: grpc.aio.Channel, service: str) -> None:
        self.heard: list[int] = []
        self._stub: Any = HealthStub(channel)
        self._service = service
        self._task = asyncio.ensure_future(self._watch())

    async def until(self, status: int) -> None:
        async with asyncio.timeout(WAIT):
            while not self.heard or self.heard[-1] != status:
                await asyncio.sleep(0.01)

    async def leave(self) -> None:
        self._task.cancel()
        await asyncio.wait({self._task})

    async def _watch(self) -> None:
        while True:
            try:
                async for response in self._stub.Watch(HealthCheckRequest(service=self._service)):
                    if not self.heard or self.heard[-1] != response.status:
                        self.heard.append(response.status)
                return
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.UNAVAILABLE:
                    raise


async def test_watchers_that_come_and_go_leave_nothing_and_deafen_nobody(tmp_path: Path) -> None:
    chance = random.Random(7)
    up, down = HealthCheckResponse.SERVING, HealthCheckResponse.NOT_SERVING
    options: dict[str, Any] = {"max_connection_age_seconds": 1, "connection_grace_seconds": 1, "caller_max_calls": 0}
    async with serving(fake_bundle(tmp_path / "b"), **options) as served:
        health = served.server.health
        lasting = [Watcher(served.channel, service) for service in SERVICES * 3]
        for each in lasting:
            await each.until(up)
        tasks = None
        for round_ in range(10):
            channels = [connection(served) for _ in range(5)]
            passing = [Watcher(chance.choice(channels), chance.choice(SERVICES)) for _ in range(50)]
            await asyncio.gather(*(each.until(up) for each in passing[:25]))
            for each in chance.sample(passing, 20):
                await each.leave()
            health.drain()
            await asyncio.gather(*(each.until(down) for each in lasting))
            for channel in channels:  # abandoned: their watchers are cut off, and not one has said that it leaves
                await channel.close()
            await asyncio.gather(*(each.leave() for each in passing))
            health.ready()
            await asyncio.gather(*(each.until(up) for each in lasting))
            if round_ == 1:
                tasks = await settled_tasks()
        assert tasks is not None
        assert await settled_tasks() <= tasks + 3
        assert all(each.heard == [up, *[down, up] * 10] for each in lasting)
        began = time.monotonic()
        await served.server.stop()
        assert time.monotonic() - began < 20  # no watcher takes the deadline, which is 30 s
        for each in lasting:
            await each.until(down)
            await each.leave()


async def settled_tasks() -> int:
    """Return how many tasks there are, once those that end have ended."""
    before = -1
    while before != (before := len(asyncio.all_tasks())):
        gc.collect()
        await asyncio.sleep(0.3)
    return before


@contextmanager
def room_for_files(count: int) -> Iterator[None]:
    """Let this process have so many files open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(count, hard)), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_thousand_idle_connections_are_answered_and_cost_little(tmp_path: Path) -> None:
    with server_process(tmp_path, *QUICK_PINGS) as server, room_for_files(2048), ExitStack() as stack:
        stylize_sync(server.target, photo())
        before, files = resident(server.process.pid), open_files(server.process.pid)
        connections = [stack.enter_context(RawConnection(server.grpc)) for _ in range(1000)]
        keep_alive = threading.Thread(target=_answer_pings, args=[connections, 5.0])
        keep_alive.start()
        for _ in range(20):
            assert stylize_sync(server.target, photo()).image
        keep_alive.join()
        assert open_files(server.process.pid) - files > 990  # none was taken for dead
        assert resident(server.process.pid) - before < 100 * MEBIBYTE
        stack.close()
        deadline = time.monotonic() + WAIT
        while open_files(server.process.pid) > files + 10:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def _answer_pings(connections: list[RawConnection], seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for connection in connections:
            connection.read(0.0005)


def test_a_connection_whose_other_end_is_gone_is_found_by_pings(tmp_path: Path) -> None:
    with server_process(tmp_path, *QUICK_PINGS) as server:
        with RawConnection(server.grpc, answers_pings=False) as silent:
            assert silent.read_until_closed(30)
        with RawConnection(server.grpc) as alive:
            end = time.monotonic() + 4
            while time.monotonic() < end:
                alive.read(0.1)
            assert alive.pongs >= 2
            assert not alive.goaways


def test_a_client_may_ask_each_ten_seconds_whether_the_server_lives_without_calls(tmp_path: Path) -> None:
    with server_process(tmp_path) as server, RawConnection(server.grpc) as asking:
        for count in range(1, 5):  # half of that is allowed, so that a network's jitter cuts nobody off
            asking.ping()
            end = time.monotonic() + 5.2
            while time.monotonic() < end:
                asking.read(0.1)
            assert asking.pongs == count
        assert not asking.goaways
        for _ in range(4):
            asking.ping()
        assert asking.read_until_closed(10)
        assert asking.goaways


def test_an_idle_connection_is_closed_where_that_is_asked_for(tmp_path: Path) -> None:
    with server_process(tmp_path, "--max-connection-idle-seconds", "1") as server:
        with RawConnection(server.grpc) as idle:
            assert idle.read_until_closed(30)
            assert idle.goaways
        assert stylize_sync(server.target, photo()).image


def test_a_connection_that_has_grown_old_is_told_to_take_its_calls_elsewhere(tmp_path: Path) -> None:
    with server_process(tmp_path, "--max-connection-age-seconds", "1") as server, RawConnection(server.grpc) as old:
        assert old.read_until_closed(30)
        assert old.goaways


def test_answers_that_nobody_reads_are_let_go_with_their_connection(tmp_path: Path) -> None:
    options = ("--max-connection-age-seconds", "2", "--connection-grace-seconds", "1")
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    image = images.encode(noise, format=Format.PNG)  # larger than what may be sent without being asked for
    request = pb.StylizeRequest(image=image, style_id="ink", strength=0, format=pb.IMAGE_FORMAT_PNG).SerializeToString()
    with server_process(tmp_path, *options) as server, RawConnection(server.grpc) as lazy:
        for _ in range(3):
            stream = lazy.call("/impasto.v1.Stylizer/Stylize")
            assert lazy.send(stream, message(len(request)) + request, seconds=10, last=True) == len(request) + 5
        server.wait_for("call")
        assert lazy.read_until_closed(30)
        assert stylize_sync(server.target, photo()).image


def test_calls_go_on_without_an_error_over_several_ages_of_their_connection(tmp_path: Path) -> None:
    options = ("--max-connection-age-seconds", "1", "--connection-grace-seconds", "10")
    with server_process(tmp_path, *options) as server, Client(server.target) as client:
        end = time.monotonic() + 6
        calls = 0
        while time.monotonic() < end:
            client.stylize(photo(), "ink")
            calls += 1
        assert calls > 10
        assert {line["code"] for line in server.lines("call")} == {"OK"}


async def test_a_stream_that_outlives_its_connection_loses_no_photo(tmp_path: Path) -> None:
    async def photos() -> AsyncIterator[bytes]:
        end = time.monotonic() + 6
        while time.monotonic() < end:
            yield photo()
            await asyncio.sleep(0.02)

    options = ("--max-connection-age-seconds", "1", "--connection-grace-seconds", "0.5")
    with server_process(tmp_path, *options) as server:
        async with AsyncClient(server.target) as client:
            results = [result async for result in client.stylize_stream(photos(), "ink")]
        streams = server.lines("call")
    assert [result.id for result in results] == [str(k) for k in range(len(results))]
    assert all(result.error is None for result in results)
    assert len(results) > 20
    assert len(streams) > 1  # it was cut off, and went on

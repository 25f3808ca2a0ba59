"""Peers that do harm by what they do not do: others are served all the while, memory stays flat, all is let go."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import grpc
import pytest

from benchmarks.processes import open_files, resident
from impasto.v1 import stylizer_pb2 as pb
from impasto_client import Client
from tests.client.proxies import Cut, faulty
from tests.faults.callers import BULKY, BULKY_REQUEST, STYLE, code_of, painting, stubs
from tests.faults.replicas import Replica, replica, until, until_released

CROWD = 20
_MIB = 2**20
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_SETTINGS = bytes.fromhex("000000040000000000")  # of which there are none


@contextmanager
def flat_and_released(server: Replica, mebibytes: int) -> Iterator[None]:
    """Check that memory does not grow by more than this while the block lasts, and that no file or socket is left."""
    files, memory = open_files(server.pid), resident(server.pid)
    yield
    assert resident(server.pid) < memory + mebibytes * _MIB
    until_released(server, files)


async def test_requests_that_come_a_few_bytes_at_a_time_are_refused_and_hold_nobody_up(tmp_path: Path) -> None:
    with (
        replica(tmp_path, "--receive-seconds", "1") as server,
        flat_and_released(server, 48),
        faulty(server.grpc) as proxy,
    ):
        async with stubs(proxy.target, CROWD) as slow:
            proxy.up.bytes_a_second = 2000
            with painting(server.target):
                codes = await asyncio.gather(*(code_of(stub.Stylize(BULKY_REQUEST)) for stub in slow))
    assert codes == [grpc.StatusCode.DEADLINE_EXCEEDED] * CROWD


async def test_requests_whose_caller_falls_silent_in_the_middle_are_given_up(tmp_path: Path) -> None:
    with (
        replica(tmp_path, "--receive-seconds", "1") as server,
        flat_and_released(server, 48),
        faulty(server.grpc) as proxy,
    ):
        async with stubs(proxy.target, CROWD) as silent:
            proxy.up.bytes_a_second, proxy.up.passed = 20_000, 0
            calls = [stub.Stylize(BULKY_REQUEST) for stub in silent]
            await asyncio.to_thread(until, lambda: proxy.up.passed > CROWD * 5000, "a part of each to go through")
            proxy.unplug()
            with painting(server.target):
                await asyncio.to_thread(
                    until, lambda: server.log.count("did not arrive") == CROWD, "all to be given up"
                )
            for call in calls:
                call.cancel()


def test_a_thousand_idle_connections_cost_little(tmp_path: Path) -> None:
    with replica(tmp_path) as server, flat_and_released(server, 48), ExitStack() as stack, painting(server.target):
        for number in range(1000):
            idle = stack.enter_context(socket.create_connection(("127.0.0.1", server.grpc)))
            if number % 2:
                idle.sendall(_PREFACE + _SETTINGS)
        until(lambda: open_files(server.pid) > 1000, "all to be connected")


def test_who_connects_and_does_not_speak_http2_is_let_go(tmp_path: Path) -> None:
    openings = (b"", b"GET / HTTP/1.1\r\nHost: painter\r\n\r\n", b"\x16\x03\x01\x02\x00", _PREFACE[:10], _PREFACE)
    with replica(tmp_path) as server, flat_and_released(server, 48), ExitStack() as stack:
        files, strangers = open_files(server.pid), 4 * openings
        for opening in strangers:
            stack.enter_context(socket.create_connection(("127.0.0.1", server.grpc))).sendall(opening)
        until(lambda: open_files(server.pid) >= files + 10, "most to be taken in")
        until_released(server, files)
        with painting(server.target):
            pass


async def test_who_never_reads_answers_is_given_up_and_others_go_on(tmp_path: Path) -> None:
    with (
        replica(tmp_path, "--receive-seconds", "2") as server,
        flat_and_released(server, 96),
        faulty(server.grpc) as proxy,
    ):
        async with stubs(proxy.target, CROWD) as deaf:
            proxy.down.held = True
            with painting(server.target) as painted:
                calls = [stub.Stylize(BULKY_REQUEST) for stub in deaf for _ in range(20)]
                await asyncio.to_thread(painted.more, 50)
            assert not any(call.done() for call in calls)
            for call in calls:
                call.cancel()


async def test_streams_whose_answers_are_never_read_stop_and_hold_nobody_up(tmp_path: Path) -> None:
    async def feed(call: Any) -> None:
        defaults = pb.StylizeRequest(style_id=STYLE, strength=0, format=pb.IMAGE_FORMAT_PNG)
        await call.write(pb.StylizeStreamRequest(config=pb.StylizeStreamConfig(defaults=defaults)))
        for number in count():
            item = pb.StylizeStreamItem(id=str(number), request=pb.StylizeRequest(image=BULKY))
            await call.write(pb.StylizeStreamRequest(item=item))

    with replica(tmp_path) as server, flat_and_released(server, 96), faulty(server.grpc) as proxy:
        async with stubs(proxy.target, CROWD) as deaf:
            calls = [stub.StylizeStream() for stub in deaf]
            feeding = [asyncio.create_task(feed(call)) for call in calls]
            with painting(server.target) as painted:
                await asyncio.to_thread(painted.more, 50)
            for task, call in zip(feeding, calls, strict=True):
                task.cancel()
                call.cancel()
            await asyncio.gather(*feeding, return_exceptions=True)


@pytest.mark.parametrize("how", list(Cut))
@pytest.mark.parametrize("way", ["up", "down"])
def test_a_connection_that_is_cut_in_the_middle_of_a_message_costs_the_caller_a_retry(
    tmp_path: Path, how: Cut, way: str
) -> None:
    with replica(tmp_path) as server, flat_and_released(server, 48), faulty(server.grpc) as proxy:
        proxy.cut = how
        affected = getattr(proxy, way)
        affected.cut_after, affected.cuts = 20_000, 2
        with painting(server.target), Client(proxy.target) as client:
            painted = client.stylize(BULKY, STYLE, strength=0, format="png")
        assert affected.cuts == 0
    assert (painted.width, painted.height) == (128, 128)

"""Replicas that have cores of their own, under load: what a picture costs, and what callers wait."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import grpc

from benchmarks.capacity_plan import Cost
from benchmarks.load import Load, call, closed_loop, open_loop, percentile, stubs
from benchmarks.processes import usage
from benchmarks.replicas import Replica, all_of
from impasto import images
from impasto.v1 import stylizer_pb2 as pb
from impasto.v1.stylizer_pb2_grpc import StylizerStub
from impasto_client.channel import channel_options

_CLIENTS = 2  # a replica, in the closed loop: one is read and written while the other is painted
_CONNECTIONS = 8
_ASK_EVERY = 0.5  # s, for the predicted wait
_WARM = 1.0  # s


@dataclass(frozen=True)
class Photos:
    """What is painted: the name, the files, and the megapixels that one is painted at on average."""

    name: str
    files: list[bytes]
    megapixels: float


@dataclass(frozen=True)
class Trial:
    """What came of calls at a rate.

    Attributes:
        rate: calls a second that were made.
        load: what became of them.
        cpus: of the cores that each replica has, the share that it took.
        engine: the share of the time that an engine was busy, of all replicas.
        caller: s of a core, in the generator, a call.
        waits: s, the predicted wait as it was now and then, of all replicas.
    """

    rate: float
    load: Load
    cpus: list[float]
    engine: float
    caller: float
    waits: list[float]

    @property
    def late(self) -> float:
        """Seconds, the 99th percentile."""
        return percentile(self.load.answered, 99)

    @property
    def wait(self) -> float:
        return fmean(self.waits) if self.waits else float("nan")

    def holds(self, target: float) -> bool:
        """Whether all were answered, 99 of 100 within the target, s."""
        return self.late <= target and not self.load.refused and not self.load.failed


def photos_of(name: str, files: list[bytes], working_size: int) -> Photos:
    """Return photos with the megapixels that they are painted at."""
    areas = []
    for file in files:
        height, width = images.decode(file).shape[:2]
        scale = min(1.0, working_size / max(width, height))
        areas.append(width * height * scale**2 / 1e6)
    return Photos(name, files, fmean(areas))


def measure_cost(servers: Sequence[Replica], photos: Photos, style: str, seconds: float) -> Cost:
    """Return what one takes when all replicas are busy, since cores that share caches and memory are slower then."""
    answer = asyncio.run(_sizes(servers[0], photos, style))
    asyncio.run(_kept_busy(servers, photos, style, _WARM))
    before, spent, engine = _cpu(servers), time.process_time(), _engine(servers)
    loads = asyncio.run(_kept_busy(servers, photos, style, seconds))
    count = sum(len(load.answered) for load in loads)
    return Cost(
        name=photos.name,
        megapixels=photos.megapixels,
        cpu=(_cpu(servers) - before) / count,
        engine=(_engine(servers) - engine) / count,
        rate=sum(load.throughput for load in loads) / len(servers),
        sent=fmean(len(file) for file in photos.files),
        received=answer,
        caller=(time.process_time() - spent) / count,
    )


def try_rate(servers: Sequence[Replica], photos: Photos, style: str, rate: float, seconds: float, cores: int) -> Trial:
    """Call at random moments, the replicas in turns by the client's own balancing; they have so many cores each."""
    return asyncio.run(_tried(servers, photos, style, rate, seconds, cores))


@contextmanager
def confined(cores: Collection[int]) -> Iterator[None]:
    """Keep this process, all its threads, to these cores; to all that there are if these are none."""
    before = os.sched_getaffinity(0)
    _confine(cores or before)
    try:
        yield
    finally:
        _confine(before)


def _confine(cores: Collection[int]) -> None:
    for task in Path("/proc/self/task").iterdir():
        try:
            os.sched_setaffinity(int(task.name), cores)
        except ProcessLookupError:  # it has ended meanwhile
            continue


async def _sizes(server: Replica, photos: Photos, style: str) -> float:
    """Return the bytes of a result, on average."""
    (stub,) = stubs(server.target, 1)
    answers = [await stub.Stylize(pb.StylizeRequest(image=file, style_id=style)) for file in photos.files]
    return fmean(len(answer.image) for answer in answers)


async def _kept_busy(servers: Sequence[Replica], photos: Photos, style: str, seconds: float) -> list[Load]:
    loads = []
    for server in servers:
        clients = [
            [call(stub, file, style) for file in photos.files[number:] + photos.files[:number]]
            for number, stub in enumerate(stubs(server.target, _CLIENTS))
        ]
        loads.append(closed_loop(clients, seconds))
    return await asyncio.gather(*loads)


async def _tried(
    servers: Sequence[Replica], photos: Photos, style: str, rate: float, seconds: float, cores: int
) -> Trial:
    options = [*channel_options(all_of(servers)), ("grpc.use_local_subchannel_pool", 1)]
    channels = [grpc.aio.insecure_channel(all_of(servers), options) for _ in range(_CONNECTIONS)]
    made = [StylizerStub(channel) for channel in channels]  # type: ignore[no-untyped-call]
    calls = [call(stub, file, style) for file in photos.files for stub in made]
    await closed_loop([[one] for one in calls[:_CONNECTIONS]], _WARM)
    waits: list[float] = []
    before, engine, spent = [_cpu([server]) for server in servers], _engine(servers), time.process_time()
    with _asked(servers, waits):
        load = await open_loop(calls, rate, seconds)
    shares = [(_cpu([server]) - was) / (load.seconds * cores) for server, was in zip(servers, before, strict=True)]
    caller = (time.process_time() - spent) / max(1, load.calls)
    busy = (_engine(servers) - engine) / (load.seconds * len(servers))
    await asyncio.gather(*(channel.close() for channel in channels))
    return Trial(rate, load, shares, busy, caller, waits)


@contextmanager
def _asked(servers: Sequence[Replica], waits: list[float]) -> Iterator[None]:
    """Note the predicted waits now and then while the block lasts."""
    over = threading.Event()

    def ask() -> None:
        while not over.wait(_ASK_EVERY):
            waits.extend(server.metric("impasto_predicted_wait_seconds") for server in servers)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _cpu(servers: Sequence[Replica]) -> float:
    return sum(usage(server.pid).cpu for server in servers)


def _engine(servers: Sequence[Replica]) -> float:
    return sum(server.metric("impasto_stage_seconds_sum", stage="engine") for server in servers)

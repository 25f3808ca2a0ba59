"""Load on a server: callers that wait for their answers, and callers that do not wait for each other."""

from __future__ import annotations

import asyncio
import random
import statistics
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter

import grpc

from impasto.v1 import stylizer_pb2 as pb
from impasto.v1.stylizer_pb2_grpc import StylizerStub

Call = Callable[[], Awaitable[object]]


@dataclass
class Load:
    """What became of it.

    Attributes:
        seconds: that it took.
        answered: s, of each call that was answered.
        refused: s, of each that was refused.
        failed: how many calls ended otherwise: too late, most often.
    """

    seconds: float = 0.0
    answered: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    failed: int = 0

    @property
    def throughput(self) -> float:
        """Answers a second."""
        return len(self.answered) / self.seconds

    @property
    def calls(self) -> int:
        return len(self.answered) + len(self.refused) + self.failed


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the value that this share of them does not exceed; NaN of none."""
    if len(values) < 2:
        return values[0] if values else float("nan")
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def stubs(target: str, count: int) -> list[StylizerStub]:
    """Return clients, each with a connection of its own."""
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1)]
    return [StylizerStub(grpc.aio.insecure_channel(target, options)) for _ in range(count)]  # type: ignore[no-untyped-call]


def call(stub: StylizerStub, photo: bytes, style: str, timeout: float | None = None) -> Call:
    """Return what has a photo painted."""
    request = pb.StylizeRequest(image=photo, style_id=style)
    return lambda: stub.Stylize(request, timeout=timeout)


async def closed_loop(clients: Sequence[Sequence[Call]], seconds: float) -> Load:
    """Let each client call again as soon as it has an answer, each of its calls in turn."""
    load = Load()
    begun = perf_counter()

    async def one(calls: Sequence[Call]) -> None:
        number = 0
        while perf_counter() - begun < seconds:
            await _note(calls[number % len(calls)], load)
            number += 1

    await asyncio.gather(*(one(calls) for calls in clients))
    load.seconds = perf_counter() - begun
    return load


async def open_loop(calls: Sequence[Call], rate: float, seconds: float, seed: int = 0) -> Load:
    """Call at random moments (a Poisson process), each call in turn, whatever becomes of those before.

    Args:
        calls: the calls.
        rate: of them, a second.
        seconds: how long to go on.
        seed: of the moments.
    """
    load, chance = Load(), random.Random(seed)
    begun = due = perf_counter()
    running: set[asyncio.Future[None]] = set()
    number = 0
    while due - begun < seconds:
        await asyncio.sleep(max(0.0, due - perf_counter()))
        task = asyncio.ensure_future(_note(calls[number % len(calls)], load))
        running.add(task)
        task.add_done_callback(running.discard)
        number += 1
        due += chance.expovariate(rate)
    await asyncio.gather(*running)
    load.seconds = perf_counter() - begun
    return load


async def _note(call: Call, load: Load) -> None:
    begun = perf_counter()
    try:
        await call()
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
            load.refused.append(perf_counter() - begun)
        else:
            load.failed += 1
    else:
        load.answered.append(perf_counter() - begun)

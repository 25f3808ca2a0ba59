"""Callers of replicas behind something that balances, at a steady pace, and what they saw."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from time import perf_counter

import grpc

from benchmarks.load import percentile
from impasto.v1 import stylizer_pb2 as pb
from impasto.v1.stylizer_pb2_grpc import StylizerStub
from impasto_client import AsyncClient, ImpastoClientError
from impasto_client.channel import channel_options

PATIENCE = 30.0  # s, that a call may take
_CALLERS = 4  # of each kind
_PERIOD = 0.1  # s, from one call of a caller to the next


@dataclass(frozen=True)
class Call:
    """One that ended: when it began and ended, and what failed, if anything did."""

    begun: float
    ended: float
    error: str | None = None


@dataclass
class Seen:
    """What callers of one kind saw.

    Attributes:
        calls: in the order in which they ended.
    """

    calls: list[Call] = field(default_factory=list)

    def between(self, begin: float, end: float) -> Seen:
        """Return what was under way at some time between two moments."""
        return Seen([call for call in self.calls if call.ended > begin and call.begun < end])

    @property
    def failed(self) -> str:
        """How many failed, and by what."""
        counts = Counter(call.error for call in self.calls if call.error)
        by = ", ".join(f"{count} {error}" for error, count in counts.most_common())
        return f"{by or 0} of {len(self.calls)}"

    def latency(self, percent: int) -> float:
        """Return a percentile of the seconds that calls took which did not fail."""
        return percentile([call.ended - call.begun for call in self.calls if not call.error], percent)

    @property
    def longest_gap(self) -> float:
        """Seconds, the most between two answers."""
        ends = [call.ended for call in self.calls if not call.error]
        return max((later - sooner for sooner, later in pairwise(ends)), default=float("nan"))

    @property
    def slowest(self) -> float:
        """Seconds, the most that a call took, whatever became of it."""
        return max((call.ended - call.begun for call in self.calls), default=float("nan"))


@dataclass
class Audience:
    """All callers of a target.

    Attributes:
        patient: those with the Python client, which tries again.
        raw: those that try nothing again.
        stream: one `StylizeStream` by the Python client, a photo's answer a call.
    """

    patient: Seen = field(default_factory=Seen)
    raw: Seen = field(default_factory=Seen)
    stream: Seen = field(default_factory=Seen)


@asynccontextmanager
async def calling(target: str, photo: bytes, style: str) -> AsyncIterator[Audience]:
    """Have callers call while the block lasts, and let them finish."""
    audience, over = Audience(), asyncio.Event()
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(AsyncClient(target, timeout=PATIENCE))
        stub = StylizerStub(await stack.enter_async_context(raw_channel(target)))  # type: ignore[no-untyped-call]
        request = pb.StylizeRequest(image=photo, style_id=style)
        jobs = [_stream(client, photo, style, audience.stream, over)]
        for number in range(_CALLERS):
            late = number * _PERIOD / _CALLERS
            jobs += [
                _paced(lambda: client.stylize(photo, style), audience.patient, over, late),
                _paced(lambda: stub.Stylize(request, timeout=PATIENCE), audience.raw, over, late),
            ]
        running = asyncio.gather(*jobs)
        try:
            yield audience
        finally:
            over.set()
            await running


def raw_channel(target: str) -> grpc.aio.Channel:
    """Return a channel of its own that balances as the client's does, and tries nothing again."""
    others = [option for option in channel_options(target) if option[0] != "grpc.enable_retries"]
    return grpc.aio.insecure_channel(
        target, [*others, ("grpc.enable_retries", 0), ("grpc.use_local_subchannel_pool", 1)]
    )


async def _paced(call: Callable[[], Awaitable[object]], seen: Seen, over: asyncio.Event, late: float) -> None:
    due = perf_counter() + late
    while not over.is_set():
        await asyncio.sleep(max(0.0, due - perf_counter()))
        begun, error = perf_counter(), None
        try:
            await call()
        except grpc.aio.AioRpcError as failed:
            error = failed.code().name
        except ImpastoClientError as failed:
            error = type(failed).__name__
        seen.calls.append(Call(begun, perf_counter(), error))
        due = max(due + _PERIOD, perf_counter())


async def _stream(client: AsyncClient, photo: bytes, style: str, seen: Seen, over: asyncio.Event) -> None:
    sent: list[float] = []

    async def photos() -> AsyncIterator[bytes]:
        while not over.is_set():
            sent.append(perf_counter())
            yield photo
            await asyncio.sleep(_PERIOD)

    try:
        async for result in client.stylize_stream(photos(), style):
            begun = sent[len(seen.calls)]
            error = type(result.error).__name__ if result.error else None
            seen.calls.append(Call(begun, perf_counter(), error))
    except ImpastoClientError as failed:
        seen.calls.append(Call(sent[-1], perf_counter(), type(failed).__name__))
    lost = sent[len(seen.calls) :]
    seen.calls.extend(Call(begun, perf_counter(), "unanswered") for begun in lost)


def shares(before: Sequence[float], after: Sequence[float]) -> list[float]:
    """Return each one's share of what was done between two counts; one that counts from 0 again was restarted."""
    done = [now - was if now >= was else now for was, now in zip(before, after, strict=True)]
    return [one / sum(done) if sum(done) else 0.0 for one in done]

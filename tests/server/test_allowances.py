"""How much one caller may ask for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from contextvars import copy_context
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.longrunning import operations_pb2 as lro
from google.rpc.error_details_pb2 import RetryInfo
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from impasto.v1 import stylizer_pb2 as pb
from impasto_server.callers import let_in
from impasto_server.errors import RateLimited, TooManyCalls
from impasto_server.identity.identities import CallerLimits, Identity
from impasto_server.identity.tokens import digest_of
from impasto_server.rpc.allowances import Allowance, Allowances
from impasto_server.rpc.gate import Gate
from tests.server.job_support import ServedJobs, request_of, serving_jobs
from tests.server.support import Held, Served, detail, reason, refusal, serving
from tests.server.test_streams import config, item
from tests.support import fake_bundle

STYLIZE = "/impasto.v1.Stylizer/Stylize"
STREAM = "/impasto.v1.Stylizer/StylizeStream"
WATCH = "/impasto.v1.Stylizer/WatchStylization"


class Clock:
    """A time that goes on when it is told to."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


class Call:
    """What the gate sees of a call."""

    def __init__(self, peer: str) -> None:
        self._peer = peer

    def peer(self) -> str:
        return self._peer

    def time_remaining(self) -> float | None:
        return None


class Naming:
    """A gate that lets everyone in, as somebody where it is told as whom."""

    def __init__(self) -> None:
        self.identity: Identity | None = None

    def enter(self, method: str, context: Any) -> Any:
        if self.identity:
            let_in(self.identity)
        return ExitStack()


def allowances(inner: Gate | None = None, *, now: Callable[[], float] | None = None, **usual: Any) -> Allowances:
    return Allowances(inner or Naming(), usual=Allowance(**usual), max_uploads=5, now=now or Clock())


def connection(served: Served) -> grpc.aio.Channel:
    """Return a channel with a connection of its own; by default all to one target share one."""
    return grpc.aio.insecure_channel(str(served.server.address), options=[("grpc.use_local_subchannel_pool", 1)])


def call(gate: Allowances, peer: str = "a", method: str = STYLIZE) -> None:
    """Make a call that ends at once."""
    with gate.enter(method, Call(peer)):
        pass


def test_a_caller_may_burst_and_then_gets_its_rate() -> None:
    clock = Clock()
    gate = allowances(now=clock, requests_per_second=2, burst=3)
    for _ in range(3):
        call(gate)
    with pytest.raises(RateLimited, match="a caller may begin 2 calls a second here; try again") as refused:
        call(gate)
    assert refused.value.retry_after == pytest.approx(0.5)

    clock.now += 0.5
    call(gate)
    with pytest.raises(RateLimited):
        call(gate)
    call(gate, "another")

    clock.now += 3600
    for _ in range(3):
        call(gate)
    with pytest.raises(RateLimited):
        call(gate)


def test_a_refused_call_costs_nothing() -> None:
    clock = Clock()
    gate = allowances(now=clock, requests_per_second=1, burst=1)
    call(gate)
    for _ in range(100):
        with pytest.raises(RateLimited):
            call(gate)
    clock.now += 1
    call(gate)


def test_calls_at_once_are_counted_for_each_caller() -> None:
    gate = allowances(max_calls=2)
    with gate.enter(STYLIZE, Call("a")), gate.enter(WATCH, Call("a")):
        with pytest.raises(TooManyCalls, match="2 calls are under way, as many as one caller may have"):
            call(gate)
        call(gate, "b")
    call(gate)


def test_streams_at_once_are_counted_apart() -> None:
    gate = allowances(max_calls=9, max_streams=1)
    with gate.enter(WATCH, Call("a")):
        with pytest.raises(TooManyCalls, match="1 streams are under way"):
            call(gate, method=STREAM)
        call(gate)
    call(gate, method=STREAM)


def test_streams_of_photos_are_counted_over_all_callers() -> None:
    gate = allowances()
    with ExitStack() as held:
        for k in range(5):
            held.enter_context(gate.enter(STREAM, Call(str(k))))
        with pytest.raises(TooManyCalls, match="5 streams of photos are open, as many as this server serves"):
            call(gate, "another", STREAM)
        call(gate, "another", WATCH)
    call(gate, "another", STREAM)


@pytest.mark.parametrize("method", ["/grpc.health.v1.Health/Check", "/grpc.reflection.v1alpha.ServerReflection/Info"])
def test_health_and_reflection_are_never_limited(method: str) -> None:
    gate = allowances(requests_per_second=0.001, burst=1, max_calls=1)
    call(gate)
    with gate.enter(method, Call("a")):
        for _ in range(10):
            call(gate, method=method)
    assert gate.known == 1


def test_a_caller_with_limits_of_its_own_has_those() -> None:
    naming, clock = Naming(), Clock()
    gate = allowances(naming, now=clock, requests_per_second=1, burst=1, max_calls=1)

    def as_ada() -> None:
        naming.identity = Identity("ada", roles=(), limits=CallerLimits(requests_per_second=1000, max_concurrent=2))
        call(gate)
        clock.now += 0.001
        with gate.enter(STYLIZE, Call("1")):
            clock.now += 0.001
            with gate.enter(STYLIZE, Call("2")), pytest.raises(TooManyCalls):  # another connection, the same caller
                call(gate, "3")

    def as_bob() -> None:
        naming.identity = Identity("bob", roles=())
        with gate.enter(STYLIZE, Call("1")), pytest.raises(TooManyCalls):
            call(gate)
        with pytest.raises(RateLimited):
            call(gate)

    copy_context().run(as_ada)
    copy_context().run(as_bob)


def test_callers_that_are_owed_nothing_are_forgotten() -> None:
    clock = Clock()
    gate = allowances(now=clock, requests_per_second=1, burst=2)
    with gate.enter(STYLIZE, Call("long")):
        for k in range(30_000):
            call(gate, str(k))
            clock.now += 0.001
        assert gate.known < 5_000
        clock.now += 10
        for _ in range(3_000):
            call(gate, "last")
            clock.now += 1
        assert gate.known <= 4
    call(gate, "long")


def test_where_too_many_call_at_once_the_idle_ones_are_forgotten_early() -> None:
    gate = allowances(requests_per_second=1, burst=2)
    for k in range(12_000):
        call(gate, str(k))
    assert gate.known == 10_000


async def test_a_refusal_comes_before_the_request_is_read_and_says_when_to_come_again(tmp_path: Path) -> None:
    async with serving(
        fake_bundle(tmp_path / "b"), caller_requests_per_second=0.01, caller_burst=2, max_message_bytes=2**20
    ) as served:
        for _ in range(2):
            await served.stylize()
        unsent: Any = served.channel.stream_unary(STYLIZE)()  # nothing of the request is ever sent
        error = await refusal(unsent)
        assert (error.code(), reason(error)) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "impasto/RATE_LIMITED")
        assert 10 < detail(error, RetryInfo).retry_delay.ToTimedelta().total_seconds() <= 100
        assert (await served.health.Check(HealthCheckRequest())).status == HealthCheckResponse.SERVING

        async with connection(served) as channel:  # of a caller that nobody knows from the first
            assert (await Served(served.server, channel, served.log).stylize()).image
        _, metrics = await served.get("/metrics")
    assert 'impasto_rejections_total{method="/impasto.v1.Stylizer/Stylize",reason="RATE_LIMITED"} 1.0' in metrics


async def test_too_many_calls_of_one_connection_leave_the_others_alone(tmp_path: Path) -> None:
    engine = Held()
    async with serving(fake_bundle(tmp_path / "b"), engine=engine, caller_max_calls=2) as served:
        engine.holding = True
        stream = served.stub.StylizeStream()
        await stream.write(config())
        await stream.write(item(1))
        await engine.until_entered()
        second = asyncio.ensure_future(served.stylize())
        await until_in_flight(served, 2)
        error = await refusal(styles(served))
        assert (error.code(), reason(error)) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "impasto/TOO_MANY_CALLS")
        assert detail(error, RetryInfo).retry_delay.seconds == 1
        async with connection(served) as channel:
            other = asyncio.ensure_future(Served(served.server, channel, served.log).stylize())
            engine.release.set()
            assert (await other).image
        assert (await second).image
        await stream.done_writing()
        assert (await stream.read()).id == "1"
        assert await stream.read() is grpc.aio.EOF
        assert (await served.stylize()).image


async def until_in_flight(served: Served, photos: int) -> None:
    while f"impasto_requests_in_flight {photos}.0" not in (await served.get("/metrics"))[1]:
        await asyncio.sleep(0.01)


async def styles(served: Served) -> pb.ListStylesResponse:
    response: pb.ListStylesResponse = await served.stub.ListStyles(pb.ListStylesRequest())
    return response


async def test_metadata_that_is_too_large_is_refused(tmp_path: Path) -> None:
    async with serving(fake_bundle(tmp_path / "b"), max_metadata_bytes=8192) as served:
        large = (("x-padding", "x" * 9000),)
        error = await refusal(served.stub.ListStyles(pb.ListStylesRequest(), metadata=large))
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert (await served.stub.ListStyles(pb.ListStylesRequest())).styles


async def test_the_last_wall_holds_and_lets_go(tmp_path: Path) -> None:
    engine = Held()
    async with serving(fake_bundle(tmp_path / "b"), engine=engine, max_calls=3) as served:
        engine.holding = True
        calls = [asyncio.ensure_future(served.stylize()) for _ in range(3)]
        await until_in_flight(served, 3)
        error = await refusal(styles(served))
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        engine.release.set()
        for each in calls:
            assert (await each).image
        while True:
            try:
                assert (await served.stylize()).image
                break
            except grpc.aio.AioRpcError as late:
                assert late.code() is grpc.StatusCode.RESOURCE_EXHAUSTED  # noqa: PT017


def callers_file(folder: Path) -> Path:
    """Write who may call: ada and bob, whose tokens are their names; bob with a limit of his own."""
    file = folder / "callers.toml"
    ada, bob = (
        f'[[caller]]\nname = "{name}"\nroles = ["stylize", "jobs"]\ntoken_sha256 = "{digest_of(name)}"\n'
        for name in ("ada", "bob")
    )
    file.write_text(f"{ada}{bob}max_jobs = 1\n")
    return file


async def make(served: ServedJobs, token: str, **others: Any) -> str:
    """Queue a job of a caller, and return its operation's name."""
    request = pb.CreateStylizationRequest(stylize=request_of(**others))
    operation = await served.stub.CreateStylization(request, metadata=bearer(token))
    return str(operation.name)


def bearer(token: str) -> tuple[tuple[str, str]]:
    return (("authorization", f"Bearer {token}"),)


async def test_each_caller_has_a_quota_of_jobs(tmp_path: Path) -> None:
    async with serving_jobs(tmp_path, caller_max_jobs=2, callers_file=callers_file(tmp_path)) as served:
        first = await make(served, "ada", request_id="one")
        await make(served, "ada")
        error = await refusal(make(served, "ada"))
        assert (error.code(), reason(error)) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "impasto/JOB_QUOTA")
        assert detail(error, RetryInfo).retry_delay.seconds == 30
        assert str(error.details()).startswith("2 jobs that have not ended yet, as many as one caller may have")
        assert await make(served, "ada", request_id="one") == first

        await make(served, "bob")
        assert reason(await refusal(make(served, "bob"))) == "impasto/JOB_QUOTA"

        await served.operations.CancelOperation(lro.CancelOperationRequest(name=first), metadata=bearer("ada"))
        await make(served, "ada")


async def test_where_callers_are_not_told_apart_there_is_no_quota(tmp_path: Path) -> None:
    async with serving_jobs(tmp_path, caller_max_jobs=2) as served:
        assert len({(await served.create()).name for _ in range(4)}) == 4

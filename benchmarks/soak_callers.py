"""The callers of a soak: good ones, careless ones and hostile ones, each a task that goes on until it is over."""

from __future__ import annotations

import asyncio
import random
import socket
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import uuid4

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest
from grpc_health.v1.health_pb2_grpc import HealthStub

from benchmarks.soak_photos import STYLES, Judge, Sample, hostile, small_photo
from benchmarks.soak_tally import Tally
from impasto_client import AsyncClient, Job, JobEnded, JobState, JobUnknown, Painting, ServerUnavailable
from tests.client.proxies import FaultProxy

_TIMEOUT = 120.0  # s, of calls that are to be answered
_JOB_TIMEOUT = 300.0  # s
_STORE_SECONDS = 60  # that the job store may be away
_IDLE = 100  # connections of a slow-loris
_PHOTOS_OF_A_STREAM = 20

_Answer = TypeVar("_Answer")

REFUSED = ("ServerBusy",)
LATE = ("DeadlineExceeded", "ServerBusy")
BROKEN = ("ServerUnavailable", "DeadlineExceeded", "ServerBusy", "ImpastoClientError")
_JOB_PATHS = ("watch", "watch", "watch", "cancel", "delete")


@dataclass
class Scene:
    """What the callers share.

    Attributes:
        targets: of all servers, each by another way.
        proxy: a way to the server on which connections break.
        servers: the servers themselves.
        samples: the photos.
        jobs: how many were made, and what became of them.
        over: set when no further call is to be made.
    """

    targets: list[str]
    proxy: FaultProxy
    servers: list[str]
    samples: list[Sample]
    tally: Tally
    judge: Judge
    jobs: Counter[str] = field(default_factory=Counter)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    chance: random.Random = field(default_factory=lambda: random.Random(0))

    def target(self) -> str:
        return self.chance.choice(self.targets)

    def any_photo(self) -> Sample:
        """Return one, half of the time a small one, which a load of real photos has more of."""
        small = [sample for sample in self.samples if sample.is_small]
        return self.chance.choice(small if self.chance.random() < 0.5 else self.samples)

    async def rest(self, seconds: float) -> None:
        """Wait, or until it is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.over.wait()


Caller = Callable[[Scene], Awaitable[None]]


async def unary(scene: Scene) -> None:
    """One photo after the other, of all sizes and formats; what comes back is looked at."""
    async with AsyncClient(scene.target(), timeout=_TIMEOUT) as client:
        while not scene.over.is_set():
            sample = scene.any_photo()
            style = STYLES[int(sample.name) % len(STYLES)]
            kind = scene.chance.choice(("png", "png", "jpeg", "webp"))
            with scene.tally.call("unary", REFUSED):
                painted = await client.stylize(sample.file, style, format=kind)
                await asyncio.to_thread(scene.judge.look, sample, style, painted)
            await scene.rest(scene.chance.uniform(0, 0.5))


async def streams(scene: Scene) -> None:
    """Streams of photos, in order and as completed; each photo has to have its answer."""
    small = [sample for sample in scene.samples if sample.is_small]
    async with AsyncClient(scene.target(), timeout=_TIMEOUT) as client:
        while not scene.over.is_set():
            photos = [(str(number), scene.chance.choice(small).file) for number in range(_PHOTOS_OF_A_STREAM)]
            ordered = scene.chance.random() < 0.5
            with scene.tally.call("stream of 20"):
                ids = [result.id async for result in client.stylize_stream(photos, STYLES[0], ordered=ordered)]
                if (ids if ordered else sorted(ids, key=int)) != [id for id, _ in photos]:  # noqa: A001
                    scene.tally.fail(f"a stream of {len(photos)} photos was answered with {ids}")
            await scene.rest(1)


async def lists(scene: Scene) -> None:
    """The styles there are."""
    async with AsyncClient(scene.target(), timeout=_TIMEOUT) as client:
        while not scene.over.is_set():
            with scene.tally.call("list of styles"):
                if len(await client.styles(thumbnails=True)) < len(STYLES):
                    scene.tally.fail("styles are missing from the list")
            await scene.rest(1)


async def jobs(scene: Scene) -> None:
    """Jobs, made, watched, read, cancelled, deleted; none may be lost."""
    async with AsyncClient(scene.target(), timeout=_TIMEOUT) as client:
        while not scene.over.is_set():
            with scene.tally.call("job"):
                await _one_job(scene, client)
            await scene.rest(2)


async def hurried(scene: Scene) -> None:
    """Deadlines that cannot be kept."""
    async with AsyncClient(scene.target()) as client:
        while not scene.over.is_set():
            with scene.tally.call("too short a deadline", (*LATE, "ServerUnavailable")):
                sample = scene.chance.choice(scene.samples)
                await client.stylize(sample.file, STYLES[0], timeout=scene.chance.uniform(0.001, 0.2))
            await scene.rest(1)


async def fickle(scene: Scene) -> None:
    """Callers that go away in the middle."""
    async with AsyncClient(scene.target(), timeout=_TIMEOUT) as client:
        while not scene.over.is_set():
            sample = scene.chance.choice(scene.samples)
            with scene.tally.call("cancelled by the caller", REFUSED), suppress(TimeoutError):
                async with asyncio.timeout(scene.chance.uniform(0, 0.5)):
                    await client.stylize(sample.file, STYLES[1])
            with scene.tally.call("stream left by the caller", REFUSED):
                photos = [small_photo()] * 5
                async with aclosing(client.stylize_stream(photos, STYLES[1])) as results:
                    async for _ in results:
                        break
            await scene.rest(1)


async def attackers(scene: Scene) -> None:
    """Pictures that are none, or bombs."""
    async with AsyncClient(scene.target(), timeout=_TIMEOUT) as client:
        while not scene.over.is_set():
            for number, file in enumerate(hostile()):
                with scene.tally.call("hostile picture", ("InvalidRequest", *REFUSED)):
                    await client.stylize(file, STYLES[0])
                    scene.tally.fail(f"hostile picture {number} was painted")
            await scene.rest(3)


async def on_a_bad_line(scene: Scene) -> None:
    """Photos over a connection that breaks in the middle of messages, in both directions."""
    photo = small_photo(256, 256)
    while not scene.over.is_set():
        way = scene.chance.choice((scene.proxy.up, scene.proxy.down))
        way.cut_after, way.cuts = scene.chance.randint(0, 100_000), 1
        async with AsyncClient(scene.proxy.target, timeout=30) as client:
            for _ in range(5):
                with scene.tally.call("over a line that breaks", BROKEN):
                    await client.stylize(photo, STYLES[2], format="png")
        await scene.rest(1)


async def loris(scene: Scene) -> None:
    """Connections that say nothing, or begin and do not go on."""
    while not scene.over.is_set():
        with suppress(OSError):
            async with _idle(scene.chance.choice(scene.servers)):
                scene.tally.note("slow-loris", f"held {_IDLE} connections")
                await scene.rest(10)
        await scene.rest(2)


async def watchers(scene: Scene) -> None:
    """Watches of the servers' health, opened again and again."""
    while not scene.over.is_set():
        async with grpc.aio.insecure_channel(scene.chance.choice(scene.servers)) as channel:
            health: Any = HealthStub(channel)
            watch = health.Watch(HealthCheckRequest(service="impasto.v1.Stylizer"), timeout=30)
            outcome = "ended"
            try:
                async with asyncio.timeout(scene.chance.uniform(0.1, 10)):
                    async for _ in watch:
                        scene.tally.note("health watch", "states")
            except TimeoutError:
                outcome = "left"
            except grpc.aio.AioRpcError as error:
                outcome = error.code().name
            scene.tally.note("health watch", outcome)
        await scene.rest(1)


CALLERS: tuple[Caller, ...] = (
    *(unary,) * 3,
    *(streams, lists, jobs, jobs, hurried, fickle, attackers, on_a_bad_line, loris, watchers),
)


async def _one_job(scene: Scene, client: AsyncClient) -> None:
    photo, painting, request_id = small_photo(), Painting(small_photo(64, 64)), uuid4().hex
    options = {"steps": scene.chance.randint(3, 12)}

    def create() -> Awaitable[Job]:
        return client.create_job(photo, painting, working_size=64, optimization=options, request_id=request_id)

    job = await _patiently(scene, create)
    scene.jobs["created"] += 1
    try:
        await _follow(scene, client, job.name)
    except JobUnknown:
        scene.jobs["lost"] += 1
        raise


async def _follow(scene: Scene, client: AsyncClient, name: str) -> None:
    """See a job to one of its ends."""
    path = scene.chance.choice(_JOB_PATHS)
    if path == "cancel":
        await scene.rest(scene.chance.uniform(0, 3))
        with suppress(JobEnded):
            await _patiently(scene, lambda: client.cancel(name))
    elif path == "delete":
        await _delete(scene, client, name)
        scene.jobs["deleted before the end"] += 1
        return
    async for update in client.watch(name, preview_interval=0.5, timeout=_JOB_TIMEOUT):
        last = update.job
    scene.jobs[last.state.value] += 1
    if last.state is JobState.SUCCEEDED:
        result = await _patiently(scene, lambda: client.result(name, timeout=_JOB_TIMEOUT))
        if (result.width, result.height) != (96, 64):
            scene.tally.fail(f"{name} came out as {result.width} x {result.height}")
    elif last.state is JobState.FAILED or path != "cancel":
        scene.tally.fail(f"{name} is {last}")
    await _delete(scene, client, name)


async def _patiently(scene: Scene, call: Callable[[], Awaitable[_Answer]]) -> _Answer:
    """Call again while the job store is away, as the server asks for, which is no failure while that is restarted."""
    for _ in range(_STORE_SECONDS):
        try:
            return await call()
        except ServerUnavailable as error:
            if "job store" not in str(error):
                raise
            scene.jobs["calls told that the store is away"] += 1
            await asyncio.sleep(1)
    return await call()


async def _delete(scene: Scene, client: AsyncClient, name: str) -> None:
    """Delete a job; that it is gone already is what a second try finds when the answer to the first was lost."""
    with suppress(JobUnknown):
        await _patiently(scene, lambda: client.delete(name))


@asynccontextmanager
async def _idle(server: str) -> AsyncIterator[None]:
    host, _, port = server.rpartition(":")
    connections: list[socket.socket] = []
    try:
        for number in range(_IDLE):
            connections.append(socket.create_connection((host, int(port)), timeout=5))
            connections[-1].sendall((b"", b"PRI * HT", b"GET / HTTP/1.1\r\n")[number % 3])
        yield
    finally:
        for connection in connections:
            connection.close()

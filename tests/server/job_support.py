"""A real server with a real job store in a folder, and the test as its worker: step by step, through the store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
from google.longrunning import operations_pb2 as lro
from google.longrunning.operations_pb2_grpc import OperationsStub

from impasto.bundle import load_bundle
from impasto.images import Format
from impasto.jobs import Claim, Jobs, Progress, Result
from impasto.v1 import stylizer_pb2 as pb
from impasto_server.config import Config
from tests.server.support import Served, options, photo, serving
from tests.support import all_below, fake_bundle

PAINTING = photo(40, 30)
RESULT = photo(64, 48)
PATIENCE = 60.0  # s, far more than anything here takes


class ServedJobs(Served):
    """A running server that serves jobs and has no worker, and its store as a worker sees it."""

    def __init__(self, served: Served, store: Jobs | None) -> None:
        super().__init__(served.server, served.channel, served.log)
        self._store = store
        self.operations: Any = OperationsStub(served.channel)

    async def create(self, priority: int = 0, **others: Any) -> lro.Operation:
        request = pb.CreateStylizationRequest(stylize=request_of(**others), priority=priority)
        operation: lro.Operation = await self.stub.CreateStylization(request)
        return operation

    async def operation(self, name: str) -> lro.Operation:
        operation: lro.Operation = await self.operations.GetOperation(lro.GetOperationRequest(name=name))
        return operation

    async def wait(self, name: str, **others: Any) -> lro.Operation:
        operation: lro.Operation = await self.operations.WaitOperation(lro.WaitOperationRequest(name=name, **others))
        return operation

    async def cancel(self, name: str) -> None:
        await self.operations.CancelOperation(lro.CancelOperationRequest(name=name))

    async def delete(self, name: str) -> None:
        await self.operations.DeleteOperation(lro.DeleteOperationRequest(name=name))

    async def names(self, **others: Any) -> list[str]:
        """Return the names of the operations that are listed."""
        response = await self.operations.ListOperations(lro.ListOperationsRequest(**others))
        return [operation.name for operation in response.operations]

    def watch(self, name: str, **others: Any) -> Any:
        return self.stub.WatchStylization(pb.WatchStylizationRequest(name=name, **others))

    async def read_result(self, name: str, offset: int = 0) -> list[bytes]:
        request = pb.ReadStylizationRequest(name=name, read_offset=offset)
        return [chunk.data async for chunk in self.stub.ReadStylization(request)]

    async def claim(self) -> Claim:
        """Begin with the next job as a worker does, as soon as there is one."""
        assert self._store is not None
        async with asyncio.timeout(PATIENCE):
            while (claim := self._store.claim("the test")) is None:
                await asyncio.sleep(0.02)
        return claim

    async def until(self, name: str, what: Callable[[pb.Stylization], bool]) -> pb.Stylization:
        """Wait until this is true of a job."""
        async with asyncio.timeout(PATIENCE):
            while not what(seen := stylization(await self.operation(name))):
                await asyncio.sleep(0.02)
        return seen


@asynccontextmanager
async def serving_jobs(folder: Path, *, store: bool = True, **others: Any) -> AsyncIterator[ServedJobs]:
    """Serve a bundle, and jobs that are kept in `folder`, which may hold those of an earlier server.

    Args:
        folder: of bundle and jobs.
        store: whether the test will be a worker, too.
        others: options.
    """
    path = folder / "bundle"
    bundle = load_bundle(path) if path.exists() else fake_bundle(path)
    async with serving(bundle, **{**job_options(folder), **others}) as served:
        jobs = open_store(folder) if store else None
        try:
            yield ServedJobs(served, jobs)
        finally:
            if jobs:
                jobs.close()


def job_options(folder: Path) -> dict[str, Any]:
    return {"jobs": "on", "workers": 0, "state_dir": folder / "state"}


def open_store(folder: Path) -> Jobs:
    """Open the store of a server, also of one that has not started yet."""
    config: Config = options(**job_options(folder))
    return Jobs.open(config.database_url, config.blobs_url)


def blobs(folder: Path) -> list[str]:
    """Return the names of all blobs of jobs."""
    root = folder / "state" / "blobs"
    return sorted(f"{file.parent.name}/{file.name}" for file in all_below(root) if file.parent.parent == root)


def request_of(**others: Any) -> pb.StylizeRequest:
    """Return a request to paint a small photo in the style of a small painting, unless the fields say otherwise."""
    return pb.StylizeRequest(**{"image": photo(), "style_images": paintings(PAINTING), **others})


def paintings(*files: bytes, weights: Iterable[float | None] = ()) -> pb.StyleImages:
    given = [*weights]
    given += [None] * (len(files) - len(given))
    return pb.StyleImages(
        parts=[pb.StyleImages.Part(image=file, weight=weight) for file, weight in zip(files, given, strict=True)]
    )


def succeed(claim: Claim, file: bytes = RESULT, notes: Sequence[str] = ()) -> None:
    result = Result(format=Format.PNG, size=(64, 48), working_size=(64, 48), byte_count=len(file), seconds=1.5)
    claim.succeed(file, result, notes=notes)


def step(claim: Claim, number: int, preview: bytes | None = None) -> None:
    progress = Progress(step=number, total_steps=10, size=(32, 24), content=0.1, style=0.2, total=0.3, seconds_left=4.5)
    claim.report(progress, preview=preview)


def stylization(operation: lro.Operation) -> pb.Stylization:
    """Return an operation's metadata."""
    message = pb.Stylization()
    assert operation.metadata.Unpack(message)
    return message


async def next_of(watch: Any) -> pb.WatchStylizationResponse:
    """Return the next message of a watch."""
    async with asyncio.timeout(PATIENCE):
        message = await watch.read()
    assert message is not grpc.aio.EOF
    response: pb.WatchStylizationResponse = message
    return response


async def rest_of(watch: Any) -> list[pb.WatchStylizationResponse]:
    """Return all that a watch still says, once it has ended."""
    messages = []
    async with asyncio.timeout(PATIENCE):
        while (message := await watch.read()) is not grpc.aio.EOF:
            messages.append(message)
    return messages

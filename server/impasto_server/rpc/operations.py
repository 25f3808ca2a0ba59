"""google.longrunning.Operations over the jobs: decode, call, encode."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from typing import Any

from google.longrunning import operations_pb2 as lro
from google.longrunning.operations_pb2_grpc import OperationsServicer
from google.protobuf.empty_pb2 import Empty
from typing_extensions import override

from impasto.errors import InvalidInput
from impasto.logs import note
from impasto_server.callers import owner_of
from impasto_server.jobs.desk import JobDesk
from impasto_server.rpc.job_messages import operation
from impasto_server.rpc.job_requests import read_job_id, seconds
from impasto_server.rpc.paging import job_mark, read_job_mark, read_page_size

SERVICE = "google.longrunning.Operations"

_COLLECTION = "operations"
_FILTERS = {"": None, "done=true": True, "done=false": False}


class Operations(OperationsServicer):  # type: ignore[misc]
    """Gets, lists, awaits, cancels and deletes jobs."""

    def __init__(self, jobs: JobDesk) -> None:
        self._jobs = jobs

    @override
    async def GetOperation(self, request: lro.GetOperationRequest, context: Any) -> lro.Operation:
        return operation(await self._jobs.get(_job_id(request.name), owner_of(context)))

    @override
    async def ListOperations(self, request: lro.ListOperationsRequest, context: Any) -> lro.ListOperationsResponse:
        if request.name not in ("", _COLLECTION):
            raise InvalidInput("name", f"{request.name[:80]!r} has no operations; give {_COLLECTION!r}, or nothing")
        size, ended = read_page_size(request.page_size), _ended(request.filter)
        after = read_job_mark(request.page_token)
        jobs = await self._jobs.list(owner_of(context), after=after, limit=size + 1, ended=ended)
        return lro.ListOperationsResponse(
            operations=[operation(job) for job in jobs[:size]],
            next_page_token=job_mark(jobs[size - 1]) if len(jobs) > size else "",
        )

    @override
    async def WaitOperation(self, request: lro.WaitOperationRequest, context: Any) -> lro.Operation:
        job_id, owner = _job_id(request.name), owner_of(context)
        timeout = seconds(request.timeout) if request.HasField("timeout") else None
        job = await self._jobs.get(job_id, owner)
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout), aclosing(self._jobs.follow(job_id, owner)) as states:
                async for state in states:
                    job = state
        return operation(job)

    @override
    async def CancelOperation(self, request: lro.CancelOperationRequest, context: Any) -> Empty:
        await self._jobs.cancel(_job_id(request.name), owner_of(context))
        return Empty()

    @override
    async def DeleteOperation(self, request: lro.DeleteOperationRequest, context: Any) -> Empty:
        await self._jobs.delete(_job_id(request.name), owner_of(context))
        return Empty()


def _job_id(name: str) -> str:
    job_id = read_job_id(name)
    note(job=job_id)
    return job_id


def _ended(filter: str) -> bool | None:
    """Return whether operations that are done are wanted, those that are not, or all."""
    compact = filter.replace(" ", "").lower()
    if compact not in _FILTERS:
        raise InvalidInput("filter", f"{filter[:80]!r} is not understood; give done=true, done=false or nothing")
    return _FILTERS[compact]

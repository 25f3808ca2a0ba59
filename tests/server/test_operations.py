"""google.longrunning.Operations over jobs."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path

import grpc
import pytest
from google.longrunning import operations_pb2 as lro
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import PreconditionFailure

from impasto.errors import LeaseLost
from impasto.jobs import Failure
from impasto.v1 import stylizer_pb2 as pb
from tests.server.job_support import blobs, next_of, serving_jobs, step, stylization, succeed
from tests.server.support import detail, fields, reason, refusal

INVALID = grpc.StatusCode.INVALID_ARGUMENT
States = pb.Stylization.State


async def test_an_operation_can_be_had_by_either_of_its_names(tmp_path: Path) -> None:
    async with serving_jobs(tmp_path) as served:
        name = (await served.create()).name
        assert await served.operation(name) == await served.operation(name.replace("operations", "stylizations"))


async def test_an_operation_that_succeeded_holds_its_stylization_and_no_picture(tmp_path: Path) -> None:
    async with serving_jobs(tmp_path) as served:
        name = (await served.create()).name
        succeed(await served.claim(), bytes(100_000))
        operation = await served.operation(name)
    response = pb.Stylization()
    assert operation.done
    assert operation.response.Unpack(response)
    assert response == stylization(operation)
    assert (response.state, response.attempts, response.result.byte_count) == (States.SUCCEEDED, 1, 100_000)
    assert operation.ByteSize() < 1000


async def test_the_list_has_the_newest_first_and_can_be_of_those_that_are_done_or_not(tmp_path: Path) -> None:
    async with serving_jobs(tmp_path) as served:
        first, second, third = [(await served.create()).name for _ in range(3)]
        succeed(await served.claim())
        await served.cancel(second)
        assert await served.names() == await served.names(name="operations") == [third, second, first]
        assert await served.names(filter="done=true") == await served.names(filter="done = TRUE") == [second, first]
        assert await served.names(filter="done=false") == [third]


async def test_pages_put_together_are_the_list_whatever_comes_and_goes_between(tmp_path: Path) -> None:
    async with serving_jobs(tmp_path) as served:
        names = [(await served.create()).name for _ in range(5)][::-1]
        pages: list[list[str]] = []
        token = ""
        while not pages or token:
            request = lro.ListOperationsRequest(page_size=2, page_token=token)
            response = await served.operations.ListOperations(request)
            pages.append([operation.name for operation in response.operations])
            token = response.next_page_token
            await served.create()
            await served.delete(pages[-1][-1])
    assert pages == [names[:2], names[2:4], names[4:]]


async def test_a_page_that_just_holds_the_list_is_the_last(tmp_path: Path) -> None:
    async with serving_jobs(tmp_path) as served:
        for _ in range(2):
            await served.create()
        response = await served.operations.ListOperations(lro.ListOperationsRequest(page_size=2))
    assert (len(response.operations), response.next_page_token) == (2, "")


@pytest.mark.parametrize(
    ("request_fields", "field"),
    [
        ({"name": "bundles"}, "name"),
        ({"name": "operations/1"}, "name"),
        ({"filter": "state=RUNNING"}, "filter"),
        ({"page_size": -1}, "page_size"),
        ({"page_token": "nonsense"}, "page_token"),
        ({"page_token": base64.b64encode(b"before:2026-01-01T00:00:00 abc").decode()}, "page_token"),
        ({"page_token": base64.b64encode(b"before:2026-01-01T00:00:00+00:00 a\0c").decode()}, "page_token"),
        ({"page_token": base64.b64encode(b"after:bundles/b/styles/s").decode()}, "page_token"),
    ],
)
async def test_a_list_that_cannot_be_had_is_refused(
    tmp_path: Path, request_fields: dict[str, object], field: str
) -> None:
    async with serving_jobs(tmp_path) as served:
        error = await refusal(served.names(**request_fields))
    assert (error.code(), fields(error)) == (INVALID, [field])


async def test_waiting_returns_when_the_job_has_ended(tmp_path: Path) -> None:
    async with serving_jobs(tmp_path) as served:
        name = (await served.create()).name
        waiting = asyncio.create_task(served.wait(name))
        succeed(await served.claim())
        assert (await waiting).done


@pytest.mark.parametrize("nanoseconds", [0, 1, 300_000_000])
async def test_waiting_returns_what_is_so_when_its_time_is_up(tmp_path: Path, nanoseconds: int) -> None:
    async with serving_jobs(tmp_path) as served:
        name = (await served.create()).name
        operation = await served.wait(name, timeout=Duration(nanos=nanoseconds))
    assert (operation.name, operation.done) == (name, False)


async def test_waiting_may_be_meant_to_last_longer_than_any_clock_runs(tmp_path: Path) -> None:
    async with serving_jobs(tmp_path) as served:
        name = (await served.create()).name
        waiting = asyncio.create_task(served.wait(name, timeout=Duration(seconds=2**62)))
        succeed(await served.claim())
        assert (await waiting).done


async def test_cancelling_ends_a_job_that_waits_and_can_be_done_twice(tmp_path: Path) -> None:
    async with serving_jobs(tmp_path) as served:
        name = (await served.create()).name
        await served.cancel(name)
        await served.cancel(name)
        operation = await served.operation(name)
    assert (operation.done, operation.error.code) == (True, grpc.StatusCode.CANCELLED.value[0])
    assert stylization(operation).state == States.CANCELLED


async def test_cancelling_tells_the_worker_of_a_job_that_runs(tmp_path: Path) -> None:
    async with serving_jobs(tmp_path) as served:
        name = (await served.create()).name
        claim = await served.claim()
        await served.cancel(name)
        await served.cancel(name)
        assert not (await served.operation(name)).done
        assert claim.renew() is True
        claim.cancelled()
        assert (await served.wait(name)).error.code == grpc.StatusCode.CANCELLED.value[0]


@pytest.mark.parametrize("end", ["succeeded", "failed"])
async def test_what_has_ended_cannot_be_cancelled(tmp_path: Path, end: str) -> None:
    async with serving_jobs(tmp_path) as served:
        name = (await served.create()).name
        claim = await served.claim()
        succeed(claim) if end == "succeeded" else claim.fail(Failure("EngineError", "no"))
        error = await refusal(served.cancel(name))
    assert (error.code(), reason(error)) == (grpc.StatusCode.FAILED_PRECONDITION, "impasto/JOB_ENDED")
    (violation,) = detail(error, PreconditionFailure).violations
    assert (violation.type, violation.subject) == ("STATE", name.replace("operations", "stylizations"))
    assert end in violation.description


@pytest.mark.parametrize("state", ["queued", "running", "ended"])
async def test_deleting_leaves_nothing(tmp_path: Path, state: str) -> None:
    async with serving_jobs(tmp_path) as served:
        other = (await served.create(priority=-1)).name
        kept = blobs(tmp_path)
        name = (await served.create()).name
        watch = served.watch(name)
        await next_of(watch)
        if state != "queued":
            claim = await served.claim()
            step(claim, 1, preview=b"a preview")
            claim.save_checkpoint(b"a checkpoint", claim.job.progress)
        if state == "ended":
            succeed(claim)
        assert len(blobs(tmp_path)) > len(kept)

        await served.delete(name)

        assert blobs(tmp_path) == kept
        assert await served.names() == [other]
        again = await refusal(served.delete(name))
        if state == "running":
            with pytest.raises(LeaseLost):
                claim.renew()
    assert reason(again) == "impasto/JOB_NOT_FOUND"

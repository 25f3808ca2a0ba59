"""Stylize with style images: a job that the call waits for, and that outlives the call."""

from __future__ import annotations

import asyncio
import gc
import io
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, PreconditionFailure, RequestInfo, ResourceInfo
from google.rpc.status_pb2 import Status

from impasto.engine import FakeEngine
from impasto.errors import ImageTooLarge
from impasto.jobs import Failure
from impasto.logs import make_log
from impasto.v1 import stylizer_pb2 as pb
from impasto_server.server import Server
from tests.server.job_support import (
    PATIENCE,
    RESULT,
    ServedJobs,
    job_options,
    open_store,
    request_of,
    serving_jobs,
    stylization,
    succeed,
)
from tests.server.support import Served, connect, detail, fields, options, reason, refusal
from tests.support import fake_bundle

States = pb.Stylization.State


async def test_the_call_returns_what_the_job_has_made(tmp_path: Path) -> None:
    async with serving_jobs(tmp_path) as served:
        call = begin(served)
        name = await operation_of(call)
        claim = await served.claim()
        assert name == f"operations/{claim.job.id}"
        succeed(claim)
        response = await call.read()
    assert (response.image, response.format) == (RESULT, pb.IMAGE_FORMAT_PNG)
    assert (response.size, response.working_size) == (pb.Size(width=64, height=48), pb.Size(width=64, height=48))
    times = response.stage_times
    assert times.engine.ToMilliseconds() == 1500
    assert times.decode.ToNanoseconds() > 0
    assert times.queue.ToMilliseconds() >= 0


async def test_a_result_larger_than_a_chunk_is_returned_whole(tmp_path: Path) -> None:
    file = bytes(range(256)) * 20_000
    async with serving_jobs(tmp_path) as served:
        call = served.stub.Stylize(request_of())
        succeed(await served.claim(), file)
        assert (await call).image == file


async def test_the_result_can_be_had_by_its_name_after_the_deadline_has_passed(tmp_path: Path) -> None:
    async with serving_jobs(tmp_path) as served:
        call = served.stub.Stylize(request_of(), timeout=1)
        error = await refusal(call)
        assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        name = await operation_of(call)

        assert (await served.operation(name)).done is False
        succeed(await served.claim())
        assert (await served.wait(name)).done
        assert b"".join(await served.read_result(name)) == RESULT


async def test_a_caller_that_goes_away_leaves_the_job_running(tmp_path: Path) -> None:
    async with serving_jobs(tmp_path) as served:
        call = begin(served)
        name = await operation_of(call)
        claim = await served.claim()
        call.cancel()
        while not [line for line in served.lines if line.get("code") == "CANCELLED"]:
            await served.get("/livez")
        assert claim.renew() is False
        succeed(claim)
        assert stylization(await served.operation(name)).state == States.SUCCEEDED


async def test_waiting_for_jobs_takes_no_photos_place(tmp_path: Path) -> None:
    async with serving_jobs(tmp_path, max_concurrent_requests=1) as served:
        calls = []
        for _ in range(2):
            calls.append(begin(served))
            await operation_of(calls[-1])
        assert (await served.stylize()).image
        for _ in calls:
            succeed(await served.claim())
        assert [(await call.read()).image for call in calls] == [RESULT] * 2


async def test_a_call_that_waits_when_the_server_stops_is_told_so_and_the_job_goes_on(tmp_path: Path) -> None:
    async with serving_jobs(tmp_path) as served:
        call = begin(served)
        name = await operation_of(call)
        await served.server.stop()
        error = await refusal(call.read())
    assert (error.code(), reason(error)) == (grpc.StatusCode.UNAVAILABLE, "impasto/SHUTTING_DOWN")
    async with serving_jobs(tmp_path) as served:
        succeed(await served.claim())
        assert b"".join(await served.read_result(name)) == RESULT


async def test_a_call_that_waits_holds_no_uploads(tmp_path: Path) -> None:
    others = requests_in_memory()
    async with serving_jobs(tmp_path) as served:
        method: Any = served.channel.unary_unary("/impasto.v1.Stylizer/Stylize")
        call = method(request_of().SerializeToString())
        claim = await served.claim()
        async with asyncio.timeout(PATIENCE):
            while any(not any(request is other for other in others) for request in requests_in_memory()):
                await asyncio.sleep(0.02)
        succeed(claim)
        assert pb.StylizeResponse.FromString(await call).image == RESULT


async def test_what_was_done_otherwise_than_asked_for_is_said(tmp_path: Path) -> None:
    notes = ["It was painted at 32 px, for want of memory.", "Adam took over."]
    async with serving_jobs(tmp_path) as served:
        call = served.stub.Stylize(request_of())
        claim = await served.claim()
        succeed(claim, notes=notes)
        response = await call
        assert stylization(await served.operation(f"operations/{claim.job.id}")).notes == notes
        trained = await served.stylize()
    assert [*response.notes] == notes
    assert [*trained.notes] == []


async def test_a_job_that_is_deleted_is_waited_for_no_longer(tmp_path: Path) -> None:
    async with serving_jobs(tmp_path) as served:
        call = begin(served)
        await served.delete(await operation_of(call))
        error = await refusal(call.read())
    assert (error.code(), reason(error)) == (grpc.StatusCode.NOT_FOUND, "impasto/JOB_NOT_FOUND")


async def test_a_job_that_is_cancelled_cancels_the_call(tmp_path: Path) -> None:
    async with serving_jobs(tmp_path) as served:
        call = begin(served)
        name = await operation_of(call)
        await served.cancel(name)
        error = await refusal(call.read())
        operation = await served.operation(name)
    assert (error.code(), reason(error)) == (grpc.StatusCode.CANCELLED, "impasto/JOB_CANCELLED")
    assert (operation.done, operation.error.code) == (True, 1)
    assert _detail_of(operation.error, ErrorInfo).reason == "JOB_CANCELLED"


@pytest.mark.parametrize(
    ("failure", "code", "why"),
    [
        (Failure("InvalidInput", "is wrong", "optimization.start"), "INVALID_ARGUMENT", "INVALID_VALUE"),
        (
            Failure("UnreadableImage", "is broken", "image"),
            "INVALID_ARGUMENT",
            "UNREADABLE_IMAGE",
        ),
        (Failure(ImageTooLarge.__name__, "is huge", "image"), "INVALID_ARGUMENT", "IMAGE_TOO_LARGE"),
        (Failure("WeightsNotFound", "no weights of VGG-19"), "FAILED_PRECONDITION", "WEIGHTS_NOT_FOUND"),
        (Failure("WorkerLost", "three workers died of it"), "FAILED_PRECONDITION", "WORKER_LOST"),
        (Failure("OptimizationFailed", "no memory for it"), "FAILED_PRECONDITION", "OPTIMIZATION_FAILED"),
        (Failure("JobUnreadable", "of another version"), "FAILED_PRECONDITION", "JOB_UNREADABLE"),
        (Failure("BlobMissing", "its photo is gone"), "DATA_LOSS", "RESULT_LOST"),
        (Failure("SomethingElse", "who knows"), "INTERNAL", "JOB_FAILED"),
    ],
    ids=lambda value: value.kind if isinstance(value, Failure) else "",
)
async def test_a_job_that_fails_is_answered_as_a_call_would_have_been(
    tmp_path: Path, failure: Failure, code: str, why: str
) -> None:
    async with serving_jobs(tmp_path) as served:
        call = served.stub.Stylize(request_of())
        claim = await served.claim()
        claim.fail(failure)
        error = await refusal(call)
        operation = await served.operation(f"operations/{claim.job.id}")
    assert (error.code().name, reason(error)) == (code, f"impasto/{why}")
    assert failure.message in str(error.details())
    assert fields(error) == ([failure.field] if failure.field else [])
    if code == "FAILED_PRECONDITION":
        (violation,) = detail(error, PreconditionFailure).violations
        assert violation.type == ("WEIGHTS" if why == "WEIGHTS_NOT_FOUND" else why)
    if code == "DATA_LOSS":
        assert detail(error, ResourceInfo).resource_name == f"stylizations/{claim.job.id}"
    if why == "JOB_FAILED":
        assert detail(error, RequestInfo).request_id == claim.job.id
        assert detail(error, ErrorInfo).metadata["kind"] == failure.kind

    assert operation.done
    assert (operation.error.code, operation.error.message) == (error.code().value[0], error.details())
    assert _detail_of(operation.error, ErrorInfo).reason == why
    if failure.field:
        assert _detail_of(operation.error, BadRequest).field_violations[0].field == failure.field


async def test_style_images_are_taken_while_the_engines_warm_up(tmp_path: Path) -> None:
    bundle, log = fake_bundle(tmp_path / "b"), io.StringIO()
    config = options(bundle, **job_options(tmp_path))
    server = Server(config, open_engine=lambda _: FakeEngine(), log=make_log(stream=log))
    await server.listen()
    store = open_store(tmp_path)
    async with connect(server) as channel:
        served = ServedJobs(Served(server, channel, log), store)
        early = await refusal(served.stylize())
        call = served.stub.Stylize(request_of())
        succeed(await served.claim())
        assert (await call).image == RESULT
    store.close()
    await server.stop()
    assert reason(early) == "impasto/NOT_READY"


def requests_in_memory() -> list[pb.StylizeRequest]:
    return [thing for thing in gc.get_objects() if type(thing) is pb.StylizeRequest]


def begin(served: ServedJobs) -> Any:
    """Call Stylize as one that streams: of a unary call, this client shows the initial metadata only at its end."""
    serialize, parse = pb.StylizeRequest.SerializeToString, pb.StylizeResponse.FromString
    method: Any = served.channel.unary_stream("/impasto.v1.Stylizer/Stylize", serialize, parse)
    return method(request_of())


async def operation_of(call: Any) -> str:
    """Return the name that a call's initial metadata holds."""
    async with asyncio.timeout(PATIENCE):
        name: str = dict(await call.initial_metadata())["impasto-operation"]
    return name


def _detail_of(status: Status, kind: Any) -> Any:
    message = kind()
    return next(message for packed in status.details if packed.Unpack(message))

"""Jobs, from their making to their end: the same for both clients."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from google.rpc.status_pb2 import Status
from grpc import StatusCode

from impasto_client import (
    ImpastoClientError,
    InvalidRequest,
    Job,
    JobCancelled,
    JobEnded,
    JobError,
    JobFailed,
    JobProgress,
    JobState,
    JobUnfinished,
    JobUnknown,
    Painting,
    RequestReused,
    ServerBusy,
    StageTimes,
    Stylized,
)
from tests.client.job_servers import STEPS, ScriptedJobs
from tests.client.servers import Call, bad_request, both_clients, error_info, retry_in, serving

PAINTING = Painting(b"painting")


@both_clients
def test_a_job_is_made_painted_and_its_result_fetched(connect: Any) -> None:
    jobs = ScriptedJobs()

    with serving(jobs) as server, connect(server.target) as client:
        made = client.create_job(b"photo", PAINTING)
        jobs.paint(made.name, 5)
        painting = client.job(made.name)
        jobs.succeed(made.name, b"picture", "painted at 32 px: no more fitted into the memory")
        ended = client.wait(made.name)
        result = client.result(made.name)

    assert (made.name, made.state, made.owner) == (jobs.names[0], JobState.QUEUED, "anonymous")
    assert made.created is not None
    assert made.created.utcoffset() == timedelta(0)
    assert (made.started, made.ended, made.expires, made.result, made.failure) == (None, None, None, None, None)
    assert (painting.state, painting.attempts) == (JobState.RUNNING, 1)
    assert painting.progress == JobProgress(5, STEPS, (64, 48), 0.25, 0.5 / 6, 1.0, 5.0)
    assert painting.progress.fraction == 0.5
    assert ended.state is JobState.SUCCEEDED
    assert ended.notes == ("painted at 32 px: no more fitted into the memory",)
    assert ended.expires is not None
    assert result == Stylized(
        image=b"picture",
        format="jpeg",
        width=64,
        height=48,
        working_size=(32, 24),
        stage_times=StageTimes(decode=0.0, queue=2.0, engine=3.0, encode=0.0),
        notes=("painted at 32 px: no more fitted into the memory",),
    )


@both_clients
def test_a_call_that_waits_tells_what_was_done_otherwise_than_asked_for(connect: Any) -> None:
    jobs = ScriptedJobs()

    def painted_with_notes(call: Call) -> Any:
        jobs.succeed(f"operations/{jobs.make(call.request)}", b"picture", "painted at 32 px", "painted with Adam")
        return jobs(call)

    with serving(painted_with_notes) as server, connect(server.target) as client:
        painted = client.stylize(b"photo", PAINTING)

    assert (painted.image, painted.notes) == (b"picture", ("painted at 32 px", "painted with Adam"))


@both_clients
def test_watching_tells_each_change_and_last_the_end(connect: Any) -> None:
    jobs = ScriptedJobs()

    with serving(jobs) as server, connect(server.target) as client:
        name = client.create_job(b"photo", PAINTING).name
        seen: list[Job] = []
        for update in client.watch(name):
            seen.append(update.job)
            if len(seen) <= 2:
                jobs.paint(name, len(seen))
            elif not update.job.state.ended:
                jobs.succeed(name)

    assert [(job.state.value, job.progress.step) for job in seen] == [
        ("queued", 0),
        ("running", 1),
        ("running", 2),
        ("succeeded", 2),
    ]


@both_clients
def test_previews_come_when_asked_for(connect: Any) -> None:
    jobs = ScriptedJobs()

    with serving(jobs) as server, connect(server.target) as client:
        name = client.create_job(b"photo", PAINTING).name
        jobs.paint(name, 1, preview=b"jpeg")
        with_previews = next(iter(client.watch(name, preview_interval=0.5)))
        without = next(iter(client.watch(name)))

    assert (with_previews.preview, without.preview) == (b"jpeg", b"")
    intervals = [request.preview_interval.ToMilliseconds() for request in server.requests("WatchStylization")]
    assert intervals == [500, 0]


@both_clients
def test_leaving_a_watch_ends_it_on_the_server(connect: Any) -> None:
    jobs = ScriptedJobs()

    with serving(jobs) as server, connect(server.target) as client:
        name = client.create_job(b"photo", PAINTING).name
        updates = client.watch(name)
        next(updates)
        updates.close()
        jobs.wait_until(lambda: jobs.watchers == 0)

        assert client.job(name).state is JobState.QUEUED


@both_clients
def test_jobs_are_listed_newest_first_over_pages(connect: Any) -> None:
    jobs = ScriptedJobs()

    with serving(jobs) as server, connect(server.target) as client:
        made = [client.create_job(b"photo", PAINTING).name for _ in range(5)]
        jobs.succeed(made[1])
        every, ended, going = ([job.name for job in client.jobs(ended=ended)] for ended in (None, True, False))

    assert every == made[::-1]
    assert ended == [made[1]]
    assert going == [made[4], made[3], made[2], made[0]]
    tokens = [request.page_token for request in server.requests("ListOperations")]
    assert tokens == ["", "2", "4", "", "", "2"]


@both_clients
def test_a_cancelled_job_has_no_result(connect: Any) -> None:
    jobs = ScriptedJobs()

    with serving(jobs) as server, connect(server.target) as client:
        name = client.create_job(b"photo", PAINTING).name
        client.cancel(name)
        client.cancel(name)
        ended = client.wait(name)
        with pytest.raises(JobCancelled, match=f"{name} was cancelled") as raised:
            client.result(name)

    assert (ended.state, ended.failure) == (JobState.CANCELLED, None)
    assert raised.value.operation == name


@both_clients
def test_a_job_that_has_ended_cannot_be_cancelled(connect: Any) -> None:
    jobs = ScriptedJobs()

    with serving(jobs) as server, connect(server.target) as client:
        name = client.create_job(b"photo", PAINTING).name
        jobs.succeed(name)
        with pytest.raises(JobEnded) as raised:
            client.cancel(name)

    assert raised.value.operation == name
    assert raised.value.status is StatusCode.FAILED_PRECONDITION


@both_clients
def test_a_failed_job_tells_why_and_which_field_is_at_fault(connect: Any) -> None:
    jobs = ScriptedJobs()
    status = Status(code=StatusCode.INVALID_ARGUMENT.value[0], message="bad")
    status.details.add().Pack(error_info("UNREADABLE_IMAGE"))
    status.details.add().Pack(bad_request("style_images.parts[0].image", "is no picture"))

    with serving(jobs) as server, connect(server.target) as client:
        name = client.create_job(b"photo", PAINTING).name
        jobs.fail(name, status)
        ended = client.wait(name)
        with pytest.raises(JobFailed, match=r"failed: style_images\.parts\[0\]\.image: is no picture") as raised:
            client.result(name)

    assert ended.state is JobState.FAILED
    assert ended.failure is not None
    assert (ended.failure.status, ended.failure.reason) == (StatusCode.INVALID_ARGUMENT, "is no picture")
    assert (raised.value.field, raised.value.reason) == ("style_images.parts[0].image", "is no picture")
    assert raised.value.status is StatusCode.INVALID_ARGUMENT


@both_clients
def test_an_update_of_a_failed_job_says_that_it_failed_and_where_to_ask_why(connect: Any) -> None:
    jobs = ScriptedJobs()

    with serving(jobs) as server, connect(server.target) as client:
        name = client.create_job(b"photo", PAINTING).name
        jobs.fail(name, Status(code=StatusCode.INTERNAL.value[0], message="no worker survived it"))
        (update,) = client.watch(name)
        with pytest.raises(JobFailed) as raised:
            update.job.made()
        with pytest.raises(JobFailed, match="no worker survived it"):
            client.job(name).made()

    assert (raised.value.operation, raised.value.reason) == (name, f"`job({name!r})` tells why")


@both_clients
def test_there_is_no_result_before_the_end(connect: Any) -> None:
    jobs = ScriptedJobs()

    with serving(jobs) as server, connect(server.target) as client:
        name = client.create_job(b"photo", PAINTING).name
        with pytest.raises(JobUnfinished, match=f"{name} is queued"):
            client.result(name)


@both_clients
def test_a_deleted_job_is_unknown_whatever_is_asked_of_it(connect: Any) -> None:
    jobs = ScriptedJobs()

    with serving(jobs) as server, connect(server.target) as client:
        name = client.create_job(b"photo", PAINTING).name
        client.delete(name)
        for ask in (client.job, client.wait, client.result, client.cancel, client.delete):
            with pytest.raises(JobUnknown, match=f"no job {name}") as raised:
                ask(name)
            assert (raised.value.operation, raised.value.status) == (name, StatusCode.NOT_FOUND)


@both_clients
def test_a_job_goes_by_its_operation_its_resource_or_its_id(connect: Any) -> None:
    jobs = ScriptedJobs()

    with serving(jobs) as server, connect(server.target) as client:
        name = client.create_job(b"photo", PAINTING).name
        id = name.removeprefix("operations/")  # noqa: A001
        assert client.job(name) == client.job(f"stylizations/{id}") == client.job(id)


@both_clients
@pytest.mark.parametrize("name", ["", "operations/", "styles/ink", "operations/a/b", None, 7])
def test_what_is_no_name_of_a_job_is_refused_before_the_call(connect: Any, name: Any) -> None:
    with serving(ScriptedJobs()) as server, connect(server.target) as client:
        for ask in (client.job, client.watch, client.wait, client.result, client.cancel, client.delete):
            with pytest.raises(InvalidRequest, match="name: "):
                ask(name)

    assert server.calls == []


@both_clients
def test_a_reused_request_id_is_told_from_other_refusals(connect: Any) -> None:
    def reused(call: Call) -> None:
        call.fail(StatusCode.ALREADY_EXISTS, "an id is for one request", error_info("REQUEST_REUSED"))

    with serving(reused) as server, connect(server.target) as client, pytest.raises(RequestReused) as raised:
        client.create_job(b"photo", PAINTING, request_id="mine")

    assert (raised.value.field, raised.value.reason) == ("request_id", "an id is for one request")


@both_clients
def test_a_full_queue_is_tried_again_when_it_says_when_with_the_same_request_id(connect: Any) -> None:
    jobs = ScriptedJobs()

    def full_once(call: Call) -> Any:
        if call.number == 1:
            call.fail(StatusCode.RESOURCE_EXHAUSTED, "100 jobs wait", error_info("QUEUE_FULL"), retry_in(0.1))
        return jobs(call)

    with serving(full_once) as server, connect(server.target) as client:
        made = client.create_job(b"photo", PAINTING)

    first, second = server.requests("CreateStylization")
    assert first == second
    assert jobs.names == [made.name]


@both_clients
def test_a_queue_that_stays_full_says_when_to_come_back(connect: Any) -> None:
    def full(call: Call) -> None:
        call.fail(StatusCode.RESOURCE_EXHAUSTED, "100 jobs wait", error_info("QUEUE_FULL"), retry_in(3600))

    with serving(full) as server, connect(server.target) as client, pytest.raises(ServerBusy) as raised:
        client.create_job(b"photo", PAINTING)

    assert raised.value.retry_after == 3600


@both_clients
def test_a_result_that_is_not_whole_is_refused(connect: Any) -> None:
    jobs = ScriptedJobs()

    def half(call: Call) -> Any:
        return iter(list(jobs(call))[:1]) if call.method == "ReadStylization" else jobs(call)

    with serving(half) as server, connect(server.target) as client:
        name = client.create_job(b"photo", PAINTING).name
        jobs.succeed(name, b"x" * 1500)
        with pytest.raises(ImpastoClientError, match="1000 bytes instead of 1500") as raised:
            client.result(name)

    assert raised.value.status is StatusCode.DATA_LOSS


@both_clients
@pytest.mark.parametrize(
    ("code", "reason", "error"),
    [
        (StatusCode.CANCELLED, "JOB_CANCELLED", JobCancelled),
        (StatusCode.INTERNAL, "JOB_FAILED", JobFailed),
        (StatusCode.FAILED_PRECONDITION, "WEIGHTS_NOT_FOUND", JobFailed),
    ],
)
def test_a_call_that_waited_for_its_job_tells_what_became_of_it(
    connect: Any, code: StatusCode, reason: str, error: type[JobError]
) -> None:
    def end(call: Call) -> None:
        call.context.send_initial_metadata((("impasto-operation", "operations/5f0c"),))
        call.fail(code, "it ended", error_info(reason))

    with serving(end) as server, connect(server.target) as client, pytest.raises(error, match="it ended") as raised:
        client.stylize(b"photo", PAINTING)

    assert raised.value.operation == "operations/5f0c"
    assert len(server.calls) == 1

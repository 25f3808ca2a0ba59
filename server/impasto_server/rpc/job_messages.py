"""Jobs as the API's messages."""

from __future__ import annotations

from datetime import datetime

from google.longrunning.operations_pb2 import Operation
from google.protobuf.timestamp_pb2 import Timestamp

from impasto.jobs import Job, Progress, Result, State
from impasto.v1 import stylizer_pb2 as pb
from impasto_server.rpc.messages import FORMAT_NUMBERS, set_seconds, size
from impasto_server.rpc.statuses import status_of_job

_STATES = {
    State.QUEUED: pb.Stylization.QUEUED,
    State.RUNNING: pb.Stylization.RUNNING,
    State.SUCCEEDED: pb.Stylization.SUCCEEDED,
    State.FAILED: pb.Stylization.FAILED,
    State.CANCELLED: pb.Stylization.CANCELLED,
}


def operation_name(job: Job) -> str:
    return f"operations/{job.id}"


def operation(job: Job) -> Operation:
    """Return the operation whose metadata and response a job is."""
    message = Operation(name=operation_name(job), done=job.state.ended)
    resource = stylization(job)
    message.metadata.Pack(resource)
    if job.state is State.SUCCEEDED:
        message.response.Pack(resource)
    elif job.state.ended:
        message.error.CopyFrom(status_of_job(job))
    return message


def stylization(job: Job) -> pb.Stylization:
    """Return the resource that a job is."""
    return pb.Stylization(
        name=f"stylizations/{job.id}",
        state=_STATES[job.state],
        owner=job.owner,
        create_time=_timestamp(job.created),
        start_time=_timestamp(job.started),
        end_time=_timestamp(job.ended),
        expire_time=_timestamp(job.expires),
        progress=_progress(job.progress),
        result=_result(job.result),
        notes=job.notes,
        attempts=job.attempts,
    )


def stylized(job: Job, result: Result, file: bytes, decode: float) -> pb.StylizeResponse:
    """Return the answer to a call that waited for its job.

    Args:
        decode: s, spent on looking at the pictures.
    """
    response = pb.StylizeResponse(
        image=file,
        format=FORMAT_NUMBERS[result.format],
        size=size(result.size),
        working_size=size(result.working_size),
        notes=job.notes,
    )
    waited = (job.started - job.created).total_seconds() if job.started else 0.0
    set_seconds(response.stage_times.decode, decode)
    set_seconds(response.stage_times.queue, max(0.0, waited))
    set_seconds(response.stage_times.engine, result.seconds)
    return response


def _progress(progress: Progress) -> pb.Progress:
    message = pb.Progress(
        step=progress.step,
        total_steps=progress.total_steps,
        size=size(progress.size),
        content_loss=progress.content,
        style_loss=progress.style,
        total_loss=progress.total,
        preview=progress.preview,
    )
    if progress.seconds_left is not None:
        set_seconds(message.time_left, progress.seconds_left)
    return message


def _result(result: Result | None) -> pb.StylizationResult | None:
    if result is None:
        return None
    message = pb.StylizationResult(
        format=FORMAT_NUMBERS[result.format],
        size=size(result.size),
        working_size=size(result.working_size),
        byte_count=result.byte_count,
    )
    set_seconds(message.paint_time, result.seconds)
    return message


def _timestamp(time: datetime | None) -> Timestamp | None:
    if time is None:
        return None
    message = Timestamp()
    message.FromDatetime(time)
    return message

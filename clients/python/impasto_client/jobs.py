"""What the clients tell of a job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum

import grpc
from google.longrunning.operations_pb2 import Operation
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.error_details_pb2 import BadRequest
from google.rpc.status_pb2 import Status

from impasto.v1 import stylizer_pb2 as pb
from impasto_client.errors import InvalidRequest, JobCancelled, JobFailed, JobUnfinished
from impasto_client.formats import FORMAT_NAMES

OPERATIONS = "operations"

Size = tuple[int, int]
"""Width and height, px."""


class JobState(Enum):
    """The state of a job."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        return self not in (JobState.QUEUED, JobState.RUNNING)


_STATES: Mapping[int, JobState] = {number: JobState(name.lower()) for name, number in pb.Stylization.State.items()[1:]}
_CODES = {code.value[0]: code for code in grpc.StatusCode}


@dataclass(frozen=True)
class JobProgress:
    """How far a job is.

    Attributes:
        step, total_steps: of the optimiser; 0 while it has not begun.
        size: that is being painted; it grows from scale to scale.
        content_loss: 0 is the photo.
        style_loss: 0 is the painting's hand.
        total_loss: the weighted sum.
        seconds_left: None while nobody can tell.
    """

    step: int = 0
    total_steps: int = 0
    size: Size = (0, 0)
    content_loss: float = 0.0
    style_loss: float = 0.0
    total_loss: float = 0.0
    seconds_left: float | None = None

    @property
    def fraction(self) -> float:
        """0 to 1."""
        return self.step / self.total_steps if self.total_steps else 0.0

    @classmethod
    def from_proto(cls, progress: pb.Progress) -> JobProgress:
        return cls(
            step=progress.step,
            total_steps=progress.total_steps,
            size=(progress.size.width, progress.size.height),
            content_loss=progress.content_loss,
            style_loss=progress.style_loss,
            total_loss=progress.total_loss,
            seconds_left=progress.time_left.ToNanoseconds() / 1e9 if progress.HasField("time_left") else None,
        )


@dataclass(frozen=True)
class JobResult:
    """What a job has made, without its bytes.

    Attributes:
        format: the file format: `jpeg`, `png` or `webp`.
        size: of the picture.
        working_size: that it was optimised at.
        byte_count: of the file.
        paint_seconds: how long it took, without waiting.
    """

    format: str
    size: Size
    working_size: Size
    byte_count: int
    paint_seconds: float

    @classmethod
    def from_proto(cls, result: pb.StylizationResult) -> JobResult:
        return cls(
            format=FORMAT_NAMES.get(result.format, "jpeg"),
            size=(result.size.width, result.size.height),
            working_size=(result.working_size.width, result.working_size.height),
            byte_count=result.byte_count,
            paint_seconds=result.paint_time.ToNanoseconds() / 1e9,
        )


@dataclass(frozen=True)
class JobFailure:
    """Why a job failed.

    Attributes:
        status: the code that a call would have failed with.
        reason: in words.
        field: the request's field that is at fault; empty where none is.
    """

    status: grpc.StatusCode
    reason: str
    field: str = ""

    @classmethod
    def from_proto(cls, error: Status) -> JobFailure:
        status = _CODES.get(error.code, grpc.StatusCode.UNKNOWN)
        bad = BadRequest()
        if any(detail.Unpack(bad) for detail in error.details) and bad.field_violations:
            violation = bad.field_violations[0]
            return cls(status, violation.description or error.message, violation.field)
        return cls(status, error.message)


@dataclass(frozen=True)
class Job:
    """A job that paints one photo in the style of any painting, as it was when the server was asked.

    Attributes:
        name: `operations/5f0c...`.
        state: where it is in its life.
        owner: who made it: `anonymous` where callers are not told apart.
        created, started, ended, expires: UTC; None while that has not happened. With `expires` all of it is deleted.
        progress: how far it is.
        notes: what had to be done otherwise than asked for, in words.
        attempts: how many times a worker has begun with it, or taken it over.
        result: of a job that succeeded.
        failure: of one that failed; None in an update of `watch`, which does not tell it.
    """

    name: str
    state: JobState
    owner: str = ""
    created: datetime | None = None
    started: datetime | None = None
    ended: datetime | None = None
    expires: datetime | None = None
    progress: JobProgress = JobProgress()
    notes: tuple[str, ...] = ()
    attempts: int = 0
    result: JobResult | None = None
    failure: JobFailure | None = None

    @classmethod
    def from_proto(cls, job: pb.Stylization, error: Status | None = None) -> Job:
        state = _STATES.get(job.state, JobState.QUEUED)
        return cls(
            name=operation_name(job.name),
            state=state,
            owner=job.owner,
            created=_time(job.create_time),
            started=_time(job.start_time),
            ended=_time(job.end_time),
            expires=_time(job.expire_time),
            progress=JobProgress.from_proto(job.progress),
            notes=tuple(job.notes),
            attempts=job.attempts,
            result=JobResult.from_proto(job.result) if job.HasField("result") else None,
            failure=JobFailure.from_proto(error) if error and state is JobState.FAILED else None,
        )

    @classmethod
    def from_operation(cls, operation: Operation) -> Job:
        job = pb.Stylization()
        operation.metadata.Unpack(job)
        job.name = operation.name
        return cls.from_proto(job, operation.error if operation.HasField("error") else None)

    def made(self) -> JobResult:
        """Return what it has made.

        Raises:
            JobUnfinished, JobFailed, JobCancelled: nothing, or nothing yet. Why it failed an update of `watch` does not
                know; `job` does.
        """
        if self.result:
            return self.result
        if self.failure:
            raise JobFailed(self.name, self.failure.field, self.failure.reason, self.failure.status)
        if self.state is JobState.FAILED:
            raise JobFailed(self.name, "", f"`job({self.name!r})` tells why", grpc.StatusCode.UNKNOWN)
        if self.state is JobState.CANCELLED:
            raise JobCancelled(f"{self.name} was cancelled", grpc.StatusCode.CANCELLED, self.name)
        raise JobUnfinished(
            f"{self.name} is {self.state.value}: it has no result", grpc.StatusCode.FAILED_PRECONDITION, self.name
        )


@dataclass(frozen=True)
class JobUpdate:
    """What `watch` yields.

    Attributes:
        job: as it is now.
        preview: a small JPEG of the picture as it is; empty unless asked for and due.
    """

    job: Job
    preview: bytes = field(default=b"", repr=False)


def operation_name(name: str) -> str:
    """Return the name of the operation, from it, from the resource's name, or from the id in them.

    Raises:
        InvalidRequest: it is none of these.
    """
    if isinstance(name, str):
        match name.split("/"):
            case [id] | ["operations" | "stylizations", id] if id:
                return f"{OPERATIONS}/{id}"
    raise InvalidRequest("name", f"{name!r} is no job; give its name, such as {OPERATIONS}/5f0c...")


def _time(time: Timestamp) -> datetime | None:
    return time.ToDatetime(tzinfo=UTC) if time.ByteSize() else None

"""The table from the domain's errors to what gRPC says: a status code, a reason and google.rpc details."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import (
    BadRequest,
    ErrorInfo,
    PreconditionFailure,
    RequestInfo,
    ResourceInfo,
    RetryInfo,
)
from google.rpc.status_pb2 import Status

from impasto.errors import (
    BlobMissing,
    BlobUnreadable,
    ImageTooLarge,
    ImpastoError,
    InvalidInput,
    JobEnded,
    JobNotFound,
    JobQuotaReached,
    JobUnfinished,
    OutOfRange,
    QueueFull,
    RequestReused,
    StoreUnavailable,
    StyleNotFound,
    UnreadableImage,
    WeightsNotFound,
)
from impasto.jobs import Failure, Job
from impasto_server.errors import (
    BundleNotHeld,
    BundleRefused,
    BundleUnreachable,
    Busy,
    JobCancelled,
    JobFailed,
    LastBundle,
    ModelNotFound,
    NoBundleStore,
    NotReady,
    NotSupported,
    Overloaded,
    PermissionDenied,
    RateLimited,
    RequestTooLarge,
    RequestTooSlow,
    ShuttingDown,
    StreamIdle,
    TooLate,
    TooManyCalls,
    Unauthenticated,
)

DOMAIN = "impasto"
STYLE_TYPE = "impasto.dev/Style"
JOB_TYPE = "impasto.dev/Stylization"
BUNDLE_TYPE = "impasto.dev/ServedBundle"
RETRY_AFTER = 1  # s
_SHORTEST_RETRY = 10  # ms

# A status travels in trailing metadata, twice, and clients take 8 KiB of that: what callers sent is cut short.
_LONGEST_TEXT = 1000
_LONGEST_NAME = 200
_LONGEST_LIST = 2000


def _bad_request(error: InvalidInput) -> Iterable[Message]:
    violation = BadRequest.FieldViolation(field=error.field, description=_cut(error.reason, _LONGEST_TEXT))
    yield BadRequest(field_violations=[violation])


def _style(error: StyleNotFound) -> Iterable[Message]:
    yield ResourceInfo(resource_type=STYLE_TYPE, resource_name=_cut(error.style, _LONGEST_NAME))


def _bundle(error: BundleNotHeld) -> Iterable[Message]:
    kind = BUNDLE_TYPE if "/versions/" in error.style else STYLE_TYPE
    yield ResourceInfo(resource_type=kind, resource_name=_cut(error.style, _LONGEST_NAME))


def _model(error: ModelNotFound) -> Iterable[Message]:
    yield ResourceInfo(resource_type=BUNDLE_TYPE, resource_name=_cut(error.model, _LONGEST_NAME))


def _refused(error: BundleRefused) -> Iterable[Message]:
    violation = PreconditionFailure.Violation(type="BUNDLE", description=_cut(error.reason, _LONGEST_TEXT))
    yield PreconditionFailure(violations=[violation])


def _job(error: JobNotFound | BlobMissing) -> Iterable[Message]:
    yield ResourceInfo(resource_type=JOB_TYPE, resource_name=_job_name(error))


def _state(error: JobEnded | JobUnfinished) -> Iterable[Message]:
    violation = PreconditionFailure.Violation(type="STATE", subject=_job_name(error), description=str(error))
    yield PreconditionFailure(violations=[violation])


def _weights(error: WeightsNotFound) -> Iterable[Message]:
    description = _cut(str(error), _LONGEST_TEXT)
    violation = PreconditionFailure.Violation(type="WEIGHTS", subject="vgg19", description=description)
    yield PreconditionFailure(violations=[violation])


def _retry(_: ImpastoError) -> Iterable[Message]:
    yield RetryInfo(retry_delay=Duration(seconds=RETRY_AFTER))


def _retry_later(error: QueueFull | JobQuotaReached) -> Iterable[Message]:
    yield RetryInfo(retry_delay=Duration(seconds=max(RETRY_AFTER, round(error.retry_after))))


def _retry_soon(error: Busy) -> Iterable[Message]:
    delay = Duration()
    delay.FromMilliseconds(max(_SHORTEST_RETRY, round(1e3 * error.retry_after)))
    yield RetryInfo(retry_delay=delay)


def _nothing(_: ImpastoError) -> Iterable[Message]:
    return ()


def _available(error: StyleNotFound) -> Mapping[str, str]:
    """Return the styles that exist, for programs (AIP-193): ids joined by commas, as many as fit."""
    listed = ",".join(error.available)
    return {"available": listed if len(listed) <= _LONGEST_LIST else listed[:_LONGEST_LIST].rpartition(",")[0]}


def _request_id(error: RequestReused) -> Mapping[str, str]:
    return {"request_id": _cut(error.request_id, _LONGEST_NAME)}


def _role(error: PermissionDenied) -> Mapping[str, str]:
    return {"role": error.role}


def _nothing_of_the_store(_: ImpastoError) -> str:
    """Where the store is and what it says is for the log alone."""
    return "the job store cannot be used at the moment; nothing is lost, try again"


def _no_metadata(_: ImpastoError) -> Mapping[str, str]:
    return {}


@dataclass(frozen=True)
class Answer:
    """What one kind of error becomes."""

    code: grpc.StatusCode
    reason: str
    details: Callable[[Any], Iterable[Message]]
    metadata: Callable[[Any], Mapping[str, str]] = _no_metadata
    says: Callable[[Any], str] = str


ANSWERS: Mapping[type[ImpastoError], Answer] = {
    InvalidInput: Answer(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_VALUE", _bad_request),
    UnreadableImage: Answer(grpc.StatusCode.INVALID_ARGUMENT, "UNREADABLE_IMAGE", _bad_request),
    ImageTooLarge: Answer(grpc.StatusCode.INVALID_ARGUMENT, "IMAGE_TOO_LARGE", _bad_request),
    OutOfRange: Answer(grpc.StatusCode.OUT_OF_RANGE, "OUT_OF_RANGE", _bad_request),
    StyleNotFound: Answer(grpc.StatusCode.NOT_FOUND, "STYLE_NOT_FOUND", _style, _available),
    BundleNotHeld: Answer(grpc.StatusCode.NOT_FOUND, "VERSION_NOT_HELD", _bundle, _available),
    ModelNotFound: Answer(grpc.StatusCode.NOT_FOUND, "MODEL_NOT_FOUND", _model),
    BundleRefused: Answer(grpc.StatusCode.FAILED_PRECONDITION, "BUNDLE_REFUSED", _refused),
    BundleUnreachable: Answer(grpc.StatusCode.UNAVAILABLE, "BUNDLE_UNREACHABLE", _retry),
    LastBundle: Answer(grpc.StatusCode.FAILED_PRECONDITION, "LAST_BUNDLE", _nothing),
    NoBundleStore: Answer(grpc.StatusCode.FAILED_PRECONDITION, "NO_BUNDLE_STORE", _nothing),
    JobNotFound: Answer(grpc.StatusCode.NOT_FOUND, "JOB_NOT_FOUND", _job),
    JobEnded: Answer(grpc.StatusCode.FAILED_PRECONDITION, "JOB_ENDED", _state),
    JobUnfinished: Answer(grpc.StatusCode.FAILED_PRECONDITION, "JOB_UNFINISHED", _state),
    JobCancelled: Answer(grpc.StatusCode.CANCELLED, "JOB_CANCELLED", _nothing),
    BlobMissing: Answer(grpc.StatusCode.DATA_LOSS, "RESULT_LOST", _job),
    WeightsNotFound: Answer(grpc.StatusCode.FAILED_PRECONDITION, "WEIGHTS_NOT_FOUND", _weights),
    RequestReused: Answer(grpc.StatusCode.ALREADY_EXISTS, "REQUEST_REUSED", _nothing, _request_id),
    QueueFull: Answer(grpc.StatusCode.RESOURCE_EXHAUSTED, "QUEUE_FULL", _retry_later),
    JobQuotaReached: Answer(grpc.StatusCode.RESOURCE_EXHAUSTED, "JOB_QUOTA", _retry_later),
    Unauthenticated: Answer(grpc.StatusCode.UNAUTHENTICATED, "CALLER_UNKNOWN", _nothing),
    PermissionDenied: Answer(grpc.StatusCode.PERMISSION_DENIED, "ROLE_MISSING", _nothing, _role),
    RequestTooSlow: Answer(grpc.StatusCode.DEADLINE_EXCEEDED, "REQUEST_TOO_SLOW", _nothing),
    RequestTooLarge: Answer(grpc.StatusCode.RESOURCE_EXHAUSTED, "REQUEST_TOO_LARGE", _nothing),
    StreamIdle: Answer(grpc.StatusCode.DEADLINE_EXCEEDED, "STREAM_IDLE", _nothing),
    NotSupported: Answer(grpc.StatusCode.UNIMPLEMENTED, "NOT_SUPPORTED", _nothing),
    Overloaded: Answer(grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", _retry_soon),
    RateLimited: Answer(grpc.StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMITED", _retry_soon),
    TooManyCalls: Answer(grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_CALLS", _retry_soon),
    TooLate: Answer(grpc.StatusCode.RESOURCE_EXHAUSTED, "DEADLINE_UNREACHABLE", _retry_soon),
    NotReady: Answer(grpc.StatusCode.UNAVAILABLE, "NOT_READY", _retry),
    ShuttingDown: Answer(grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN", _retry),
    StoreUnavailable: Answer(grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE", _retry, says=_nothing_of_the_store),
}

_CODES = {code.value[0]: code for code in grpc.StatusCode}
_REFUSALS = (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE)

# What a worker may report of a job, by the error's name: these can be made anew from a failure.
_OF_THE_REQUEST = {kind.__name__: kind for kind in (InvalidInput, UnreadableImage, ImageTooLarge)}
_OF_THE_WORKER = {kind.__name__: kind for kind in (WeightsNotFound,)}

# Those that say that the same job would fail again, with the reason of each.
_OF_THE_JOB = {
    "WorkerLost": "WORKER_LOST",
    "OptimizationFailed": "OPTIMIZATION_FAILED",
    "JobUnreadable": "JOB_UNREADABLE",
}


def status_of(error: BaseException) -> Status | None:
    """Return what to tell the caller; None for an error that is none of the caller's business."""
    if isinstance(error, JobFailed):
        return status_of_failure(error.id, error.failure)
    for kind in type(error).__mro__:
        if answer := ANSWERS.get(kind):
            info = ErrorInfo(reason=answer.reason, domain=DOMAIN, metadata=answer.metadata(error))
            return _status(answer.code, answer.says(error), info, answer.details(error))
    return None


def reason_of_refusal(error: BaseException) -> str | None:
    """Return the reason of an error that says that the server has too much to do, or is not there to do it."""
    answers = (ANSWERS[kind] for kind in type(error).__mro__ if kind in ANSWERS)
    return next((answer.reason for answer in answers if answer.code in _REFUSALS), None)


def status_of_job(job: Job) -> Status:
    """Return the error of an operation that has ended without a result."""
    error = JobCancelled(job.id) if job.failure is None else JobFailed(job.id, job.failure)
    status = status_of(error)
    assert status is not None
    return status


def status_of_failure(id: str, failure: Failure) -> Status:
    """Return what a job's failure would have been answered with, had a call met it."""
    error: ImpastoError | None = None
    if kind := _OF_THE_REQUEST.get(failure.kind):
        error = kind(failure.field, failure.message)
    elif other := _OF_THE_WORKER.get(failure.kind):
        error = other(failure.message)
    if error and (status := status_of(error)):
        return status
    return _status(*_of_the_job(id, failure))


def _of_the_job(id: str, failure: Failure) -> tuple[grpc.StatusCode, str, ErrorInfo, Iterable[Message]]:
    """Return what says that a job failed for a reason of its own, or for none that the caller can do anything about."""
    info = ErrorInfo(domain=DOMAIN, metadata={"kind": _cut(failure.kind, _LONGEST_NAME)})
    if failure.kind in (BlobMissing.__name__, BlobUnreadable.__name__):
        answer = ANSWERS[BlobMissing]
        info.reason = answer.reason
        return answer.code, failure.message, info, answer.details(BlobMissing(id, ""))
    if reason := _OF_THE_JOB.get(failure.kind):
        info.reason = reason
        subject, description = f"stylizations/{id}", _cut(failure.message, _LONGEST_TEXT)
        violation = PreconditionFailure.Violation(type=reason, subject=subject, description=description)
        return grpc.StatusCode.FAILED_PRECONDITION, failure.message, info, [PreconditionFailure(violations=[violation])]
    info.reason = "JOB_FAILED"
    return grpc.StatusCode.INTERNAL, failure.message, info, [RequestInfo(request_id=id)]


def code_of(status: Status) -> grpc.StatusCode:
    """Return the code of a status."""
    return code_numbered(status.code)


def code_numbered(number: int) -> grpc.StatusCode:
    """Return a code by its number."""
    return _CODES[number]


def internal(request_id: str) -> Status:
    """Return what to tell the caller of an error that is not theirs: where the log has the story, and no more."""
    message = f"internal error; the server's log has the details under request id {request_id}"
    info = ErrorInfo(reason="INTERNAL", domain=DOMAIN)
    return _status(grpc.StatusCode.INTERNAL, message, info, [RequestInfo(request_id=request_id)])


def _status(code: grpc.StatusCode, message: str, info: ErrorInfo, details: Iterable[Message]) -> Status:
    status = Status(code=code.value[0], message=_cut(_one_line(message), _LONGEST_TEXT))
    for detail in (info, *details):
        packed = AnyMessage()
        packed.Pack(detail)
        status.details.append(packed)
    return status


def _job_name(error: JobNotFound | JobEnded | JobUnfinished | BlobMissing) -> str:
    return f"stylizations/{_cut(error.id, _LONGEST_NAME)}"


def _cut(text: str, longest: int) -> str:
    """Return a text in no more bytes than these."""
    data = text.encode(errors="replace")
    return data.decode() if len(data) <= longest else f"{data[: longest - 4].decode(errors='ignore')} ..."


def _one_line(text: str) -> str:
    """Return a text with a blank for everything that cannot be printed, such as the line breaks that a caller sent."""
    return text if text.isprintable() else "".join(sign if sign.isprintable() else " " for sign in text)

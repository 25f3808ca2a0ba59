"""From a gRPC error to one of the client's own, by its status code and its google.rpc details."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar, cast

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc import status_pb2
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RequestInfo, ResourceInfo, RetryInfo
from grpc import StatusCode
from grpc_status import rpc_status

from impasto_client.errors import (
    DeadlineExceeded,
    ImpastoClientError,
    InvalidRequest,
    JobCancelled,
    JobEnded,
    JobFailed,
    JobUnfinished,
    JobUnknown,
    MessageTooLarge,
    PermissionDenied,
    RequestReused,
    ServerBusy,
    ServerFault,
    ServerUnavailable,
    StyleUnknown,
    Unauthenticated,
    Unimplemented,
)

OPERATION_KEY = "impasto-operation"
"""The initial metadata of a Stylize call that has made a job."""

_JOB_TYPE = "impasto.dev/Stylization"
_BUNDLE_TYPE = "impasto.dev/ServedBundle"
_SIZE_REFUSED = "message larger than max"  # how gRPC itself words it, in a status without details
_SIZES = re.compile(r"\(\d+ vs\. (?P<limit>\d+)\)")  # goes on so: of the message, and the most that it may have
# So, too, a connection that broke; and, under asyncio, a call that had ended before more could be sent, whose own
# status is lost.
_BROKEN = (
    "Socket closed",
    "Connection reset by peer",
    "Broken pipe",
    "Stream removed",
    "RST_STREAM",
    "Internal error from Core",
)
_ENDED_BY_SERVER = "CANCELLED"  # is all that a call is told which reaches a server at the moment that it stops
_PASSING = ("NOT_READY", "SHUTTING_DOWN")  # of a server which soon is, or beside which there may be another

_CODES = {code.value[0]: code for code in StatusCode}

_Detail = TypeVar("_Detail", bound=Message)


@dataclass(frozen=True)
class Failure:
    """A failed call.

    Attributes:
        status: its code.
        text: its message.
        details: its google.rpc details; empty where there are none.
        target: the server.
        timeout: seconds that the call had, tries included; None without limit.
        operation: the name of the job that it was about, or has made; None where there is none.
    """

    status: StatusCode
    text: str
    details: status_pb2.Status
    target: str
    timeout: float | None
    operation: str | None

    def detail(self, kind: type[_Detail]) -> _Detail | None:
        """Return the detail of this kind, or None."""
        message = kind()
        return message if any(packed.Unpack(message) for packed in self.details.details) else None

    @property
    def reason(self) -> str:
        """What the server's ErrorInfo says; empty where there is none."""
        info = self.detail(ErrorInfo)
        return str(info.reason) if info else ""


def client_error(
    error: grpc.RpcError, target: str, timeout: float | None, operation: str | None = None
) -> ImpastoClientError:
    """Return what to raise from `error`, which a synchronous or an asyncio call to `target` raised."""
    call = cast("grpc.Call", error)  # every error of a call is one, by its methods
    operation = made_operation(error) or operation
    mapped = _mapped(Failure(call.code(), call.details() or "", _details(call), target, timeout, operation))
    mapped.operation = operation
    return mapped


def item_error(status: status_pb2.Status, target: str) -> ImpastoClientError:
    """Return what `status` says of one photo of a stream from `target`."""
    code = _CODES.get(status.code, StatusCode.UNKNOWN)
    return _mapped(Failure(code, status.message, status, target, timeout=None, operation=None))


def made_operation(error: grpc.RpcError) -> str | None:
    """Return the name of the job that a call had made before it failed, or None."""
    metadata = cast("grpc.Call", error).initial_metadata() or ()
    return next((str(value) for key, value in metadata if key == OPERATION_KEY), None)


def _mapped(failure: Failure) -> ImpastoClientError:
    return _MAKERS.get(failure.status, _unexpected)(failure)


def _details(call: grpc.Call) -> status_pb2.Status:
    try:
        return rpc_status.from_call(call) or status_pb2.Status()
    except (ValueError, DecodeError):  # something between the server and us changed the status, but not its details
        return status_pb2.Status()


def _invalid(failure: Failure) -> ImpastoClientError:
    bad = failure.detail(BadRequest)
    if bad is None or not bad.field_violations:
        return InvalidRequest("", failure.text, failure.status)
    violation = bad.field_violations[0]
    return InvalidRequest(violation.field, violation.description or failure.text, failure.status)


def _not_found(failure: Failure) -> ImpastoClientError:
    resource = failure.detail(ResourceInfo)
    if resource.resource_type == _JOB_TYPE if resource else failure.operation:
        return JobUnknown(failure.text, failure.status)
    if resource and resource.resource_type == _BUNDLE_TYPE:
        return InvalidRequest("name", failure.text, failure.status)
    info = failure.detail(ErrorInfo) or ErrorInfo()
    return StyleUnknown(failure.text, filter(None, info.metadata["available"].split(",")))


def _exhausted(failure: Failure) -> ImpastoClientError:
    if _SIZE_REFUSED in failure.text and not failure.details.details:
        sizes = _SIZES.search(failure.text)
        return MessageTooLarge(
            f"a message is over the limit ({failure.text}); scale the photo down, or ask for a smaller result",
            limit=int(sizes["limit"]) if sizes else None,
        )
    return ServerBusy(f"{failure.target} is busy: {failure.text}", _wait(failure))


def _wait(failure: Failure) -> float | None:
    retry = failure.detail(RetryInfo)
    return retry.retry_delay.ToNanoseconds() / 1e9 if retry else None


def _late(failure: Failure) -> ImpastoClientError:
    within = "" if failure.timeout is None else f" within {failure.timeout:g} s"
    return DeadlineExceeded(f"no answer from {failure.target}{within}: {failure.text}", failure.status)


def _unknown_caller(failure: Failure) -> ImpastoClientError:
    return Unauthenticated(f"{failure.target} does not know who calls: {failure.text}", failure.status)


def _denied(failure: Failure) -> ImpastoClientError:
    info = failure.detail(ErrorInfo) or ErrorInfo()
    return PermissionDenied(f"{failure.target} does not allow this: {failure.text}", info.metadata["role"])


def _unavailable(failure: Failure) -> ImpastoClientError:
    error = ServerUnavailable(f"{failure.target} is unavailable: {failure.text}", failure.status)
    error.broken = _is_broken(failure)
    if failure.reason in _PASSING:
        error.retry_after = _wait(failure)
    return error


def _is_broken(failure: Failure) -> bool:
    if failure.details.details:
        return False
    return failure.text == _ENDED_BY_SERVER or any(text in failure.text for text in _BROKEN)


def _unimplemented(failure: Failure) -> ImpastoClientError:
    return Unimplemented(f"{failure.target} cannot do this: {failure.text}", failure.status)


def _fault(failure: Failure) -> ImpastoClientError:
    if _is_broken(failure):
        return _unavailable(failure)
    if failure.reason == "JOB_FAILED":
        return _job_failed(failure)
    request = failure.detail(RequestInfo) or RequestInfo()
    return ServerFault(f"{failure.target} failed: {failure.text}", failure.status, request.request_id)


def _precondition(failure: Failure) -> ImpastoClientError:
    if failure.reason == "JOB_ENDED":
        return JobEnded(failure.text, failure.status)
    if failure.reason == "JOB_UNFINISHED":
        return JobUnfinished(failure.text, failure.status)
    return _job_failed(failure) if failure.operation else _unexpected(failure)


def _cancelled(failure: Failure) -> ImpastoClientError:
    if failure.reason == "JOB_CANCELLED":
        return JobCancelled(failure.text, failure.status)
    return _unavailable(failure) if _is_broken(failure) else _unexpected(failure)


def _job_failed(failure: Failure) -> ImpastoClientError:
    return JobFailed(failure.operation or "the job", "", failure.text, failure.status)


def _reused(failure: Failure) -> ImpastoClientError:
    return RequestReused(failure.text)


def _unexpected(failure: Failure) -> ImpastoClientError:
    return ImpastoClientError(f"{failure.target}: {failure.status.name}: {failure.text}", failure.status)


_MAKERS: dict[StatusCode, Callable[[Failure], ImpastoClientError]] = {
    StatusCode.INVALID_ARGUMENT: _invalid,
    StatusCode.OUT_OF_RANGE: _invalid,
    StatusCode.NOT_FOUND: _not_found,
    StatusCode.ALREADY_EXISTS: _reused,
    StatusCode.UNAUTHENTICATED: _unknown_caller,
    StatusCode.PERMISSION_DENIED: _denied,
    StatusCode.RESOURCE_EXHAUSTED: _exhausted,
    StatusCode.DEADLINE_EXCEEDED: _late,
    StatusCode.UNAVAILABLE: _unavailable,
    StatusCode.UNIMPLEMENTED: _unimplemented,
    StatusCode.FAILED_PRECONDITION: _precondition,
    StatusCode.CANCELLED: _cancelled,
    StatusCode.INTERNAL: _fault,
    StatusCode.UNKNOWN: _fault,
    StatusCode.DATA_LOSS: _fault,
}

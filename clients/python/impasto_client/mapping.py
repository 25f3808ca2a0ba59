"""From a gRPC error to one of the client's own, by its status code and its google.rpc details."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar, cast

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc import status_pb2
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RequestInfo, RetryInfo
from grpc import StatusCode
from grpc_status import rpc_status

from impasto_client.errors import (
    DeadlineExceeded,
    ImpastoClientError,
    InvalidRequest,
    MessageTooLarge,
    ServerBusy,
    ServerFault,
    ServerUnavailable,
    StyleUnknown,
    Unimplemented,
)

_SIZE_REFUSED = "message larger than max"  # how gRPC itself words it, in a status without details

_Detail = TypeVar("_Detail", bound=Message)


@dataclass(frozen=True)
class Failure:
    """A failed call.

    Attributes:
        status: its code.
        text: its message.
        details: its google.rpc details; empty where there are none.
        target: the server.
        timeout: seconds that the call had, tries included.
    """

    status: StatusCode
    text: str
    details: status_pb2.Status
    target: str
    timeout: float

    def detail(self, kind: type[_Detail]) -> _Detail | None:
        """Return the detail of this kind, or None."""
        message = kind()
        return message if any(packed.Unpack(message) for packed in self.details.details) else None


def client_error(error: grpc.RpcError, target: str, timeout: float) -> ImpastoClientError:
    """Return what to raise from `error`, which a synchronous or an asyncio call to `target` raised."""
    call = cast("grpc.Call", error)  # every error of a call is one, by its methods
    failure = Failure(call.code(), call.details() or "", _details(call), target, timeout)
    make = _MAKERS.get(failure.status, _unexpected)
    return make(failure)


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
    info = failure.detail(ErrorInfo) or ErrorInfo()
    return StyleUnknown(failure.text, filter(None, info.metadata["available"].split(",")))


def _exhausted(failure: Failure) -> ImpastoClientError:
    if _SIZE_REFUSED in failure.text and not failure.details.details:
        return MessageTooLarge(
            f"a message is over the limit ({failure.text}); scale the photo down, or ask for a smaller result"
        )
    retry = failure.detail(RetryInfo)
    wait = retry.retry_delay.ToNanoseconds() / 1e9 if retry else None
    return ServerBusy(f"{failure.target} is busy: {failure.text}", wait)


def _late(failure: Failure) -> ImpastoClientError:
    return DeadlineExceeded(
        f"no answer from {failure.target} within {failure.timeout:g} s: {failure.text}", failure.status
    )


def _unavailable(failure: Failure) -> ImpastoClientError:
    return ServerUnavailable(f"{failure.target} is unavailable: {failure.text}", failure.status)


def _unimplemented(failure: Failure) -> ImpastoClientError:
    return Unimplemented(f"{failure.target} cannot do this: {failure.text}", failure.status)


def _fault(failure: Failure) -> ImpastoClientError:
    request = failure.detail(RequestInfo) or RequestInfo()
    return ServerFault(f"{failure.target} failed: {failure.text}", failure.status, request.request_id)


def _unexpected(failure: Failure) -> ImpastoClientError:
    return ImpastoClientError(f"{failure.target}: {failure.status.name}: {failure.text}", failure.status)


_MAKERS: dict[StatusCode, Callable[[Failure], ImpastoClientError]] = {
    StatusCode.INVALID_ARGUMENT: _invalid,
    StatusCode.OUT_OF_RANGE: _invalid,
    StatusCode.NOT_FOUND: _not_found,
    StatusCode.RESOURCE_EXHAUSTED: _exhausted,
    StatusCode.DEADLINE_EXCEEDED: _late,
    StatusCode.UNAVAILABLE: _unavailable,
    StatusCode.UNIMPLEMENTED: _unimplemented,
    StatusCode.INTERNAL: _fault,
    StatusCode.UNKNOWN: _fault,
    StatusCode.DATA_LOSS: _fault,
}

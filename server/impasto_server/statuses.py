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
    RequestInfo,
    ResourceInfo,
    RetryInfo,
)
from google.rpc.status_pb2 import Status

from impasto.errors import ImageTooLarge, ImpastoError, InvalidInput, StyleNotFound, UnreadableImage
from impasto_server.errors import NotReady, NotSupported, Overloaded

DOMAIN = "impasto"
STYLE_TYPE = "impasto.dev/Style"
RETRY_AFTER = 1  # s

# A status travels in trailing metadata, twice, and clients take 8 KiB of that: what callers sent is cut short.
_LONGEST_TEXT = 1000
_LONGEST_NAME = 200
_LONGEST_LIST = 2000


def _bad_request(error: InvalidInput) -> Iterable[Message]:
    violation = BadRequest.FieldViolation(field=error.field, description=_cut(error.reason, _LONGEST_TEXT))
    yield BadRequest(field_violations=[violation])


def _resource(error: StyleNotFound) -> Iterable[Message]:
    yield ResourceInfo(resource_type=STYLE_TYPE, resource_name=_cut(error.style, _LONGEST_NAME))


def _retry(_: ImpastoError) -> Iterable[Message]:
    yield RetryInfo(retry_delay=Duration(seconds=RETRY_AFTER))


def _nothing(_: ImpastoError) -> Iterable[Message]:
    return ()


def _available(error: StyleNotFound) -> Mapping[str, str]:
    """Return the styles that exist, for programs (AIP-193): ids joined by commas, as many as fit."""
    listed = ",".join(error.available)
    return {"available": listed if len(listed) <= _LONGEST_LIST else listed[:_LONGEST_LIST].rpartition(",")[0]}


def _no_metadata(_: ImpastoError) -> Mapping[str, str]:
    return {}


@dataclass(frozen=True)
class Answer:
    """What one kind of error becomes."""

    code: grpc.StatusCode
    reason: str
    details: Callable[[Any], Iterable[Message]]
    metadata: Callable[[Any], Mapping[str, str]] = _no_metadata


ANSWERS: Mapping[type[ImpastoError], Answer] = {
    InvalidInput: Answer(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_VALUE", _bad_request),
    UnreadableImage: Answer(grpc.StatusCode.INVALID_ARGUMENT, "UNREADABLE_IMAGE", _bad_request),
    ImageTooLarge: Answer(grpc.StatusCode.INVALID_ARGUMENT, "IMAGE_TOO_LARGE", _bad_request),
    StyleNotFound: Answer(grpc.StatusCode.NOT_FOUND, "STYLE_NOT_FOUND", _resource, _available),
    NotSupported: Answer(grpc.StatusCode.UNIMPLEMENTED, "NOT_SUPPORTED", _nothing),
    Overloaded: Answer(grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", _retry),
    NotReady: Answer(grpc.StatusCode.UNAVAILABLE, "NOT_READY", _retry),
}


def status_of(error: BaseException) -> Status | None:
    """Return what to tell the caller; None for an error that is none of the caller's business."""
    for kind in type(error).__mro__:
        if answer := ANSWERS.get(kind):
            info = ErrorInfo(reason=answer.reason, domain=DOMAIN, metadata=answer.metadata(error))
            return _status(answer.code, str(error), info, answer.details(error))
    return None


def internal(request_id: str) -> Status:
    """Return what to tell the caller of an error that is not theirs: where the log has the story, and no more."""
    message = f"internal error; the server's log has the details under request id {request_id}"
    info = ErrorInfo(reason="INTERNAL", domain=DOMAIN)
    return _status(grpc.StatusCode.INTERNAL, message, info, [RequestInfo(request_id=request_id)])


def _status(code: grpc.StatusCode, message: str, info: ErrorInfo, details: Iterable[Message]) -> Status:
    status = Status(code=code.value[0], message=_cut(message, _LONGEST_TEXT))
    for detail in (info, *details):
        packed = AnyMessage()
        packed.Pack(detail)
        status.details.append(packed)
    return status


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 4]} ..."

"""Every error that the clients raise.

    ImpastoClientError          `status`; `operation`, the job's name; the gRPC error, if any, as `__cause__`
    ├── InvalidRequest          a value that is not allowed: `field`, `reason`; found here or by the server
    │   ├── StyleUnknown        the server has no such style: `available`
    │   ├── RequestReused       the request id belongs to another request
    │   └── MessageTooLarge     the transport refused the photo, or the reply, for its size: `limit`
    ├── JobError                a job that has not what was asked of it
    │   ├── JobUnknown          there is none of that name, or no longer
    │   ├── JobUnfinished       it has no result yet
    │   ├── JobEnded            it has ended, and cannot be cancelled any more
    │   ├── JobFailed           it could not be done: `field`, `reason`
    │   └── JobCancelled        it was cancelled before it was done
    ├── Unauthenticated         the server does not know who calls: no token or certificate, or none that is valid
    ├── PermissionDenied        it knows, and the caller may not do this: `role`
    ├── ServerBusy              too much to do: `retry_after`
    ├── DeadlineExceeded        no answer, or no end of a job, in time; a job goes on all the same
    ├── ServerUnavailable       nobody listens, or the connection broke, and trying again did not help
    ├── Unimplemented           the server is older than this client, or was not given this ability
    └── ServerFault             the server failed: `id` finds the story in its log

Any other status, such as one that a proxy made, is an ImpastoClientError itself.
"""

from __future__ import annotations

from collections.abc import Iterable

import grpc


class ImpastoClientError(Exception):
    """The root of all errors that the clients raise.

    Attributes:
        status: the status code of the call; INVALID_ARGUMENT where a value was refused before any call.
        operation: the name of the job that the call was about, or had made before it failed; None where there is none.
    """

    def __init__(self, message: str, status: grpc.StatusCode, operation: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.operation = operation


class InvalidRequest(ImpastoClientError, ValueError):
    """A value is not allowed.

    Attributes:
        field: the client's parameter, or the request's field as the server calls it; empty where nobody said.
        reason: what was given, what is allowed.
    """

    def __init__(self, field: str, reason: str, status: grpc.StatusCode = grpc.StatusCode.INVALID_ARGUMENT) -> None:
        super().__init__(f"{field}: {reason}" if field else reason, status)
        self.field = field
        self.reason = reason


class StyleUnknown(InvalidRequest, LookupError):
    """The server has no such style.

    Attributes:
        available: the ids that it has, sorted; empty where it did not say.
    """

    def __init__(self, reason: str, available: Iterable[str]) -> None:
        super().__init__("style", reason, grpc.StatusCode.NOT_FOUND)
        self.available = sorted(available)


class RequestReused(InvalidRequest):
    """The request id was used before, for another request."""

    def __init__(self, reason: str) -> None:
        super().__init__("request_id", reason, grpc.StatusCode.ALREADY_EXISTS)


class MessageTooLarge(InvalidRequest):
    """The server's transport refused the request for its size, or this one's the reply.

    Attributes:
        limit: bytes that a message may have; None where nobody said.
    """

    def __init__(self, reason: str, limit: int | None = None) -> None:
        super().__init__("photo", reason, grpc.StatusCode.RESOURCE_EXHAUSTED)
        self.limit = limit


class JobError(ImpastoClientError):
    """A job, `operation`, has not what was asked of it."""


class JobUnknown(JobError, LookupError):
    """There is no job of that name: it never was, was deleted, or its time to be kept is over."""


class JobUnfinished(JobError):
    """The job has no result yet."""


class JobEnded(JobError):
    """The job has ended, and cannot be cancelled any more."""


class JobFailed(JobError):
    """The job could not be done.

    Attributes:
        field: the request's field that is at fault; empty where none is.
        reason: why.
    """

    def __init__(self, operation: str, field: str, reason: str, status: grpc.StatusCode) -> None:
        why = f"{field}: {reason}" if field else reason
        super().__init__(f"{operation} failed: {why}", status, operation)
        self.field = field
        self.reason = reason


class JobCancelled(JobError):
    """The job was cancelled before it was done."""


class Unauthenticated(ImpastoClientError):
    """The server does not know who calls: there was no token and no certificate, or none that is valid."""


class PermissionDenied(ImpastoClientError, PermissionError):
    """The caller may not do this.

    Attributes:
        role: that it would need; empty where the server did not say.
    """

    def __init__(self, message: str, role: str) -> None:
        super().__init__(message, grpc.StatusCode.PERMISSION_DENIED)
        self.role = role


class ServerBusy(ImpastoClientError):
    """The server has too much to do.

    Attributes:
        retry_after: seconds that it asks to wait before the next try, or None where it does not say.
    """

    def __init__(self, message: str, retry_after: float | None) -> None:
        super().__init__(message, grpc.StatusCode.RESOURCE_EXHAUSTED)
        self.retry_after = retry_after


class DeadlineExceeded(ImpastoClientError, TimeoutError):
    """The answer, or the end of a job, did not come in time.

    Where `operation` is set that job goes on: `Client.wait` and `Client.result` get what it makes.
    """


class ServerUnavailable(ImpastoClientError, ConnectionError):
    """The server cannot be reached, or is shutting down.

    Attributes:
        retry_after: seconds that a server which starts or stops asks to wait before the next try; None from any other.
        broken: whether there was a connection, and it broke.
    """

    retry_after: float | None = None
    broken: bool = False


class Unimplemented(ImpastoClientError, NotImplementedError):
    """The server cannot do this."""


class ServerFault(ImpastoClientError):
    """The server failed, and logged why.

    Attributes:
        id: what its log calls this failure; empty where it did not say.
    """

    def __init__(self, message: str, status: grpc.StatusCode, id: str) -> None:
        super().__init__(message, status)
        self.id = id

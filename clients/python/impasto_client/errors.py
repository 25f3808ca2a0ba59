"""Every error that the clients raise.

    ImpastoClientError          `status`, and the gRPC error, where there is one, as `__cause__`
    ├── InvalidRequest          a value that is not allowed: `field`, `reason`; found here or by the server
    │   ├── StyleUnknown        the server has no such style: `available`
    │   └── MessageTooLarge     the transport refused the photo, or the reply, for its size
    ├── ServerBusy              too much to do: `retry_after`
    ├── DeadlineExceeded        no answer in time
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
    """

    def __init__(self, message: str, status: grpc.StatusCode) -> None:
        super().__init__(message)
        self.status = status


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


class MessageTooLarge(InvalidRequest):
    """The server's transport refused the request for its size, or this one's the reply."""

    def __init__(self, reason: str) -> None:
        super().__init__("photo", reason, grpc.StatusCode.RESOURCE_EXHAUSTED)


class ServerBusy(ImpastoClientError):
    """The server has too much to do.

    Attributes:
        retry_after: seconds that it asks to wait before the next try, or None where it does not say.
    """

    def __init__(self, message: str, retry_after: float | None) -> None:
        super().__init__(message, grpc.StatusCode.RESOURCE_EXHAUSTED)
        self.retry_after = retry_after


class DeadlineExceeded(ImpastoClientError, TimeoutError):
    """The answer did not come in time."""


class ServerUnavailable(ImpastoClientError, ConnectionError):
    """The server cannot be reached, or is shutting down."""


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

"""From what gRPC refused a call with to what Connect tells: the same code, words and details."""

from __future__ import annotations

import grpc
from connectrpc.code import Code
from connectrpc.errors import ConnectError, ErrorDetail
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status
from protobuf.wkt import Any as AnyMessage

from impasto_server.errors import Overloaded
from impasto_server.rpc.statuses import code_of, status_of

_CODES = {code: Code(code.name.lower()) for code in grpc.StatusCode if code.name.lower() in {one.value for one in Code}}
_CODES[grpc.StatusCode.CANCELLED] = Code.CANCELED  # which is spelt so there


# All that asyncio's gRPC tells of a call that was refused before all of it had been sent: its own status is lost. Who
# may not call at all has been told so before, so it is a limit that it met.
_LOST = "Internal error from Core"
_AGAIN_AFTER = 1.0  # s


def refusal_of(error: grpc.aio.AioRpcError) -> ConnectError:
    """Return what to tell the browser."""
    if error.code() is grpc.StatusCode.INTERNAL and error.details() == _LOST:
        return _refused_unread()
    status = rpc_status.from_call(error)  # type: ignore[arg-type]
    return _refusal(error.code(), error.details() or "", status)


def refusal_by(status: Status, code: grpc.StatusCode) -> ConnectError:
    """Return what to tell the browser where the studio itself refuses something."""
    return _refusal(code, status.message, status)


def _refused_unread() -> ConnectError:
    status = status_of(Overloaded("the call was refused before it was read, as there is too much to do", _AGAIN_AFTER))
    assert status is not None
    return refusal_by(status, code_of(status))


def _refusal(code: grpc.StatusCode, message: str, status: Status | None) -> ConnectError:
    packed = status.details if status else ()
    details = [ErrorDetail(AnyMessage(type_url=one.type_url, value=one.value)) for one in packed]
    return ConnectError(_CODES.get(code, Code.UNKNOWN), message, details)

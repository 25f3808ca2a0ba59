"""From what gRPC refused a call with to what Connect tells: the same code, words and details."""

from __future__ import annotations

import grpc
from connectrpc.code import Code
from connectrpc.errors import ConnectError, ErrorDetail
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status
from protobuf.wkt import Any as AnyMessage

_CODES = {code: Code(code.name.lower()) for code in grpc.StatusCode if code.name.lower() in {one.value for one in Code}}
_CODES[grpc.StatusCode.CANCELLED] = Code.CANCELED  # which is spelt so there


def refusal_of(error: grpc.aio.AioRpcError) -> ConnectError:
    """Return what to tell the browser."""
    status = rpc_status.from_call(error)  # type: ignore[arg-type]
    return _refusal(error.code(), error.details() or "", status)


def refusal_by(status: Status, code: grpc.StatusCode) -> ConnectError:
    """Return what to tell the browser where the studio itself refuses something."""
    return _refusal(code, status.message, status)


def _refusal(code: grpc.StatusCode, message: str, status: Status | None) -> ConnectError:
    packed = status.details if status else ()
    details = [ErrorDetail(AnyMessage(type_url=one.type_url, value=one.value)) for one in packed]
    return ConnectError(_CODES.get(code, Code.UNKNOWN), message, details)

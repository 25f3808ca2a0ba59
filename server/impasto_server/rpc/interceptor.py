"""What surrounds every call: a request id, the answer to errors, one log line and one count."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from itertools import count
from time import perf_counter
from typing import Any
from uuid import uuid4

import grpc
from grpc_status import rpc_status

from impasto.logs import Log, forget_notes, note
from impasto_server.metrics import Metrics
from impasto_server.rpc.statuses import code_numbered, code_of, internal, reason_of_refusal, status_of

_OURS = ("/impasto.", "/google.longrunning.")  # of other services, such as health, the log would hold little else

# How far a caller's clock may run ahead of ours: its deadline reaches us rounded up by at most this share of it, and
# after this time.
_ROUNDING = 0.01
_LATENCY = 0.05  # s


class Interceptor(grpc.aio.ServerInterceptor):
    """Owns every error that leaves a method.

    The domain's are answered by the table in `statuses`. Any other is logged whole, and the caller is told an id to
    ask for. A caller that went away, or whose deadline passed, is no error.
    """

    def __init__(self, metrics: Metrics, log: Log) -> None:
        self._metrics = metrics
        self._log = log
        self._wrapped: dict[str, Any] = {}  # by method; made once, since every call of a method gets the same
        self._process = uuid4().hex[:16]
        self._numbers = count()

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        method = handler_call_details.method
        if method not in self._wrapped:
            handler = await continuation(handler_call_details)
            if handler is None:
                return None
            self._wrapped[method] = self._wrap(handler, method)
        return self._wrapped[method]

    def _wrap(self, handler: Any, method: str) -> Any:
        parse = handler.request_deserializer if handler.request_streaming else _boxed(handler.request_deserializer)
        match handler.request_streaming, handler.response_streaming:
            case False, False:
                wrap, call = grpc.unary_unary_rpc_method_handler, self._unary(method, _unboxed(handler.unary_unary))
            case False, True:
                wrap, call = grpc.unary_stream_rpc_method_handler, self._stream(method, _unboxed(handler.unary_stream))
            case True, False:
                wrap, call = grpc.stream_unary_rpc_method_handler, self._unary(method, handler.stream_unary)
            case _:
                wrap, call = grpc.stream_stream_rpc_method_handler, self._stream(method, handler.stream_stream)
        return wrap(call, parse, handler.response_serializer)

    def _unary(self, method: str, behaviour: Any) -> Any:
        async def call(request: Any, context: Any) -> Any:
            async with self._around(method, context):
                return await behaviour(request, context)

        return call

    def _stream(self, method: str, behaviour: Any) -> Any:
        async def call(request: Any, context: Any) -> AsyncIterator[Any]:
            async with self._around(method, context), aclosing(behaviour(request, context)) as responses:
                async for response in responses:
                    yield response

        return call

    @asynccontextmanager
    async def _around(self, method: str, context: Any) -> AsyncIterator[None]:
        begun = perf_counter()
        request_id = f"{self._process}{next(self._numbers):016x}"  # uuid4 asks the kernel, which takes its time
        forget_notes()
        note(request_id=request_id, method=method)
        code = grpc.StatusCode.OK
        try:
            yield
        except grpc.aio.AbortError:
            code = code_numbered(context.code())
            raise
        except (asyncio.CancelledError, GeneratorExit):
            code = _why_cut_off(context, perf_counter() - begun)
            self._metrics.cut_off(method, "deadline" if code is grpc.StatusCode.DEADLINE_EXCEEDED else "caller")
            raise
        except Exception as error:
            status = status_of(error)
            if status is None:
                self._log.error("unexpected error", exc_info=error)
                status = internal(request_id)
            else:
                note(error=status.message)
            if reason := reason_of_refusal(error):
                self._metrics.refused(method, reason)
            code = code_of(status)
            await context.abort_with_status(rpc_status.to_status(status))
        finally:
            self._metrics.called(method, code.name)
            write = self._log.info if method.startswith(_OURS) else self._log.debug
            write("call", code=code.name, ms=round((perf_counter() - begun) * 1e3, 1))


def _boxed(parse: Callable[[bytes], Any]) -> Callable[[bytes], list[Any]]:
    """Return what parses a request into a box: gRPC holds what it is given until the call ends."""
    return lambda raw: [parse(raw)]


def _unboxed(behaviour: Callable[[Any, Any], Any]) -> Callable[[list[Any], Any], Any]:
    """Return a method that takes its request out of the box, so that it alone decides how long to hold it."""
    return lambda box, context: behaviour(box.pop(), context)


def _why_cut_off(context: Any, lasted: float) -> grpc.StatusCode:
    """Tell a deadline that passed from a caller that went away; gRPC cancels the call for both.

    Args:
        context: of the call.
        lasted: s, from its start until it was cancelled.
    """
    left = context.time_remaining()
    late = left is not None and left <= _ROUNDING * lasted + _LATENCY
    return grpc.StatusCode.DEADLINE_EXCEEDED if late else grpc.StatusCode.CANCELLED

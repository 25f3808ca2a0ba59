"""What surrounds every call: a request id, the gate, the answer to errors, one log line and one count.

A request is read here, and not by gRPC before the method is called: so that nobody can make the server read an upload
who may not come in, and a caller that sends its request a byte at a time is not waited for without end.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from itertools import count
from time import perf_counter
from typing import Any
from uuid import uuid4

import grpc
from google.protobuf.message import DecodeError
from grpc_status import rpc_status

from impasto.errors import InvalidInput
from impasto.logs import Log, forget_notes, note
from impasto.tracing import OFF, Kind, Span, Tracing, use
from impasto_server.metrics import Metrics
from impasto_server.rpc import facts
from impasto_server.rpc.gate import Gate
from impasto_server.rpc.sent import TRACEPARENT, callers_id, sent_with
from impasto_server.rpc.statuses import code_numbered, code_of, internal, reason_of_refusal, status_of
from impasto_server.rpc.timing import waits_for_job
from impasto_server.rpc.transfers import Transfers

_Read = Callable[[str, AsyncIterator[Any], Any], Awaitable[Any]]
"""Makes what a method takes, of its name, and the messages and the context of its call."""

_Begin = Callable[[Mapping[str, Any]], Span]
"""Begins a call's span, of its metadata."""

_OURS = (  # of others, such as health, the log would hold little else
    "/impasto.",
    "/google.longrunning.",
    "/inference.GRPCInferenceService/Model",
    "/inference.GRPCInferenceService/Repository",
)

# How far a caller's clock may run ahead of ours: its deadline reaches us rounded up by at most this share of it, and
# after this time.
_ROUNDING = 0.01
_LATENCY = 0.05  # s


class Interceptor(grpc.aio.ServerInterceptor):
    """Owns every error that leaves a method.

    The domain's are answered by the table in `statuses`. Any other is logged whole, and the caller is told an id to
    ask for. A caller that went away, or whose deadline passed, is no error.
    """

    def __init__(self, metrics: Metrics, log: Log, gate: Gate, transfers: Transfers, tracing: Tracing) -> None:
        """Set up.

        Args:
            metrics: counts each call.
            log: one line for each call, and the story of unexpected errors.
            gate: what each call passes first.
            transfers: receives requests, and sends the answers of streams.
            tracing: of each call a span.
        """
        self._metrics = metrics
        self._log = log
        self._gate = gate
        self._transfers = transfers
        self._tracing = tracing
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
        """Return a handler that surrounds a method; to gRPC, every request is a stream."""
        behaviour = _behaviour(handler)
        read = _as_they_come if handler.request_streaming else self._received
        begin = self._beginning(method)
        if handler.response_streaming:
            wrap, call = grpc.stream_stream_rpc_method_handler, self._stream(method, begin, read, behaviour)
        else:
            wrap, call = grpc.stream_unary_rpc_method_handler, self._unary(method, begin, read, behaviour)
        return wrap(call, _parsing(handler.request_deserializer), handler.response_serializer)

    def _unary(self, method: str, begin: _Begin, read: _Read, behaviour: Any) -> Any:
        async def call(requests: AsyncIterator[Any], context: Any) -> Any:
            begun = perf_counter()
            async with self._around(method, begin, context):
                # which alone decides how long to hold it
                answer = await behaviour(await read(method, requests, context), context)
            if not waits_for_job():
                self._metrics.took(method, perf_counter() - begun)
            return answer

        return call

    def _stream(self, method: str, begin: _Begin, read: _Read, behaviour: Any) -> Any:
        async def call(requests: AsyncIterator[Any], context: Any) -> None:
            async with (
                self._around(method, begin, context),
                aclosing(behaviour(await read(method, requests, context), context)) as responses,
            ):
                begun = False
                async for response in responses:
                    if not begun:  # or gRPC would send it again with the status, if this answer got stuck
                        await context.send_initial_metadata(())
                        begun = True
                    await self._transfers.send(context, response)

        return call

    async def _received(self, method: str, _: AsyncIterator[Any], context: Any) -> Any:
        return await self._transfers.receive(method, context)

    def _beginning(self, method: str) -> _Begin:
        """Return what begins the spans of a method's calls."""
        tracing = self._tracing if method.startswith(_OURS) else OFF
        _, service, name = method.split("/")
        known = {"rpc.system": "grpc", "rpc.service": service, "rpc.method": name}

        def begin(sent: Mapping[str, Any]) -> Span:
            parent = sent.get(TRACEPARENT, "")
            return tracing.begin(f"{service}/{name}", kind=Kind.SERVER, traceparent=parent, facts=known)

        return begin

    @asynccontextmanager
    async def _around(self, method: str, begin: _Begin, context: Any) -> AsyncIterator[None]:
        begun = perf_counter()
        request_id = f"{self._process}{next(self._numbers):016x}"  # uuid4 asks the kernel, which takes its time
        sent = sent_with(context)
        span = begin(sent)
        use(span)
        forget_notes()
        note(request_id=request_id, method=method, **callers_id(sent), **span.notes)
        code = grpc.StatusCode.OK
        try:
            with self._gate.enter(method, context):
                yield
        except grpc.aio.AbortError:
            code = code_numbered(context.code())
            raise
        except (asyncio.CancelledError, GeneratorExit):
            code = _why_cut_off(context, perf_counter() - begun)
            self._metrics.cut_off(method, _by_whom(code))
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
            span.tell(lambda: {"rpc.grpc.status_code": code.value[0], **facts.of_notes()})
            span.end(failed=code in facts.FAULTS)


def _behaviour(handler: Any) -> Any:
    """Return the method behind a handler."""
    return handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream


def _parsing(deserialize: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """Return what parses a request, and calls one that does not parse the caller's mistake."""

    def parse(data: bytes) -> Any:
        try:
            return deserialize(data)
        except DecodeError:
            raise InvalidInput("request", "is not a message of the type that this method takes; send that") from None

    return parse


async def _as_they_come(_: str, requests: AsyncIterator[Any], __: Any) -> AsyncIterator[Any]:
    return requests


def _by_whom(code: grpc.StatusCode) -> str:
    """Return who cut off the call that the current task serves, as metrics name it."""
    if code is not grpc.StatusCode.DEADLINE_EXCEEDED:
        return "caller"
    return "job" if waits_for_job() else "deadline"


def _why_cut_off(context: Any, lasted: float) -> grpc.StatusCode:
    """Tell a deadline that passed from a caller that went away; gRPC cancels the call for both.

    Args:
        context: of the call.
        lasted: s, from its start until it was cancelled.
    """
    left = context.time_remaining()
    late = left is not None and left <= _ROUNDING * lasted + _LATENCY
    return grpc.StatusCode.DEADLINE_EXCEEDED if late else grpc.StatusCode.CANCELLED

"""A real gRPC server on loopback, whose answers a test writes, and both clients to call it with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event
from typing import Any, NoReturn

import grpc
from google.protobuf.any_pb2 import Any as Packed
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from impasto.v1 import stylizer_pb2 as pb
from impasto.v1.stylizer_pb2_grpc import StylizerServicer, add_StylizerServicer_to_server
from impasto_client import AsyncClient, Client, Stylized


@dataclass
class Call:
    """One try of a call, as it reached the server.

    Attributes:
        number: 1 for the first.
        released: set when the server is being stopped; what waits for ever waits for this.
    """

    number: int
    request: Any
    context: grpc.ServicerContext
    released: Event

    def fail(self, code: grpc.StatusCode, message: str = "", *details: Message) -> NoReturn:
        """End this try with an error."""
        packed = [Packed() for _ in details]
        for box, detail in zip(packed, details, strict=True):
            box.Pack(detail)
        status = Status(code=code.value[0], message=message, details=packed)
        self.context.abort_with_status(rpc_status.to_status(status))
        raise AssertionError


Answer = Callable[[Call], Any]


@dataclass
class Server:
    """What a test sees of the server: where it is, and every try that reached it."""

    target: str
    calls: list[Call] = field(default_factory=list)


class _Servicer(StylizerServicer):
    def __init__(self, answer: Answer, calls: list[Call], released: Event) -> None:
        self._answer = answer
        self._calls = calls
        self._released = released

    def Stylize(self, request: pb.StylizeRequest, context: grpc.ServicerContext) -> Any:
        return self._reply(request, context)

    def ListStyles(self, request: pb.ListStylesRequest, context: grpc.ServicerContext) -> Any:
        return self._reply(request, context)

    def GetStyle(self, request: pb.GetStyleRequest, context: grpc.ServicerContext) -> Any:
        return self._reply(request, context)

    def _reply(self, request: Message, context: grpc.ServicerContext) -> Any:
        call = Call(len(self._calls) + 1, request, context, self._released)
        self._calls.append(call)
        return self._answer(call)


@contextmanager
def serving(answer: Answer) -> Iterator[Server]:
    """Run a server that gives every call to `answer`."""
    released = Event()
    calls: list[Call] = []
    with ThreadPoolExecutor(4) as threads:
        server = grpc.server(threads, options=[("grpc.max_receive_message_length", -1), ("grpc.so_reuseport", 0)])
        add_StylizerServicer_to_server(_Servicer(answer, calls, released), server)  # type: ignore[no-untyped-call]
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield Server(f"127.0.0.1:{port}", calls)
        finally:
            released.set()
            server.stop(None).wait()


def stylize_sync(target: str, photo: bytes = b"photo", style: Any = "ink", **options: Any) -> Stylized:
    with Client(target) as client:
        return client.stylize(photo, style, **options)


def stylize_async(target: str, photo: bytes = b"photo", style: Any = "ink", **options: Any) -> Stylized:
    async def stylize() -> Stylized:
        async with AsyncClient(target) as client:
            return await client.stylize(photo, style, **options)

    return asyncio.run(stylize())


def echo(call: Call) -> pb.StylizeResponse:
    """Answer with the photo, as if it had been painted."""
    return pb.StylizeResponse(
        image=call.request.image,
        format=call.request.format or pb.IMAGE_FORMAT_JPEG,
        size=pb.Size(width=64, height=48),
        working_size=pb.Size(width=32, height=24),
        stage_times=pb.StageTimes(decode=Duration(nanos=5_000_000), engine=Duration(seconds=1, nanos=500_000_000)),
    )


def bad_request(field: str, reason: str) -> BadRequest:
    return BadRequest(field_violations=[BadRequest.FieldViolation(field=field, description=reason)])


def error_info(reason: str, **metadata: str) -> ErrorInfo:
    return ErrorInfo(domain="impasto", reason=reason, metadata=metadata)


def retry_in(seconds: float) -> RetryInfo:
    info = RetryInfo()
    info.retry_delay.FromNanoseconds(int(seconds * 1e9))
    return info

"""A real gRPC server on loopback, whose answers a test writes, and both clients to call it with."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from threading import Event
from typing import Any, NoReturn

import grpc
import pytest
from google.longrunning.operations_pb2_grpc import OperationsServicer, add_OperationsServicer_to_server
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
        method: its name: `Stylize`.
        number: 1 for the first, of any method.
        released: set when the server is being stopped; what waits for ever waits for this.
    """

    method: str
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
    """What a test sees of the server.

    Attributes:
        target: where it is.
        stop: ends it at once, with every call that is under way.
        calls: every try that reached it.
    """

    target: str
    stop: Callable[[], None]
    calls: list[Call] = field(default_factory=list)

    @property
    def port(self) -> int:
        return int(self.target.rpartition(":")[2])

    def requests(self, method: str) -> list[Any]:
        """Return what the tries of a method have asked for."""
        return [call.request for call in self.calls if call.method == method]


class _Servicer(StylizerServicer, OperationsServicer):  # type: ignore[misc]
    """Gives every call of every method to the test's answer."""

    def __init__(self, answer: Answer, calls: list[Call], released: Event) -> None:
        self._answer = answer
        self._calls = calls
        self._released = released

    def __getattribute__(self, name: str) -> Any:
        return partial(self._reply, name) if name[0].isupper() else super().__getattribute__(name)

    def _reply(self, method: str, request: Message, context: grpc.ServicerContext) -> Any:
        call = Call(method, len(self._calls) + 1, request, context, self._released)
        self._calls.append(call)
        return self._answer(call)


@contextmanager
def serving(answer: Answer, port: int = 0, credentials: grpc.ServerCredentials | None = None) -> Iterator[Server]:
    """Run a server that gives every call to `answer`.

    Args:
        port: to listen on; a free one by default.
        credentials: for TLS.
    """
    released = Event()
    calls: list[Call] = []
    with ThreadPoolExecutor(8) as threads:
        options = [
            ("grpc.max_receive_message_length", -1),
            ("grpc.so_reuseport", 0),
            ("grpc.http2.min_ping_interval_without_data_ms", 500),
        ]
        server = grpc.server(threads, options=options)
        servicer = _Servicer(answer, calls, released)
        add_StylizerServicer_to_server(servicer, server)  # type: ignore[no-untyped-call]
        add_OperationsServicer_to_server(servicer, server)
        address = f"127.0.0.1:{port}"
        bound = server.add_secure_port(address, credentials) if credentials else server.add_insecure_port(address)
        server.start()

        def stop() -> None:
            released.set()
            server.stop(None).wait()

        try:
            yield Server(f"127.0.0.1:{bound}", stop, calls)
        finally:
            stop()


class BlockingClient:
    """The asyncio client, called as the synchronous one is, so that one test tells the same of both."""

    def __init__(self, target: str, **options: Any) -> None:
        self._runner = asyncio.Runner()
        try:
            self._client = self._runner.run(_made(target, options))
        except BaseException:
            self._runner.close()
            raise
        self._iterations: list[Generator[Any, None, None]] = []

    def __getattr__(self, method: str) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            result = getattr(self._client, method)(*arguments, **options)
            if not isinstance(result, AsyncGenerator):
                return self._runner.run(result)
            self._iterations.append(self._iterate(result))
            return self._iterations[-1]

        return call

    def __enter__(self) -> BlockingClient:
        return self

    def __exit__(self, *_: object) -> None:
        for iteration in self._iterations:
            iteration.close()
        self._runner.run(self._client.close())
        self._runner.close()

    def _iterate(self, items: AsyncGenerator[Any, None]) -> Generator[Any, None, None]:
        try:
            while True:
                try:
                    yield self._runner.run(anext(items))
                except StopAsyncIteration:
                    return
        finally:
            self._runner.run(items.aclose())


async def _made(target: str, options: dict[str, Any]) -> AsyncClient:
    return AsyncClient(target, **options)


both_clients = pytest.mark.parametrize("connect", [Client, BlockingClient])


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

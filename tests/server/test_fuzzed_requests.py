"""Whatever message is sent to a method, its answer is one that the API documents, and the server goes on as before."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.longrunning import operations_pb2 as lro
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from impasto.inference import open_inference_pb2 as inference
from impasto.v1 import admin_pb2
from impasto.v1 import stylizer_pb2 as pb
from tests.server.inference.support import request as infer_request
from tests.server.job_support import request_of, serving_jobs
from tests.server.support import photo
from tests.support import gradient

fuzzing = settings(
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
PATIENCE = 60.0  # s, for an answer
HELD = 0.2  # s, after which a call that waits by its nature is given up

SERVICES = [
    pb.DESCRIPTOR.services_by_name["Stylizer"],
    lro.DESCRIPTOR.services_by_name["Operations"],
    health_pb2.DESCRIPTOR.services_by_name["Health"],
    admin_pb2.DESCRIPTOR.services_by_name["Admin"],
]
INFERENCE = inference.DESCRIPTOR.services_by_name["GRPCInferenceService"].methods_by_name
METHODS = [
    *(method for service in SERVICES for method in service.methods),
    *(INFERENCE[name] for name in ("ModelInfer", "ModelStreamInfer", "ModelStatistics")),
]
WAITING = ("WaitOperation", "Watch", "WatchStylization", "Stylize", "StylizeStream")

DOCUMENTED = {
    grpc.StatusCode.OK,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.ALREADY_EXISTS,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.OUT_OF_RANGE,
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
}
OF_ADMIN = {grpc.StatusCode.UNAVAILABLE}  # a source that cannot be reached

SOUND: dict[str, Message] = {
    message.DESCRIPTOR.name: message
    for message in (
        pb.StylizeRequest(image=photo(), style_id="ink"),
        pb.CreateStylizationRequest(stylize=request_of()),
        pb.StylizeStreamItem(id="1", request=pb.StylizeRequest(image=photo(), style_id="ink")),
        infer_request(("image", [photo()]), ("style", [b"ink"])),
        infer_request(("pixels_uint8", gradient()[None])).inputs[0],
    )
}

# Messages of any type, by its descriptor

DEPTH = 4  # messages in messages
EXTREMES = {
    "int32": [0, 1, -1, 2**31 - 1, -(2**31)],
    "uint32": [0, 1, 2**32 - 1],
    "int64": [0, 1, -1, 2**63 - 1, -(2**63)],
    "uint64": [0, 1, 2**64 - 1],
}
NUMBERS = {
    FieldDescriptor.TYPE_INT32: "int32",
    FieldDescriptor.TYPE_UINT32: "uint32",
    FieldDescriptor.TYPE_INT64: "int64",
    FieldDescriptor.TYPE_UINT64: "uint64",
    FieldDescriptor.TYPE_ENUM: "int32",
}
REALS = st.sampled_from([0.0, -0.0, 0.5, 1.0, -1.0, 1e-30, 1e30, math.inf, -math.inf, math.nan])
NAMES = [
    "",
    "ink",
    "test",
    "image",
    "pixels",
    "strength",
    "BYTES",
    "UINT8",
    "test/ink",
    "operations",
    "operations/",
    "stylizations/-",
    "../../etc/passwd",
    "\0",
    "%s{}",
]
LONG = ["a" * 9000, "\N{GRINNING FACE}" * 2500, "\n" * 1000]
TEXTS = st.sampled_from(NAMES) | st.text(max_size=20) | st.sampled_from(LONG)
PICTURES = [b"", photo(), photo()[:100], photo(17, 16), b"\xff\xd8\xff" + bytes(1000)]
DATA = st.sampled_from(PICTURES) | st.binary(max_size=50)


def values(field: Any, depth: int) -> st.SearchStrategy[Any]:
    """Return values of a field."""
    if field.type in NUMBERS:
        kind = NUMBERS[field.type]
        known = [value.number for value in field.enum_type.values] if field.enum_type else []
        return st.sampled_from([*known, *EXTREMES[kind]]) | st.integers(0, 3000)
    match field.type:
        case FieldDescriptor.TYPE_STRING:
            return TEXTS
        case FieldDescriptor.TYPE_BYTES:
            return DATA
        case FieldDescriptor.TYPE_BOOL:
            return st.booleans()
        case FieldDescriptor.TYPE_MESSAGE:
            return messages(field.message_type, depth - 1)
    return REALS


@st.composite
def messages(draw: st.DrawFn, descriptor: Descriptor, depth: int = DEPTH) -> Message:
    """Return a message in which each field may be set, to anything that its type allows; some are sound otherwise."""
    message = GetMessageClass(descriptor)()
    if descriptor.name in SOUND and draw(st.booleans()):
        message.CopyFrom(SOUND[descriptor.name])
    for field in draw(st.lists(st.sampled_from(list(descriptor.fields)), max_size=6)) if descriptor.fields else ():
        if depth <= 0 and field.message_type:
            continue
        if field.message_type and field.message_type.GetOptions().map_entry:
            for entry in draw(st.lists(messages(field.message_type, depth - 1), max_size=3)):
                getattr(message, field.name)[entry.key].CopyFrom(entry.value)  # type: ignore[attr-defined]
        elif field.is_repeated:
            value = draw(st.lists(values(field, depth), max_size=3))
            getattr(message, field.name).extend(value * draw(st.sampled_from([1, 1, 1, 300])))
        elif field.message_type:
            getattr(message, field.name).CopyFrom(draw(values(field, depth)))
        else:
            setattr(message, field.name, draw(values(field, depth)))
    return message


@st.composite
def requests(draw: st.DrawFn, method: MethodDescriptor) -> bytes:
    """Return a request of a method, now and then one that is damaged, or no message at all."""
    data = draw(messages(method.input_type)).SerializeToString()
    match draw(st.sampled_from(["whole", "whole", "whole", "cut", "changed", "garbage", "nested"])):
        case "cut":
            return data[: draw(st.integers(0, len(data)))]
        case "changed":
            at = draw(st.integers(0, len(data)))
            return data[:at] + draw(st.binary(max_size=4)) + data[at + 1 :]
        case "garbage":
            return draw(st.binary(max_size=200))
        case "nested":
            return nested(draw(st.integers(1, 15)), draw(st.integers(1, 2000)))
    return data


def nested(number: int, depth: int) -> bytes:
    """Return a message whose field of this number holds another one, and so on."""
    data = b""
    for _ in range(depth):
        data = bytes((number << 3 | 2, *varint(len(data)))) + data
    return data


def varint(number: int) -> bytes:
    parts = []
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*parts, number))


# The server


@dataclass
class Answer:
    """How a call ended."""

    code: grpc.StatusCode
    message: str | None


class Fuzzed:
    """A server, and raw calls to it. By a blocking client, as grpcio's other one loses the status of a stream that the
    server has ended while it was still sending."""

    def __init__(self, everyone: grpc.Channel, admin: grpc.Channel) -> None:
        self._everyone = everyone
        self._admin = admin

    def ask(self, method: MethodDescriptor, data: Sequence[bytes]) -> Answer:
        """Call a method with these messages, and take what comes."""
        channel: Any = self._admin if method.containing_service.name == "Admin" else self._everyone
        path = f"/{method.containing_service.full_name}/{method.name}"
        timeout = HELD if method.name in WAITING else PATIENCE
        call = channel.stream_stream(path)(iter(data), timeout=timeout)
        try:
            for _ in call:
                pass
        except grpc.RpcError:
            pass
        return Answer(call.code(), call.details())


@asynccontextmanager
async def fuzzed(folder: Path) -> AsyncIterator[Fuzzed]:
    """Serve, and see afterwards that the server paints as before, and that nothing has surprised it."""
    async with serving_jobs(folder, store=False, admin="127.0.0.1:0", job_queue_limit=100_000) as served:
        await served.create()
        addresses = str(served.server.address), str(served.server.admin_address)
        with grpc.insecure_channel(addresses[0]) as everyone, grpc.insecure_channel(addresses[1]) as admin:
            yield Fuzzed(everyone, admin)
        response = await served.stylize()
        surprises = [line for line in served.lines if line["event"] == "unexpected error"]
    assert response.image
    assert not surprises, surprises[0]


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
async def test_every_request_has_an_answer_that_is_documented(method: MethodDescriptor, tmp_path: Path) -> None:
    documented = DOCUMENTED | (OF_ADMIN if method.containing_service.name == "Admin" else set())

    async with fuzzed(tmp_path) as server:

        @fuzzing
        @given(st.lists(requests(method), min_size=1, max_size=4 if method.client_streaming else 1))
        def check(data: list[bytes]) -> None:
            answer = server.ask(method, data)

            assert answer.code in documented, answer
            if answer.code is not grpc.StatusCode.OK:
                assert answer.message
                assert len(answer.message.splitlines()) == 1, answer.message
                assert len(answer.message) < 5000

        await asyncio.to_thread(check)


@pytest.mark.parametrize("sent", LONG, ids=["long", "of four bytes each", "line breaks"])
@pytest.mark.parametrize("name", ["GetStyle", "GetOperation", "UnloadBundle", "LoadBundle"])
async def test_what_a_caller_sent_comes_back_cut_short_and_on_one_line(name: str, sent: str, tmp_path: Path) -> None:
    (method,) = (method for method in METHODS if method.name == name)
    field = method.input_type.fields[0].name
    request = GetMessageClass(method.input_type)(**{field: sent})

    async with fuzzed(tmp_path) as server:
        answer = await asyncio.to_thread(server.ask, method, [request.SerializeToString()])

    assert answer.code is not grpc.StatusCode.RESOURCE_EXHAUSTED  # too long for a client to receive
    assert len((answer.message or "").splitlines()) == 1

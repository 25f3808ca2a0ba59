"""Uploads of browsers: none is larger, slower or beside more others than memory is for, and strangers' are not read."""

from __future__ import annotations

import asyncio
import base64
import gzip
import io
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from google.rpc.error_details_pb2 import ErrorInfo

from impasto.v1 import stylizer_pb2 as pb
from impasto_server.identity.tokens import new_token
from tests.credentials import caller, write_callers
from tests.server.studio.support import ON, PATIENCE, http, post, until
from tests.server.support import Served, photo, serving
from tests.support import fake_bundle

MEBIBYTE = 2**20


@asynccontextmanager
async def half_sent(
    served: Served,
    method: str = "Stylize",
    length: int = MEBIBYTE,
    source: str = "127.0.0.1",
    kind: str = "application/proto",
) -> AsyncIterator[asyncio.StreamReader]:
    """Begin a request of so many bytes and send all but the last; yield what its answer is read from."""
    address = served.server.studio_address
    assert address
    reader, writer = await asyncio.open_connection(*address, local_addr=(source, 0))
    head = (
        f"POST /impasto.v1.Stylizer/{method} HTTP/1.1\r\nhost: {address}\r\n"
        f"content-type: {kind}\r\ncontent-length: {length}\r\n\r\n"
    )
    writer.write(head.encode() + bytes(length - 1))
    await writer.drain()
    try:
        yield reader
    finally:
        writer.close()


async def status_of(reader: asyncio.StreamReader) -> int:
    async with asyncio.timeout(PATIENCE):
        line = await reader.readline()
    return int(line.split()[1])


def reason_in(error: Any) -> str:
    value = next(one["value"] for one in error["details"] if one["type"] == ErrorInfo.DESCRIPTOR.full_name)
    reason: str = ErrorInfo.FromString(base64.b64decode(value + "==")).reason
    return reason


def stylize() -> bytes:
    return pb.StylizeRequest(image=photo(), style_id="ink").SerializeToString()


async def test_a_request_that_is_too_large_is_told_how_large_it_may_be(tmp_path: Path) -> None:
    async def in_pieces() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield bytes(MEBIBYTE)

    async with serving(fake_bundle(tmp_path / "b"), max_message_bytes=4 * MEBIBYTE, **ON) as served, http() as session:
        for data in (io.BytesIO(bytes(5 * MEBIBYTE)), in_pieces()):
            status, error = await post(session, served.server, "Stylize", data)
            assert (status, error["code"], reason_in(error)) == (429, "resource_exhausted", "REQUEST_TOO_LARGE")
            assert f"larger than the {4 * MEBIBYTE} bytes" in error["message"]
        assert (await post(session, served.server, "Stylize", stylize()))[0] == 200
        page = (await served.get("/metrics"))[1]
    refused = [line for line in served.lines if line["event"] == "call" and line["code"] == "RESOURCE_EXHAUSTED"]
    assert [line["caller"] for line in refused] == ["browser 127.0.0.1"] * 2
    assert 'impasto_rejections_total{method="/impasto.v1.Stylizer/Stylize",reason="REQUEST_TOO_LARGE"} 2.0' in page


async def test_a_request_without_pictures_is_small(tmp_path: Path) -> None:
    async with serving(fake_bundle(tmp_path / "b"), **ON) as served, http() as session:
        status, error = await post(session, served.server, "GetStyle", bytes(100_000))
        assert (status, reason_in(error)) == (429, "REQUEST_TOO_LARGE")


async def test_a_request_in_json_is_small(tmp_path: Path) -> None:
    async with serving(fake_bundle(tmp_path / "b"), **ON) as served, http() as session:
        for image, expected in ((photo(), 200), (bytes(100_000), 429)):
            data = json.dumps({"styleId": "ink", "image": base64.b64encode(image).decode()})
            status, _ = await post(session, served.server, "Stylize", data, **{"content-type": "application/json"})
            assert status == expected


async def test_nothing_is_unpacked(tmp_path: Path) -> None:
    async with serving(fake_bundle(tmp_path / "b"), **ON) as served, http() as session:
        packed = gzip.compress(bytes(MEBIBYTE))
        status, error = await post(session, served.server, "Stylize", packed, **{"content-encoding": "gzip"})
        assert (status, error["code"]) == (501, "unimplemented")


async def test_a_request_that_does_not_arrive_in_time_is_given_up(tmp_path: Path) -> None:
    async with (
        serving(fake_bundle(tmp_path / "b"), receive_seconds=0.3, **ON) as served,
        half_sent(served) as photo,
        half_sent(served, "ListStyles", 100) as question,
    ):
        assert [await status_of(photo), await status_of(question)] == [504, 504]


async def test_one_address_leaves_turns_to_others(tmp_path: Path) -> None:
    async with serving(fake_bundle(tmp_path / "b"), max_uploads=4, **ON) as served, AsyncExitStack() as uploads:
        for _ in range(6):
            await uploads.enter_async_context(half_sent(served, source="127.0.0.2"))
        studio: Any = served.server._studio
        await until(lambda: studio._uploads._turns.in_flight == 3)
        async with http() as session, http("127.0.0.2") as same:
            assert (await post(session, served.server, "Stylize", stylize()))[0] == 200
            assert (await post(same, served.server, "ListStyles"))[0] == 200  # which is no upload


async def test_a_turn_that_does_not_come_is_told(tmp_path: Path) -> None:
    async with (
        serving(fake_bundle(tmp_path / "b"), max_uploads=1, receive_seconds=0.5, **ON) as served,
        half_sent(served, source="127.0.0.2") as first,
        half_sent(served, source="127.0.0.2") as second,
        half_sent(served, source="127.0.0.2") as third,
    ):
        assert 504 in [await status_of(upload) for upload in (first, second, third)]
        refused = {line["code"] for line in served.lines if line["event"] == "call"}
    assert refused == {"DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED"}


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("application/proto", (401, "unauthenticated")),
        ("application/json", (401, "unauthenticated")),
        ("application/grpc-web+proto", (200, "grpc-status: 16")),
    ],
)
async def test_of_a_stranger_no_photo_is_read(tmp_path: Path, kind: str, answer: tuple[int, str]) -> None:
    file = write_callers(tmp_path / "callers.toml", caller("web", new_token()))
    async with serving(fake_bundle(tmp_path / "b"), callers_file=file, **ON) as served:
        async with half_sent(served, kind=kind) as reader, asyncio.timeout(PATIENCE):
            assert await status_of(reader) == answer[0]
            assert await reader.readuntil(answer[1].encode())
        (line,) = [line for line in served.lines if line["event"] == "call"]
    assert (line["code"], line["peer"], line["why"]) == ("UNAUTHENTICATED", "browser 127.0.0.1", "no token")
    assert "caller" not in line

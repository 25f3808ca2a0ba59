"""The back end of the Python client's example, asked as a browser or another service would."""

from __future__ import annotations

import runpy
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from grpc import StatusCode

from impasto.v1 import stylizer_pb2 as pb
from tests.client.servers import Call, Server, echo, error_info, retry_in, serving

EXAMPLE = Path(__file__).parents[2] / "clients" / "python" / "examples" / "backend.py"


@asynccontextmanager
async def backend(server: Server) -> AsyncIterator[TestClient[Any, Any]]:
    application = runpy.run_path(str(EXAMPLE))["application"]
    async with TestClient(TestServer(application(server.target))) as client:
        yield client


async def test_an_upload_is_painted() -> None:
    with serving(echo) as server:
        async with backend(server) as client, client.post("/paint?style=ink&strength=0.5", data=b"photo") as answer:
            painted = await answer.read()
        (request,) = server.requests("Stylize")

    assert (answer.status, answer.content_type, painted) == (200, "image/jpeg", b"photo")
    assert (request.style_id, request.strength) == ("ink", 0.5)


async def test_the_styles_are_listed() -> None:
    style = pb.Style(style_id="starter/ink", title="Ink", artist="Sesshu")
    with serving(lambda _: pb.ListStylesResponse(styles=[style])) as server:
        async with backend(server) as client, client.get("/styles") as answer:
            assert await answer.json() == [{"id": "starter/ink", "title": "Ink", "artist": "Sesshu"}]


@pytest.mark.parametrize(
    ("query", "photo", "status", "text"),
    [
        ("", b"", 400, "photo: is empty"),
        ("?strength=much", b"photo", 400, "strength: is no number; give 0 to 1"),
        ("?style=nobody", b"photo", 404, "style: no style"),
        ("?style=busy", b"photo", 503, "is busy: full"),
    ],
)
async def test_what_cannot_be_painted_is_told_as_http_says_it(query: str, photo: bytes, status: int, text: str) -> None:
    def refuses(call: Call) -> Any:
        if call.request.style_id == "busy":
            call.fail(StatusCode.RESOURCE_EXHAUSTED, "full", retry_in(100))
        call.fail(StatusCode.NOT_FOUND, "no style", error_info("STYLE_NOT_FOUND"))

    with serving(refuses) as server:
        async with backend(server) as client, client.post(f"/paint{query}", data=photo) as answer:
            said = await answer.text()

    assert answer.status == status
    assert text in said
    assert answer.headers.get("Retry-After") == ("100" if status == 503 else None)


async def test_an_upload_that_is_too_large_is_refused() -> None:
    with serving(echo) as server:
        async with backend(server) as client, client.post("/paint", data=BytesIO(bytes(21 * 2**20))) as answer:
            assert answer.status == 413
        assert server.calls == []

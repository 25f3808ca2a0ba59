"""Calls of browsers: the same answers as over gRPC, the same errors, and everything that surrounds a call there."""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from connectrpc.code import Code
from connectrpc.protocol import ProtocolType
from google.rpc.error_details_pb2 import BadRequest, RetryInfo

from impasto import images
from impasto.v1 import stylizer_pb2 as pb
from impasto.v1.stylizer_pb2_grpc import StylizerStub
from impasto_server.identity.tokens import new_token
from tests.credentials import caller, write_callers
from tests.deploy.grpc_web import Page, parsed
from tests.server.studio.support import ON, Browser, detail, http, post, reason, refusal, until, url
from tests.server.support import Held, Served, photo, serving
from tests.server.support import refusal as refusal_over_grpc
from tests.support import fake_bundle


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with serving(fake_bundle(tmp_path / "b"), **ON) as served:
        yield served


def request_of(**fields: Any) -> pb.StylizeRequest:
    return pb.StylizeRequest(**{"image": photo(), "style_id": "ink", "format": pb.IMAGE_FORMAT_PNG, **fields})


def calls(served: Served) -> list[dict[str, Any]]:
    return [line for line in served.lines if line["event"] == "call"]


@pytest.mark.parametrize("protocol", [ProtocolType.CONNECT, ProtocolType.GRPC_WEB])
async def test_a_browser_gets_what_a_caller_over_grpc_gets(served: Served, protocol: ProtocolType) -> None:
    browser = Browser(served.server, protocol)
    listed = await browser.call("ListStyles", pb.ListStylesRequest(include_thumbnails=True))
    assert listed == await served.stub.ListStyles(pb.ListStylesRequest(include_thumbnails=True))
    painted = await browser.call("Stylize", request_of())
    assert painted.image == (await served.stylize()).image


async def test_a_page_that_speaks_grpc_web_is_served(served: Served) -> None:

    address = str(served.server.studio_address)
    answer = await asyncio.to_thread(Page(address, url(served.server)).call, "ListStyles", pb.ListStylesRequest())
    assert len(parsed(pb.ListStylesResponse, answer).styles) == 2


async def test_json_will_do_where_there_is_no_protobuf(served: Served) -> None:
    kind = {"content-type": "application/json"}
    async with http() as session:
        sent = json.dumps({"name": "bundles/test/styles/ink"})
        status, style = await post(session, served.server, "GetStyle", sent, **kind)
        assert (status, style["styleId"], style["title"]) == (200, "test/ink", "Ink")
        status, error = await post(
            session, served.server, "GetStyle", "{nonsense", **{"content-type": "application/json"}
        )
        assert (status, error["code"]) == (400, "invalid_argument")


async def test_an_error_has_the_code_the_words_and_the_details_that_grpc_gives(served: Served) -> None:
    browser = Browser(served.server)
    error = await refusal(browser.call("Stylize", request_of(image=b"no picture")))
    assert (error.code, reason(error)) == (Code.INVALID_ARGUMENT, "UNREADABLE_IMAGE")
    assert [violation.field for violation in detail(error, BadRequest).field_violations] == ["image"]
    error = await refusal(browser.call("Stylize", request_of(style_id="nope")))
    assert (error.code, reason(error)) == (Code.NOT_FOUND, "STYLE_NOT_FOUND")
    assert "nope" in error.message


async def test_what_is_no_message_is_told(served: Served) -> None:
    async with http() as session:
        status, error = await post(session, served.server, "Stylize", b"\xff\xff\xff")
    assert (status, error["code"]) == (400, "invalid_argument")
    assert "is not a message of the type" in error["message"]


async def test_a_method_that_browsers_cannot_call_or_nobody_has_is_not_there(served: Served) -> None:
    for path in ("/impasto.v1.Stylizer/StylizeStream", "/impasto.v1.Stylizer/Nope", "/impasto.v1.Admin/ListBundles"):
        async with http() as session, session.post(url(served.server, path), data=b"") as response:
            assert response.status == 405, path
    assert not calls(served)


async def test_a_kind_of_body_that_is_not_taken_is_refused(served: Served) -> None:
    async with http() as session:
        for kind in ("application/grpc+proto", "application/grpc", "text/plain", "multipart/form-data; boundary=x"):
            assert (await post(session, served.server, "ListStyles", b"", **{"content-type": kind}))[0] == 415
    assert not calls(served)


async def test_a_call_cannot_be_a_link(served: Served) -> None:
    path = "/impasto.v1.Stylizer/ListStyles?connect=v1&encoding=json&message=%7B%7D"
    async with http() as session, session.get(url(served.server, path)) as response:
        assert (response.status, response.headers["allow"]) == (405, "POST")


async def test_each_call_is_counted_and_logged_once_in_the_name_of_its_browser(served: Served) -> None:
    await Browser(served.server, x_request_id="abc").call("Stylize", request_of())
    (line,) = calls(served)
    assert (line["caller"], line["code"], line["style"]) == ("browser 127.0.0.1", "OK", "test/ink")
    assert line["caller_request_id"] == "abc"
    page = (await served.get("/metrics"))[1]
    assert 'impasto_requests_total{code="OK",method="/impasto.v1.Stylizer/Stylize"} 1.0' in page


async def test_nobody_passes_for_a_browser(served: Served) -> None:
    for said in ("127.0.0.9", " 127.0.0.9", "secret 127.0.0.9"):
        await served.stub.ListStyles(pb.ListStylesRequest(), metadata=(("impasto-browser", said),))
    await Browser(served.server, impasto_browser="x 127.0.0.9").call("ListStyles", pb.ListStylesRequest())
    assert [line.get("caller") for line in calls(served)] == ["anonymous"] * 3 + ["browser 127.0.0.1"]


@asynccontextmanager
async def bridge_to(target: str) -> AsyncIterator[str]:
    """Return where to come by an abstract socket whose other end has a name, too."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        end = socket.socket(socket.AF_UNIX)
        end.setblocking(False)
        end.bind(f"\0{secrets.token_hex(8)}")
        end.connect(f"\0{target.removeprefix('unix-abstract:')}")
        inner_reader, inner_writer = await asyncio.open_unix_connection(sock=end)
        await asyncio.gather(pump(reader, inner_writer), pump(inner_reader, writer))

    async with await asyncio.start_server(join, "127.0.0.1", 0) as server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_nobody_else_comes_in_by_the_way_of_browsers(served: Served) -> None:
    target = served.server._front.passage.target
    async with bridge_to(target) as named:
        for way in (target, named):
            async with grpc.aio.insecure_channel(way) as channel:
                stub: Any = StylizerStub(channel)  # type: ignore[no-untyped-call]
                for said in ((), (("impasto-browser", "guess 127.0.0.9"),)):
                    error = await refusal_over_grpc(stub.ListStyles(pb.ListStylesRequest(), metadata=said))
                    assert error.code() is grpc.StatusCode.UNAUTHENTICATED
    assert [line["why"] for line in calls(served)] == ["came by the studio's socket, and is not the studio's"] * 4
    assert [line["peer"].partition(":")[0] for line in calls(served)] == ["unix"] * 2 + ["unix-abstract"] * 2


async def test_one_browser_leaves_places_to_others(tmp_path: Path) -> None:
    engine = Held()
    async with serving(fake_bundle(tmp_path / "b"), engine=engine, max_concurrent_requests=4, **ON) as served:
        engine.holding = True

        async with http() as one, http("127.0.0.2") as other:
            data = request_of().SerializeToString()
            held = [asyncio.create_task(post(one, served.server, "Stylize", data)) for _ in range(3)]
            await until(lambda: served.server._way.admission.in_flight == 3)
            status, error = await post(one, served.server, "Stylize", data)
            assert (status, error["code"]) == (429, "resource_exhausted")
            held.append(asyncio.create_task(post(other, served.server, "Stylize", data)))
            await until(lambda: served.server._way.admission.in_flight == 4)
            engine.release.set()
            assert {status for status, _ in await asyncio.gather(*held)} == {200}


async def test_a_refusal_says_when_to_try_again(tmp_path: Path) -> None:
    limits: dict[str, Any] = {"caller_requests_per_second": 0.001, "caller_burst": 1}
    async with serving(fake_bundle(tmp_path / "b"), **limits, **ON) as served:
        browser = Browser(served.server)
        await browser.call("ListStyles", pb.ListStylesRequest())
        error = await refusal(browser.call("ListStyles", pb.ListStylesRequest()))
    assert (error.code, reason(error)) == (Code.RESOURCE_EXHAUSTED, "RATE_LIMITED")
    assert detail(error, RetryInfo).retry_delay.seconds > 1


async def test_where_callers_have_tokens_a_browser_needs_one(tmp_path: Path) -> None:
    token = new_token()
    file = write_callers(tmp_path / "callers.toml", caller("web", token, roles="stylize"))
    async with serving(fake_bundle(tmp_path / "b"), callers_file=file, **ON) as served:
        error = await refusal(Browser(served.server).call("Stylize", request_of()))
        assert (error.code, reason(error)) == (Code.UNAUTHENTICATED, "CALLER_UNKNOWN")
        known = Browser(served.server, authorization=f"Bearer {token}")
        assert images.decode((await known.call("Stylize", request_of())).image).shape == (48, 64, 3)
        make = pb.CreateStylizationRequest(stylize=request_of())
        error = await refusal(known.call("CreateStylization", make))
        assert (error.code, reason(error)) == (Code.PERMISSION_DENIED, "ROLE_MISSING")
    stranger, *others = calls(served)
    assert (stranger["peer"], stranger["code"]) == ("browser 127.0.0.1", "UNAUTHENTICATED")
    assert {line["caller"] for line in others} == {"web"}


async def test_a_deadline_of_the_browser_holds(tmp_path: Path) -> None:
    engine = Held()
    async with serving(fake_bundle(tmp_path / "b"), engine=engine, **ON) as served, http() as session:
        engine.holding = True
        data, within = request_of().SerializeToString(), {"connect-timeout-ms": "300"}
        status, error = await post(session, served.server, "Stylize", data, **within)
        assert (status, error["code"]) == (504, "deadline_exceeded")
        await until(lambda: bool(calls(served)))
        assert calls(served)[0]["code"] == "DEADLINE_EXCEEDED"
        engine.release.set()


async def test_a_browser_that_goes_away_ends_its_call(tmp_path: Path) -> None:
    engine = Held()
    async with serving(fake_bundle(tmp_path / "b"), engine=engine, **ON) as served:
        engine.holding = True

        async with http() as session:
            data = request_of().SerializeToString()
            asking = asyncio.create_task(post(session, served.server, "Stylize", data))
            await engine.until_entered()
            asking.cancel()
        await until(lambda: bool(calls(served)))
        assert calls(served)[0]["code"] == "CANCELLED"
        engine.release.set()

"""Jobs of browsers: made, watched, read, cancelled; each browser sees its own."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from connectrpc.code import Code
from google.longrunning import operations_pb2 as lro

from impasto.v1 import stylizer_pb2 as pb
from impasto_server.identity.browsers import browser_name
from tests.server.job_support import RESULT, ServedJobs, request_of, serving_jobs, stylization, succeed
from tests.server.studio.support import ON, PATIENCE, Browser, http, post, reason, refusal, until, url
from tests.server.support import photo

STATE = pb.Stylization.State


def create() -> pb.CreateStylizationRequest:
    return pb.CreateStylizationRequest(stylize=request_of())


def calls(served: ServedJobs, method: str) -> list[dict[str, Any]]:
    return [line for line in served.lines if line["event"] == "call" and line["method"].endswith(method)]


async def test_a_job_is_made_watched_and_read(tmp_path: Path) -> None:
    async with serving_jobs(tmp_path, **ON) as served:
        browser = Browser(served.server)
        operation = await browser.call("CreateStylization", create())
        watch = browser.stream("WatchStylization", pb.WatchStylizationRequest(name=operation.name))
        async with asyncio.timeout(PATIENCE):
            assert (await anext(watch)).stylization.state == STATE.QUEUED
            succeed(await served.claim())
            last = [seen async for seen in watch][-1]
        assert last.stylization.state == STATE.SUCCEEDED
        read = browser.stream("ReadStylization", pb.ReadStylizationRequest(name=operation.name))
        assert b"".join([chunk.data async for chunk in read]) == RESULT
        assert (await browser.call("GetOperation", lro.GetOperationRequest(name=operation.name))).done


async def test_a_job_is_cancelled_and_deleted(tmp_path: Path) -> None:
    async with serving_jobs(tmp_path, **ON) as served:
        browser = Browser(served.server)
        name = (await browser.call("CreateStylization", create())).name
        await browser.call("CancelOperation", lro.CancelOperationRequest(name=name))
        seen = await browser.call("GetOperation", lro.GetOperationRequest(name=name))
        assert stylization(seen).state == STATE.CANCELLED
        await browser.call("DeleteOperation", lro.DeleteOperationRequest(name=name))
        error = await refusal(browser.call("GetOperation", lro.GetOperationRequest(name=name)))
        assert (error.code, reason(error)) == (Code.NOT_FOUND, "JOB_NOT_FOUND")


async def test_a_browser_sees_the_jobs_of_its_address_alone(tmp_path: Path) -> None:
    async with serving_jobs(tmp_path, **ON) as served, http("127.0.0.2") as other:
        name = (await Browser(served.server).call("CreateStylization", create())).name
        get = lro.GetOperationRequest(name=name).SerializeToString()
        assert (await post(other, served.server, "GetOperation", get))[0] == 404
        status, listed = await post(other, served.server, "ListOperations")
        assert (status, lro.ListOperationsResponse.FromString(listed)) == (200, lro.ListOperationsResponse())
        assert not await served.names()  # nor does a caller over gRPC that nobody knows
        listed = await Browser(served.server).call("ListOperations", lro.ListOperationsRequest())
        assert [operation.name for operation in listed.operations] == [name]


async def test_a_browser_has_so_many_jobs_that_have_not_ended(tmp_path: Path) -> None:
    async with serving_jobs(tmp_path, caller_max_jobs=1, **ON) as served, http("127.0.0.2") as other:
        browser = Browser(served.server)
        await browser.call("CreateStylization", create())
        assert reason(await refusal(browser.call("CreateStylization", create()))) == "JOB_QUOTA"
        assert (await post(other, served.server, "CreateStylization", create().SerializeToString()))[0] == 200


async def test_what_is_wrong_with_a_job_is_told_by_its_watch(tmp_path: Path) -> None:
    async with serving_jobs(tmp_path, **ON) as served:
        watch = Browser(served.server).stream("WatchStylization", pb.WatchStylizationRequest(name="stylizations/none"))
        error = await refusal(anext(watch))
        assert (error.code, reason(error)) == (Code.NOT_FOUND, "JOB_NOT_FOUND")


async def test_a_watch_ends_with_its_browser(tmp_path: Path) -> None:
    async with serving_jobs(tmp_path, **ON) as served:
        name = (await Browser(served.server).call("CreateStylization", create())).name
        async with http() as session:
            data = pb.WatchStylizationRequest(name=name).SerializeToString()
            body = b"\0" + len(data).to_bytes(4, "big") + data
            headers = {"content-type": "application/connect+proto"}
            path = url(served.server, "/impasto.v1.Stylizer/WatchStylization")
            async with session.post(path, data=body, headers=headers) as response:
                assert await response.content.readexactly(5)
        await until(lambda: bool(calls(served, "WatchStylization")))
        assert calls(served, "WatchStylization")[0]["code"] == "CANCELLED"


async def test_a_browser_whose_deadline_passes_is_told_which_job_goes_on(tmp_path: Path) -> None:
    async with serving_jobs(tmp_path, **ON) as served, http() as session:
        data = request_of().SerializeToString()
        path = url(served.server, "/impasto.v1.Stylizer/Stylize")
        headers = {"content-type": "application/proto", "connect-timeout-ms": "5000"}
        async with session.post(path, data=data, headers=headers) as response:
            assert (response.status, (await response.json())["code"]) == (504, "deadline_exceeded")
            name = response.headers["impasto-operation"]
        operation = await Browser(served.server).call("GetOperation", lro.GetOperationRequest(name=name))
        assert not operation.done


async def test_watches_end_with_the_server_and_say_that_the_job_goes_on(tmp_path: Path) -> None:
    async with serving_jobs(tmp_path, **ON) as served:
        browser = Browser(served.server)
        name = (await browser.call("CreateStylization", create())).name
        watch = browser.stream("WatchStylization", pb.WatchStylizationRequest(name=name))
        await anext(watch)
        ending = asyncio.create_task(served.server.stop())
        error = await refusal(anext(watch))
        assert (error.code, reason(error)) == (Code.UNAVAILABLE, "SHUTTING_DOWN")
        await ending


async def test_a_result_is_sent_as_it_is_read(tmp_path: Path) -> None:
    async with serving_jobs(tmp_path, **ON) as served:
        browser = Browser(served.server)
        name = (await browser.call("CreateStylization", create())).name
        file = photo() + bytes(3_000_000)
        succeed(await served.claim(), file)
        chunks = [one.data async for one in browser.stream("ReadStylization", pb.ReadStylizationRequest(name=name))]
        assert len(chunks) > 1
        assert b"".join(chunks) == file


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("10.0.0.7", "browser 10.0.0.7"),
        ("::ffff:10.0.0.7", "browser 10.0.0.7"),
        ("2001:db8:1:2:3:4:5:6", "browser 2001:db8:1:2::/64"),
        ("fe80::1%eth0", "browser fe80::/64"),
        ("", "browser unknown"),
    ],
)
def test_a_browser_is_called_by_its_address_or_network(address: str, name: str) -> None:
    assert browser_name(address) == name

"""Requests of the protocol over a stream."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import grpc

from impasto.inference import open_inference_pb2 as pb
from impasto_server.rpc.inference.servicer import SERVICE
from tests.server.inference.support import INK, PHOTO, Inferring, decoded, files, inferring, request
from tests.server.support import Broken, Held, photo, reason, refusal


async def answers(served: Inferring, requests: Iterable[pb.ModelInferRequest]) -> list[pb.ModelStreamInferResponse]:
    call: Any = served.oip.ModelStreamInfer(iter(requests))
    return [answer async for answer in call]


async def test_requests_are_answered_in_their_order_and_an_error_belongs_to_its_request(tmp_path: Path) -> None:
    requests = [
        request(("image", [photo(200, 200)]), INK, id="large", parameters={"format": "png"}),
        request(PHOTO, id="without a style"),
        request(PHOTO, INK, id="nobody's", model="nope"),
        request(("image", [photo(32, 20)]), INK, id="small", parameters={"format": "png"}),
    ]
    async with inferring(tmp_path) as served:
        found = await answers(served, requests)
        line = next(line for line in reversed(served.lines) if line["event"] == "call")
        _, page = await served.get("/metrics")

    assert [answer.infer_response.id for answer in found] == ["large", "without a style", "nobody's", "small"]
    large, unstyled, nobodys, small = found
    assert decoded(files(large.infer_response)[0]).shape == (200, 200, 3)
    assert decoded(files(small.infer_response)[0]).shape == (20, 32, 3)
    assert unstyled.error_message.startswith("style: is missing; give the style to paint in")
    assert nobodys.error_message == "no model 'nope'. Available: test"
    assert not large.error_message
    assert (line["items"], line["items_failed"], line["code"]) == (4, 2, "OK")
    assert 'impasto_stage_seconds_count{bundle="test",method="ModelStreamInfer",stage="engine"} 2.0' in page
    assert f'impasto_requests_total{{code="OK",method="/{SERVICE}/ModelStreamInfer"}} 1.0' in page


async def test_an_answer_says_that_it_is_the_last_where_it_is_asked_to(tmp_path: Path) -> None:
    asked = {"triton_enable_empty_final_response": True}
    async with inferring(tmp_path) as served:
        first, second = await answers(served, [request(PHOTO, INK, parameters=asked), request(PHOTO, INK)])

    assert first.infer_response.parameters["triton_final_response"].bool_param
    assert not second.infer_response.parameters


async def test_a_stream_takes_no_more_than_its_window_and_waits_where_the_server_is_full(tmp_path: Path) -> None:
    async with inferring(tmp_path, max_concurrent_requests=1, stream_window=2) as served:
        found = await answers(served, [request(PHOTO, INK, id=str(number)) for number in range(9)])

    assert [answer.infer_response.id for answer in found] == [str(number) for number in range(9)]
    assert not any(answer.error_message for answer in found)


async def test_a_failure_of_the_engine_tells_no_more_than_an_id_and_the_stream_goes_on(tmp_path: Path) -> None:
    engine = Broken()
    async with inferring(tmp_path, engine) as served:
        stream: Any = served.oip.ModelStreamInfer()
        engine.error = RuntimeError("secret")
        await stream.write(request(PHOTO, INK))
        broken = await stream.read()
        engine.error = None
        await stream.write(request(PHOTO, INK))
        well = await stream.read()
        await stream.done_writing()

    assert broken.error_message.startswith("internal error; the server's log has the details under request id ")
    assert files(well.infer_response)


async def test_a_stream_that_stands_still_ends(tmp_path: Path) -> None:
    async with inferring(tmp_path, stream_idle_seconds=0.3) as served:
        stream: Any = served.oip.ModelStreamInfer()
        await stream.write(request(PHOTO, INK))
        assert (await stream.read()).infer_response.outputs
        error = await refusal(stream.read())

    assert (error.code(), reason(error)) == (grpc.StatusCode.DEADLINE_EXCEEDED, "impasto/STREAM_IDLE")


async def test_a_stream_counts_among_those_that_may_be_open(tmp_path: Path) -> None:
    async with inferring(tmp_path, max_streams=1) as served:
        stream: Any = served.oip.ModelStreamInfer()
        await stream.write(request(PHOTO, INK))
        await stream.read()
        error = await refusal(served.oip.ModelStreamInfer().read())
        await stream.done_writing()

    assert (error.code(), reason(error)) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "impasto/TOO_MANY_CALLS")


async def test_a_server_that_stops_answers_what_it_has_read(tmp_path: Path) -> None:
    engine = Held()
    async with inferring(tmp_path, engine, drain_delay_seconds=0) as served:
        engine.holding = True
        stream: Any = served.oip.ModelStreamInfer()
        await stream.write(request(PHOTO, INK, id="1"))
        await engine.until_entered()
        stopping = asyncio.ensure_future(served.server.stop())
        engine.release.set()
        answer = await stream.read()
        error = await refusal(stream.read())
        await stopping

    assert answer.infer_response.id == "1"
    assert (error.code(), reason(error)) == (grpc.StatusCode.UNAVAILABLE, "impasto/SHUTTING_DOWN")


async def test_a_caller_that_leaves_a_stream_leaves_nothing_in_the_works(tmp_path: Path) -> None:
    engine = Held()
    async with inferring(tmp_path, engine) as served:
        engine.holding = True
        stream: Any = served.oip.ModelStreamInfer()
        await stream.write(request(PHOTO, INK))
        await engine.until_entered()
        stream.cancel()
        engine.release.set()
        async with asyncio.timeout(30):
            while "impasto_requests_in_flight 0.0" not in (await served.get("/metrics"))[1]:
                await asyncio.sleep(0.01)
        assert files(await served.infer(PHOTO, INK))

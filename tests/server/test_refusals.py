"""What bad requests get: a code, the field, a reason; and the server goes on."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo, ResourceInfo, RetryInfo

from impasto.codes import Codes
from impasto.engine import Cancellation, FakeEngine
from impasto.errors import EngineError
from impasto.images import Planes
from impasto.v1 import stylizer_pb2 as pb
from tests.core.pngs import RGB, png
from tests.server.support import Broken, Held, Served, blend, detail, fields, photo, reason, refusal, serving
from tests.support import fake_bundle

INVALID = grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("image", "why"),
    [
        (b"", "impasto/INVALID_VALUE"),
        (b"hello, this is text", "impasto/UNREADABLE_IMAGE"),
        (photo()[:200], "impasto/UNREADABLE_IMAGE"),
        (png(50_000, 50_000, 8, RGB, b""), "impasto/IMAGE_TOO_LARGE"),
        (png(1, 1, 8, RGB, b""), "impasto/INVALID_VALUE"),
        (png(1, 5000, 8, RGB, b""), "impasto/INVALID_VALUE"),
    ],
    ids=["empty", "text", "truncated", "bomb", "1x1", "1x5000"],
)
async def test_a_photo_that_cannot_be_painted_is_refused(tmp_path: Path, image: bytes, why: str) -> None:
    async with serving(fake_bundle(tmp_path / "b")) as served:
        error = await refusal(served.stylize(image=image))
        assert (error.code(), fields(error), reason(error)) == (INVALID, ["image"], why)
        assert (await served.stylize()).image


@pytest.mark.parametrize(
    ("request_fields", "field"),
    [
        ({"strength": -0.1}, "strength"),
        ({"strength": 1.1}, "strength"),
        ({"strength": math.nan}, "strength"),
        ({"strength": math.inf}, "strength"),
        ({"quality": 0}, "quality"),
        ({"quality": 101}, "quality"),
        ({"format": 77}, "format"),
        ({"output_size": pb.Size(width=0)}, "output_size.width"),
        ({"output_size": pb.Size(width=64, height=-1)}, "output_size.height"),
        ({"output_size": pb.Size(height=2**31 - 1)}, "output_size.height"),
        ({"output_size": pb.Size(width=10_000, height=9_999)}, "output_size.width"),
        ({"output_size": pb.Size(width=40_000)}, "output_size.width"),  # 40,000 x 30,000 once the photo is known
        ({"output_size": pb.Size(width=20_000, height=10), "format": pb.IMAGE_FORMAT_WEBP}, "output_size.width"),
        ({"working_size": 0}, "working_size"),
        ({"working_size": 15}, "working_size"),
        ({"working_size": 4097}, "working_size"),
        ({"style_id": ""}, "style_id"),
        ({"blend": pb.Blend()}, "blend.parts"),
        ({"blend": blend([("ink", 0), ("gold", 0)])}, "blend.parts"),
        ({"blend": blend([("ink", 1), ("gold", math.nan)])}, "blend.parts[1].weight"),
        ({"blend": blend([("ink", -1), ("gold", 2)])}, "blend.parts[0].weight"),
        ({"blend": blend([("ink", 1), ("gold", math.inf)])}, "blend.parts[1].weight"),
        ({"blend": blend([("ink", 1), ("", 1)])}, "blend.parts[1].style_id"),
        ({"blend": blend([("ink", 1)] * 101)}, "blend.parts"),
    ],
    ids=lambda value: "" if isinstance(value, str) else str(value).replace("\n", " ")[:60],
)
async def test_a_value_out_of_range_is_refused_by_its_name(
    tmp_path: Path, request_fields: dict[str, Any], field: str
) -> None:
    async with serving(fake_bundle(tmp_path / "b")) as served:
        error = await refusal(served.stylize(**request_fields))
        assert (error.code(), fields(error)) == (INVALID, [field])
        assert (await served.stylize()).image


async def test_arguments_are_checked_before_the_photo_is_looked_at(tmp_path: Path) -> None:
    async with serving(fake_bundle(tmp_path / "b")) as served:
        error = await refusal(served.stylize(image=b"no photo", quality=0))
    assert fields(error) == ["quality"]


async def test_no_style_at_all_is_refused(tmp_path: Path) -> None:
    async with serving(fake_bundle(tmp_path / "b")) as served:
        error = await refusal(served.stub.Stylize(pb.StylizeRequest(image=photo())))
    assert (error.code(), fields(error)) == (INVALID, ["style"])


async def test_an_unknown_style_is_answered_with_those_that_exist(tmp_path: Path) -> None:
    async with serving(fake_bundle(tmp_path / "b", "ink", "gold")) as served:
        error = await refusal(served.stylize(style_id="inc"))
    assert error.code() is grpc.StatusCode.NOT_FOUND
    assert all(part in str(error.details()) for part in ("'inc'", "gold", "ink"))
    assert reason(error) == "impasto/STYLE_NOT_FOUND"
    resource = detail(error, ResourceInfo)
    assert (resource.resource_type, resource.resource_name) == ("impasto.dev/Style", "inc")
    assert detail(error, ErrorInfo).metadata["available"].split(",") == ["gold", "ink"]


async def test_a_list_of_styles_too_long_for_a_status_is_cut_between_ids(tmp_path: Path) -> None:
    styles = [f"style-{number:04}" for number in range(400)]
    async with serving(fake_bundle(tmp_path / "b", *styles)) as served:
        error = await refusal(served.stylize(style_id="other"))
    assert error.code() is grpc.StatusCode.NOT_FOUND
    listed = detail(error, ErrorInfo).metadata["available"].split(",")
    assert 10 < len(listed) < 400
    assert all(style in styles for style in listed)


async def test_an_endless_style_id_is_not_sent_back_whole(tmp_path: Path) -> None:
    async with serving(fake_bundle(tmp_path / "b")) as served:
        error = await refusal(served.stylize(style_id="é" * 1_000_000))
    assert error.code() is grpc.StatusCode.NOT_FOUND
    assert reason(error) == "impasto/STYLE_NOT_FOUND"


async def test_a_style_that_two_bundles_have_must_be_named_in_full(tmp_path: Path) -> None:
    bundles = [fake_bundle(tmp_path / name, "ink", name=name) for name in ("east", "west")]
    async with serving(*bundles) as served:
        error = await refusal(served.stylize(style_id="ink"))
        assert (error.code(), fields(error)) == (INVALID, ["style_id"])
        assert "east/ink, west/ink" in str(error.details())
        assert (await served.stylize(style_id="east/ink")).image


async def test_styles_of_two_transformers_cannot_be_blended(tmp_path: Path) -> None:
    bundles = [fake_bundle(tmp_path / name, "ink", name=name) for name in ("east", "west")]
    async with serving(*bundles) as served:
        error = await refusal(served.stylize(blend=blend([("east/ink", 1), ("west/ink", 1)])))
    assert (error.code(), fields(error)) == (INVALID, ["blend.parts[1].style_id"])


async def test_a_message_over_the_limit_is_refused_by_the_transport(tmp_path: Path) -> None:
    async with serving(fake_bundle(tmp_path / "b"), max_message_bytes=20_000) as served:
        error = await refusal(served.stylize(image=bytes(20_001)))
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert (await served.stylize()).image


async def test_a_full_server_says_when_to_try_again(tmp_path: Path) -> None:
    engine = Held()
    async with serving(fake_bundle(tmp_path / "b"), engine=engine, max_concurrent_requests=1) as served:
        engine.holding = True
        first = served.stub.Stylize(pb.StylizeRequest(image=photo(), style_id="ink"))
        await engine.until_entered()
        error = await refusal(served.stylize())
        _, metrics = await served.get("/metrics")
        engine.release.set()
        await first
        assert (await served.stylize()).image
        _, later = await served.get("/metrics")
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert reason(error) == "impasto/OVERLOADED"
    assert 0 < detail(error, RetryInfo).retry_delay.ToNanoseconds() < 60e9
    assert "impasto_requests_in_flight 1.0" in metrics
    assert 'impasto_rejections_total{method="/impasto.v1.Stylizer/Stylize",reason="OVERLOADED"} 1.0' in later


class Slow(FakeEngine):
    """An engine that takes its time, and holds everything once told to."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = threading.Event()
        self.go_on.set()

    def run(self, images: Planes, codes: Codes, cancellation: Cancellation | None = None) -> Planes:
        time.sleep(0.1)
        assert self.go_on.wait(60)
        return super().run(images, codes, cancellation)


async def until_waiting(served: Served, count: int) -> None:
    while f"impasto_queue_depth {count}.0" not in (await served.get("/metrics"))[1]:
        await asyncio.sleep(0.01)


async def test_who_could_not_be_served_within_the_deadline_is_refused_before_any_work(tmp_path: Path) -> None:
    engine = Slow()
    async with serving(fake_bundle(tmp_path / "b"), engine=engine, max_batch=1) as served:
        engine.go_on.clear()
        others = [asyncio.ensure_future(served.stylize()) for _ in range(6)]
        await until_waiting(served, 5)
        request = pb.StylizeRequest(image=b"no picture, which nobody finds out", style_id="ink")
        error = await refusal(served.stub.Stylize(request, timeout=0.3))
        engine.go_on.set()
        await asyncio.gather(*others)
        assert (await served.stub.Stylize(pb.StylizeRequest(image=photo(), style_id="ink"), timeout=30)).image
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert reason(error) == "impasto/DEADLINE_UNREACHABLE"
    assert 0 < detail(error, RetryInfo).retry_delay.ToMilliseconds() < 60_000


async def test_nobody_is_let_in_to_wait_for_longer_than_allowed(tmp_path: Path) -> None:
    engine = Slow()
    async with serving(fake_bundle(tmp_path / "b"), engine=engine, max_batch=1, max_wait_seconds=0.25) as served:
        engine.go_on.clear()
        calls = [asyncio.ensure_future(served.stylize())]
        while not calls[-1].done():
            calls.append(asyncio.ensure_future(served.stylize()))
            await asyncio.wait(calls[-1:], timeout=0.1)
        error = await refusal(calls.pop())
        engine.go_on.set()
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert any(isinstance(outcome, pb.StylizeResponse) for outcome in outcomes)
    assert reason(error) == "impasto/OVERLOADED"
    assert "lets nobody wait longer than 0.25 s" in str(error.details())


async def test_an_unexpected_error_reaches_the_caller_as_an_id_and_the_log_as_a_whole(tmp_path: Path) -> None:
    engine = Broken()
    async with serving(fake_bundle(tmp_path / "b"), engine=engine) as served:
        engine.error = RuntimeError("the secret of the house")
        error = await refusal(served.stylize())
        engine.error = None
        assert (await served.stylize()).image
        lines = served.lines
    assert error.code() is grpc.StatusCode.INTERNAL
    assert "secret" not in str(error.trailing_metadata()) + str(error.details())
    (story,) = [line for line in lines if line["event"] == "unexpected error"]
    assert story["request_id"] in str(error.details())
    assert "Traceback" in story["exception"]
    assert "the secret of the house" in story["exception"]


async def test_an_engine_that_fails_is_an_internal_error(tmp_path: Path) -> None:
    engine = Broken()
    async with serving(fake_bundle(tmp_path / "b"), engine=engine) as served:
        engine.error = EngineError("cpu painted numbers that are not finite")
        error = await refusal(served.stylize())
    assert error.code() is grpc.StatusCode.INTERNAL
    assert "finite" not in str(error.details())


async def test_a_caller_that_goes_away_is_no_error_and_leaves_its_place(tmp_path: Path) -> None:
    engine = Held()
    async with serving(fake_bundle(tmp_path / "b"), engine=engine, max_concurrent_requests=1) as served:
        engine.holding = True
        call = served.stub.Stylize(pb.StylizeRequest(image=photo(), style_id="ink"))
        await engine.until_entered()
        call.cancel()
        while not any(line.get("code") == "CANCELLED" for line in served.lines):
            await served.get("/livez")
        engine.release.set()
        assert (await served.stylize()).image
        assert not [line for line in served.lines if line["event"] == "unexpected error"]


async def test_a_call_whose_deadline_passes_is_counted_as_that(tmp_path: Path) -> None:
    engine = Held()
    async with serving(fake_bundle(tmp_path / "b"), engine=engine) as served:
        engine.holding = True
        error = await refusal(served.stub.Stylize(pb.StylizeRequest(image=photo(), style_id="ink"), timeout=1))
        assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        while not (lines := [line for line in served.lines if line["event"] == "call"]):
            await served.get("/livez")
        _, metrics = await served.get("/metrics")
        engine.release.set()
    assert [line["code"] for line in lines] == ["DEADLINE_EXCEEDED"]
    assert 'impasto_requests_total{code="DEADLINE_EXCEEDED",method="/impasto.v1.Stylizer/Stylize"} 1.0' in metrics

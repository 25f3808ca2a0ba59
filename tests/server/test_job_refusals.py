"""What bad requests for jobs get: a code, the field, a reason; and nothing is left of them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import ErrorInfo, PreconditionFailure, ResourceInfo, RetryInfo

from impasto.v1 import stylizer_pb2 as pb
from tests.core.pngs import RGB, png
from tests.server.job_support import PAINTING, blobs, paintings, request_of, serving_jobs, succeed
from tests.server.support import Held, detail, fields, photo, reason, refusal, serving
from tests.support import fake_bundle

INVALID = grpc.StatusCode.INVALID_ARGUMENT
UNKNOWN = "operations/" + 32 * "0"


def optimization(**values: Any) -> dict[str, pb.Optimization]:
    return {"optimization": pb.Optimization(**values)}


@pytest.mark.parametrize(
    ("request_fields", "field", "why"),
    [
        ({"image": b""}, "image", "empty"),
        ({"image": b"hello, this is text"}, "image", "no JPEG"),
        ({"image": photo()[:200]}, "image", "damaged"),
        ({"style_images": pb.StyleImages()}, "style_images.parts", "give 1 to 16"),
        ({"style_images": paintings(*[PAINTING] * 17)}, "style_images.parts", "17 paintings"),
        ({"style_images": paintings(b"")}, "style_images.parts[0].image", "empty"),
        ({"style_images": paintings(PAINTING, b"text")}, "style_images.parts[1].image", "no JPEG"),
        ({"style_images": paintings(PAINTING, PAINTING[:150])}, "style_images.parts[1].image", "damaged"),
        ({"style_images": paintings(photo(15, 400))}, "style_images.parts[0].image", "too small"),
        ({"style_images": paintings(png(50_000, 50_000, 8, RGB, b""))}, "style_images.parts[0].image", "at most"),
        ({"style_images": paintings(PAINTING, weights=[-1])}, "style_images.parts[0].weight", "0 or more"),
        ({"style_images": paintings(PAINTING, PAINTING, weights=[1, math.nan])}, "style_images.parts[1].weight", "nan"),
        ({"style_images": paintings(PAINTING, weights=[math.inf])}, "style_images.parts[0].weight", "finite"),
        ({"style_images": paintings(PAINTING, PAINTING, weights=[0, 0])}, "style_images.parts", "all weights are 0"),
        ({"strength": 1.5}, "strength", "out of range"),
        ({"quality": 0}, "quality", "1 to 100"),
        ({"format": 9}, "format", "no format"),
        ({"working_size": 15}, "working_size", "16 to 4096"),
        ({"output_size": pb.Size(width=40_000)}, "output_size.width", "at most"),
        ({"request_id": "no spaces"}, "request_id", "letters"),
        ({"request_id": "é"}, "request_id", "letters"),
        ({"request_id": 65 * "x"}, "request_id", "at most 64"),
        (optimization(steps=0), "optimization.steps", "1 to 10000"),
        (optimization(steps=1_000_000), "optimization.steps", "1 to 10000"),
        (optimization(optimizer=7), "optimization.optimizer", "LBFGS, ADAM"),
        (optimization(start=9), "optimization.start", "PHOTO, NOISE, FAST"),
        (optimization(pooling=-1), "optimization.pooling", "MAX, AVERAGE"),
        (optimization(color=44), "optimization.color", "PAINTING, LUMINANCE, HISTOGRAM"),
        (optimization(perception=4), "optimization.perception", "VGG19, COMPACT, LOWRANK"),
        (optimization(content_layers=["conv9"]), "optimization.content_layers", "relu4_2"),
        (optimization(style_layers=["relu1_1", "relu1_1"]), "optimization.style_layers", "twice"),
        (optimization(style_weight=math.nan), "optimization.style_weight", "out of range"),
        (optimization(content_weight=-1), "optimization.content_weight", "out of range"),
        (optimization(style_weight=0, content_weight=0), "optimization.style_weight", "nothing is asked for"),
        (optimization(style_scale=9), "optimization.style_scale", "0.1 to 4"),
        (optimization(seed=-1), "optimization.seed", "out of range"),
    ],
    ids=lambda value: "" if isinstance(value, str) else str(value).replace("\n", " ")[:60],
)
async def test_a_request_that_cannot_be_done_is_refused_by_the_fields_name(
    tmp_path: Path, request_fields: dict[str, Any], field: str, why: str
) -> None:
    async with serving_jobs(tmp_path) as served:
        created = await refusal(served.create(**request_fields))
        painted = await refusal(served.stub.Stylize(request_of(**request_fields)))
        assert await served.names() == []
        assert (await served.create()).name
    for error in (created, painted):
        assert (error.code(), fields(error)) == (INVALID, [field])
        assert why in str(error.details())


@pytest.mark.parametrize(
    ("image", "why"),
    [
        (b"text", "impasto/UNREADABLE_IMAGE"),
        (png(50_000, 50_000, 8, RGB, b""), "impasto/IMAGE_TOO_LARGE"),
        (png(1, 1, 8, RGB, b""), "impasto/INVALID_VALUE"),
    ],
    ids=["text", "bomb", "1x1"],
)
async def test_a_bad_painting_has_the_reason_that_a_bad_photo_has(tmp_path: Path, image: bytes, why: str) -> None:
    async with serving_jobs(tmp_path) as served:
        error = await refusal(served.create(style_images=paintings(image)))
    assert reason(error) == why
    assert blobs(tmp_path) == []


@pytest.mark.parametrize("style", [{"style_id": "ink"}, {"style_images": None}], ids=["trained", "none"])
async def test_a_job_needs_paintings(tmp_path: Path, style: dict[str, Any]) -> None:
    async with serving_jobs(tmp_path) as served:
        error = await refusal(served.create(**style))
    assert (error.code(), fields(error)) == (INVALID, ["style"])
    assert "style_images" in str(error.details())


async def test_a_trained_style_is_not_optimised(tmp_path: Path) -> None:
    async with serving(fake_bundle(tmp_path / "b")) as served:
        error = await refusal(served.stylize(**optimization(steps=5)))
    assert (error.code(), fields(error)) == (INVALID, ["optimization"])


@pytest.mark.parametrize("priority", [-101, 101])
async def test_a_priority_has_bounds(tmp_path: Path, priority: int) -> None:
    async with serving_jobs(tmp_path) as served:
        error = await refusal(served.create(priority=priority))
    assert (error.code(), fields(error)) == (INVALID, ["priority"])


async def test_a_request_id_is_not_used_again_for_something_else(tmp_path: Path) -> None:
    async with serving_jobs(tmp_path) as served:
        first = await served.create(request_id="one")
        error = await refusal(served.create(request_id="one", strength=0.5))
        assert await served.names() == [first.name]
    assert (error.code(), reason(error)) == (grpc.StatusCode.ALREADY_EXISTS, "impasto/REQUEST_REUSED")
    assert detail(error, ErrorInfo).metadata["request_id"] == "one"


async def test_a_full_queue_says_when_to_try_again(tmp_path: Path) -> None:
    async with serving_jobs(tmp_path, job_queue_limit=2) as served:
        await served.create()
        await served.create()
        created, painted = await refusal(served.create()), await refusal(served.stub.Stylize(request_of()))
        assert len(await served.names()) == 2
        await served.claim()
        assert (await served.create()).name
    for error in (created, painted):
        assert (error.code(), reason(error)) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "impasto/QUEUE_FULL")
        assert detail(error, RetryInfo).retry_delay.ToSeconds() >= 1


async def test_a_server_full_of_photos_looks_at_no_paintings(tmp_path: Path) -> None:
    engine = Held()
    async with serving_jobs(tmp_path, engine=engine, max_concurrent_requests=1) as served:
        engine.holding = True
        first = served.stub.Stylize(pb.StylizeRequest(image=photo(), style_id="ink"))
        await engine.until_entered()
        error = await refusal(served.create())
        engine.release.set()
        await first
        assert (await served.create()).name
    assert (error.code(), reason(error)) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "impasto/OVERLOADED")


@pytest.mark.parametrize("name", [UNKNOWN, UNKNOWN.replace("operations", "stylizations"), "operations/mine\0"])
async def test_an_unknown_job_is_not_found_whatever_is_asked_of_it(tmp_path: Path, name: str) -> None:
    async with serving_jobs(tmp_path) as served:
        errors = [await refusal(call) for call in _calls(served, name)]
    for error in errors:
        assert (error.code(), reason(error)) == (grpc.StatusCode.NOT_FOUND, "impasto/JOB_NOT_FOUND")
        resource = detail(error, ResourceInfo)
        assert resource.resource_type == "impasto.dev/Stylization"
        assert resource.resource_name == f"stylizations/{name.partition('/')[2]}"


@pytest.mark.parametrize("name", ["", "operations", "operations/", "jobs/abc", "operations/a/b", 9000 * "x"])
async def test_a_name_that_is_no_jobs_is_refused(tmp_path: Path, name: str) -> None:
    async with serving_jobs(tmp_path) as served:
        errors = [await refusal(call) for call in _calls(served, name)]
    for error in errors:
        assert (error.code(), fields(error)) == (INVALID, ["name"])


async def test_a_result_that_is_not_there_yet_cannot_be_read(tmp_path: Path) -> None:
    async with serving_jobs(tmp_path) as served:
        name = (await served.create()).name
        error = await refusal(served.read_result(name))
    assert (error.code(), reason(error)) == (grpc.StatusCode.FAILED_PRECONDITION, "impasto/JOB_UNFINISHED")
    (violation,) = detail(error, PreconditionFailure).violations
    assert (violation.type, violation.subject) == ("STATE", name.replace("operations", "stylizations"))


@pytest.mark.parametrize(
    ("offset", "code"), [(10**12, grpc.StatusCode.OUT_OF_RANGE), (-1, grpc.StatusCode.INVALID_ARGUMENT)]
)
async def test_an_offset_that_the_result_does_not_have_is_refused(
    tmp_path: Path, offset: int, code: grpc.StatusCode
) -> None:
    async with serving_jobs(tmp_path) as served:
        name = (await served.create()).name
        succeed(await served.claim())
        error = await refusal(served.read_result(name, offset))
    assert (error.code(), fields(error)) == (code, ["read_offset"])


async def test_a_result_that_is_gone_from_the_store_is_said_to_be(tmp_path: Path) -> None:
    async with serving_jobs(tmp_path) as served:
        name = (await served.create()).name
        succeed(await served.claim())
        for file in (tmp_path / "state" / "blobs").glob("*/result*"):
            file.unlink()
        error = await refusal(served.read_result(name))
    assert (error.code(), reason(error)) == (grpc.StatusCode.DATA_LOSS, "impasto/RESULT_LOST")


@pytest.mark.parametrize("seconds", [0.1, 0.0, -1.0])
async def test_previews_cannot_come_faster_than_the_server_likes(tmp_path: Path, seconds: float) -> None:
    interval = Duration()
    interval.FromNanoseconds(round(seconds * 1e9))
    async with serving_jobs(tmp_path) as served:
        name = (await served.create()).name
        error = await refusal(served.watch(name, preview_interval=interval).read())
    assert (error.code(), fields(error)) == (INVALID, ["preview_interval"])


async def test_a_server_without_jobs_says_how_to_have_them(tmp_path: Path) -> None:
    async with serving_jobs(tmp_path, jobs="off") as served:
        errors = [await refusal(call) for call in (served.create(), served.stub.Stylize(request_of()), served.names())]
        errors += [await refusal(call) for call in _calls(served, UNKNOWN)]
        assert (await served.stylize()).image
    for error in errors:
        assert (error.code(), reason(error)) == (grpc.StatusCode.UNIMPLEMENTED, "impasto/NOT_SUPPORTED")
        assert all(part in str(error.details()) for part in ("--jobs on", "ListStyles"))


def _calls(served: Any, name: str) -> list[Any]:
    """Return a call of every method that takes a job's name."""
    return [
        served.operation(name),
        served.wait(name),
        served.cancel(name),
        served.delete(name),
        served.watch(name).read(),
        served.read_result(name),
    ]

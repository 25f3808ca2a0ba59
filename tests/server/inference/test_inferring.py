"""Photos painted by the Open Inference Protocol, as by the API's own calls."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from google.rpc.error_details_pb2 import ResourceInfo
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest
from grpc_reflection.v1alpha.reflection_pb2_grpc import ServerReflectionStub
from PIL import Image

from impasto import __version__, images
from impasto.inference import open_inference_pb2 as pb
from impasto.inference.open_inference_pb2_grpc import GRPCInferenceServiceStub
from impasto.v1 import stylizer_pb2 as api
from impasto_server.rpc.inference.servicer import SERVICE
from tests.server.inference.support import INK, PHOTO, decoded, files, inferring, request, tensor
from tests.server.support import Broken, Held, detail, fields, photo, reason, refusal, serving
from tests.support import fake_bundle, gradient

INVALID_ARGUMENT = grpc.StatusCode.INVALID_ARGUMENT


async def test_a_file_is_painted_to_the_byte_as_the_apis_own_call_paints_it(tmp_path: Path) -> None:
    sent = photo(90, 60)
    options = {"format": "webp", "quality": 70, "working_size": 64, "width": 45, "strength": 0.5}
    async with inferring(tmp_path) as served:
        response = await served.infer(("image", [sent]), INK, id="7", parameters=options)
        own = await served.stylize(
            image=sent,
            style_id="ink",
            format=api.IMAGE_FORMAT_WEBP,
            quality=70,
            working_size=64,
            strength=0.5,
            output_size=api.Size(width=45),
        )

    assert files(response) == [own.image]
    assert (response.model_name, response.model_version, response.id) == ("test", "1", "7")
    (output,) = response.outputs
    assert (output.name, output.datatype, list(output.shape)) == ("painted", "BYTES", [1, 1])


async def test_pixels_are_painted_as_a_file_of_them_is(tmp_path: Path) -> None:
    picture = gradient(50, 38)
    async with inferring(tmp_path) as served:
        own = await served.stylize(image=images.encode(picture, format=images.Format.PNG), working_size=32)
        small = {"working_size": 32}
        bytes_ = await served.infer(("pixels_uint8", picture[None]), INK, parameters=small)
        floats = await served.infer(("pixels", np.float32(picture[None] / 255)), INK, parameters=small)
        file = await served.infer(
            ("pixels_uint8", picture[None]), INK, outputs=["painted"], parameters={**small, "format": "png"}
        )

    expected = decoded(own.image)
    assert np.array_equal(tensor(bytes_), expected[None])
    assert np.array_equal(tensor(floats), np.float32(expected[None]) / np.float32(255))
    assert np.array_equal(decoded(files(file)[0]), expected)
    assert file.outputs[0].shape == [1, 1]


async def test_a_file_comes_back_as_pixels_where_they_are_asked_for(tmp_path: Path) -> None:
    async with inferring(tmp_path) as served:
        response = await served.infer(PHOTO, INK, outputs=["pixels_uint8"], parameters={"height": 24})
        unpainted = await served.infer(PHOTO, INK, outputs=["pixels_uint8"], parameters={"strength": 0.0})

    assert response.outputs[0].shape == [1, 24, 32, 3]
    assert np.array_equal(tensor(unpainted)[0], gradient())


async def test_the_photos_of_a_request_are_painted_each_in_its_style_and_come_back_in_order(tmp_path: Path) -> None:
    sizes = [(64, 48), (32, 32), (48, 80)]
    strengths = np.array([[1.0], [0.0], [1.0]], np.float32)
    inputs = [("image", [photo(*size) for size in sizes]), INK, ("strength", strengths)]
    async with inferring(tmp_path) as served:
        response = await served.infer(*inputs, parameters={"format": "png"})
        line = next(line for line in reversed(served.lines) if line["event"] == "call")

    painted = [decoded(file) for file in files(response)]
    assert [picture.shape[1::-1] for picture in painted] == sizes
    assert np.array_equal(painted[0], 255 - gradient())
    assert np.array_equal(painted[1], gradient(32, 32))
    assert response.outputs[0].shape == [3, 1]
    assert (line["photos"], line["photo_bytes"], line["model"]) == (3, sum(len(photo(*s)) for s in sizes), "test@1")
    assert {"decode_ms", "queue_ms", "engine_ms", "encode_ms", "result_bytes"} <= line.keys()


async def test_a_line_of_the_log_tells_of_one_photo_what_it_tells_of_the_apis_own(tmp_path: Path) -> None:
    async with inferring(tmp_path) as served:
        await served.infer(PHOTO, INK)
        await served.stylize()
        oip, own = (line for line in served.lines if line["event"] == "call")
        _, page = await served.get("/metrics")

    assert own.keys() <= oip.keys()
    assert (oip["method"], oip["model"], oip["output"]) == (f"/{SERVICE}/ModelInfer", "test@1", "painted")
    assert f'impasto_requests_total{{code="OK",method="/{SERVICE}/ModelInfer"}} 1.0' in page
    assert 'impasto_stage_seconds_count{bundle="test",method="ModelInfer",stage="engine"} 1.0' in page
    assert f'impasto_request_seconds_count{{method="/{SERVICE}/ModelInfer"}} 1.0' in page


async def test_pictures_of_several_sizes_make_no_tensor(tmp_path: Path) -> None:
    photos = ("image", [photo(64, 48), photo(32, 32)])
    async with inferring(tmp_path) as served:
        error = await refusal(served.infer(photos, INK, outputs=["pixels"]))
        answer = await served.infer(photos, INK, outputs=["pixels"], parameters={"width": 20, "height": 20})

    assert (error.code(), fields(error)) == (INVALID_ARGUMENT, ["outputs"])
    assert "several sizes, 64x48 and 32x32 px" in (error.details() or "")
    assert answer.outputs[0].shape == [2, 20, 20, 3]


async def test_a_photo_that_is_none_fails_its_request_and_is_named(tmp_path: Path) -> None:
    async with inferring(tmp_path) as served:
        error = await refusal(served.infer(("image", [photo(), b"a text file", photo()]), INK))
        alone = await refusal(served.infer(("image", [b"a text file"]), INK))

    assert (error.code(), fields(error), reason(error)) == (INVALID_ARGUMENT, ["image"], "impasto/UNREADABLE_IMAGE")
    assert (error.details() or "").startswith("image: photo 1 of 3: ")
    assert not (alone.details() or "").startswith("image: photo")


@pytest.mark.parametrize(
    ("value", "says"),
    [(255.0, "pixels: has values from 0.5 to 255; give 0 to 1"), (np.nan, "pixels: has values from nan to nan")],
)
async def test_pixels_out_of_range_are_refused(tmp_path: Path, value: float, says: str) -> None:
    pixels = np.full((1, 20, 20, 3), 0.5, np.float32)
    pixels[0, 7, 7, 1] = value
    async with inferring(tmp_path) as served:
        error = await refusal(served.infer(("pixels", pixels), INK))

    assert error.code() is INVALID_ARGUMENT
    assert says in (error.details() or "")


async def test_answers_as_tensors_are_no_larger_than_requests_may_be(tmp_path: Path) -> None:
    async with inferring(tmp_path, max_message_bytes=100_000) as served:
        error = await refusal(served.infer(PHOTO, INK, outputs=["pixels"], parameters={"width": 200}))
        painted = await served.infer(PHOTO, INK, parameters={"width": 200})

    assert (error.code(), fields(error), reason(error)) == (INVALID_ARGUMENT, ["width"], "impasto/IMAGE_TOO_LARGE")
    assert "at most 8,333 are allowed" in (error.details() or "")
    assert decoded(files(painted)[0]).shape == (150, 200, 3)


async def test_a_small_picture_or_none_of_pixels_is_refused(tmp_path: Path) -> None:
    async with inferring(tmp_path) as served:
        error = await refusal(served.infer(("pixels_uint8", gradient(8, 8)[None]), INK))

    assert (error.code(), fields(error)) == (INVALID_ARGUMENT, ["pixels_uint8"])
    assert "8x8 px is too small" in (error.details() or "")


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"model": "nope"}, "no model 'nope'. Available: test"),
        ({"model": ""}, "no model ''. Available: test"),
        ({"version": "3"}, "no version '3' of model 'test' is held. Available: 1"),
    ],
)
async def test_a_model_that_is_not_there_is_not_found(tmp_path: Path, asked: dict[str, str], says: str) -> None:
    async with inferring(tmp_path) as served:
        error = await refusal(served.infer(PHOTO, INK, **asked))

    assert (error.code(), reason(error)) == (grpc.StatusCode.NOT_FOUND, "impasto/MODEL_NOT_FOUND")
    assert error.details() == says
    assert detail(error, ResourceInfo).resource_name == asked.get("model", "test")


async def test_an_unknown_style_is_not_found(tmp_path: Path) -> None:
    async with inferring(tmp_path) as served:
        error = await refusal(served.infer(PHOTO, ("style", [b"inc"])))

    assert (error.code(), reason(error)) == (grpc.StatusCode.NOT_FOUND, "impasto/STYLE_NOT_FOUND")


async def test_fields_that_are_not_known_are_passed_over(tmp_path: Path) -> None:
    later = b"\xfa\x3e\x05later"  # the field 1007
    async with inferring(tmp_path) as served:
        known = request(PHOTO, INK).SerializeToString()
        call: Any = served.channel.unary_unary(f"/{SERVICE}/ModelInfer")
        answer = pb.ModelInferResponse.FromString(await call(known + later))

    assert len(files(answer)) == 1


async def test_no_message_at_all_is_the_callers_mistake(tmp_path: Path) -> None:
    async with inferring(tmp_path) as served:
        call: Any = served.channel.unary_unary(f"/{SERVICE}/ModelInfer")
        error = await refusal(call(b"\xff\xff\xff"))

    assert error.code() is INVALID_ARGUMENT


async def test_metadata_that_is_too_large_is_refused_and_the_connection_goes_on(tmp_path: Path) -> None:
    async with inferring(tmp_path) as served:
        error = await refusal(served.oip.ModelInfer(request(PHOTO, INK), metadata=(("x-large", "a" * 40_000),)))
        answer = await served.infer(PHOTO, INK)

    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert files(answer)


async def test_a_full_server_refuses_a_request_at_once(tmp_path: Path) -> None:
    engine = Held()
    async with inferring(tmp_path, engine, max_concurrent_requests=1) as served:
        engine.holding = True
        held = asyncio.ensure_future(served.infer(PHOTO, INK))
        await engine.until_entered()
        error = await refusal(served.infer(PHOTO, INK))
        engine.release.set()
        await held

    assert (error.code(), reason(error)) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "impasto/OVERLOADED")


async def test_a_request_of_more_photos_than_there_are_places_is_painted_all_the_same(tmp_path: Path) -> None:
    async with inferring(tmp_path, max_concurrent_requests=2, stream_window=3) as served:
        response = await served.infer(("image", [photo()] * 9), INK)

    assert len(files(response)) == 9


async def test_a_timeout_in_the_request_is_heeded_where_others_are_before_it(tmp_path: Path) -> None:
    engine = Held()
    async with inferring(tmp_path, engine, engine_runs=1) as served:
        await served.infer(PHOTO, INK)
        engine.holding = True
        held = [asyncio.ensure_future(served.infer(PHOTO, INK)) for _ in range(2)]
        await engine.until_entered()
        error = await refusal(served.infer(PHOTO, INK, parameters={"timeout": 1}))
        engine.release.set()
        await asyncio.gather(*held)

    assert (error.code(), reason(error)) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "impasto/DEADLINE_UNREACHABLE")


async def test_an_engines_failure_tells_no_more_than_an_id(tmp_path: Path) -> None:
    engine = Broken()
    async with inferring(tmp_path, engine) as served:
        engine.error = RuntimeError("secret")
        error = await refusal(served.infer(("image", [photo(), photo()]), INK))
        statistics = await served.statistics()

    assert error.code() is grpc.StatusCode.INTERNAL
    assert "secret" not in (error.details() or "")
    assert (statistics.inference_stats.fail.count, statistics.inference_count) == (1, 0)


async def test_the_server_and_its_model_tell_what_they_are(tmp_path: Path) -> None:
    async with inferring(tmp_path) as served:
        live = await served.oip.ServerLive(pb.ServerLiveRequest())
        ready = await served.oip.ServerReady(pb.ServerReadyRequest())
        server = await served.oip.ServerMetadata(pb.ServerMetadataRequest())
        model = await served.oip.ModelMetadata(pb.ModelMetadataRequest(name="test", version="1"))
        config = (await served.oip.ModelConfig(pb.ModelConfigRequest(name="test"))).config
        index = await served.oip.RepositoryIndex(pb.RepositoryIndexRequest(ready=True))

    assert live.live
    assert ready.ready
    assert (server.name, server.version) == ("impasto", __version__)
    assert (model.name, list(model.versions), model.platform) == ("test", ["1"], "impasto")
    assert {tensor.name: (tensor.datatype, list(tensor.shape)) for tensor in model.outputs} == {
        "painted": ("BYTES", [-1, 1]),
        "pixels": ("FP32", [-1, -1, -1, 3]),
        "pixels_uint8": ("UINT8", [-1, -1, -1, 3]),
    }
    assert [one.name for one in config.input] == [one.name for one in model.inputs]
    assert (config.name, config.max_batch_size, config.model_transaction_policy.decoupled) == ("test", 64, False)
    assert config.parameters["styles"].string_value == "gold,ink"
    assert [(one.name, one.version, one.state) for one in index.models] == [("test", "1", "READY")]


async def test_whether_a_model_is_ready_may_be_asked_before_it_is_there(tmp_path: Path) -> None:
    async with inferring(tmp_path) as served:

        async def ready(name: str, version: str = "") -> bool:
            answer = await served.oip.ModelReady(pb.ModelReadyRequest(name=name, version=version))
            return bool(answer.ready)

        assert await ready("test")
        assert await ready("test", "1")
        assert not await ready("test", "2")
        assert not await ready("nope")


async def test_statistics_rise_with_what_is_painted(tmp_path: Path) -> None:
    async with inferring(tmp_path, cache_bytes=1_000_000) as served:
        before = await served.statistics()
        await served.infer(("image", [photo(64, 48), photo(32, 32)]), INK)
        await served.infer(PHOTO, INK)
        await served.infer(PHOTO, INK, parameters={"strength": 0.0})
        await refusal(served.infer(PHOTO))
        after = await served.statistics()
        everything = await served.oip.ModelStatistics(pb.ModelStatisticsRequest())
        error = await refusal(served.oip.ModelStatistics(pb.ModelStatisticsRequest(name="nope")))

    assert (before.name, before.version, before.inference_count, before.last_inference) == ("test", "1", 0, 0)
    assert (after.inference_count, after.execution_count) == (4, 2)
    assert after.last_inference > 1_700_000_000_000
    found = after.inference_stats
    assert (found.success.count, found.fail.count, found.cache_hit.count) == (3, 1, 1)
    assert (found.compute_input.count, found.compute_infer.count, found.compute_output.count) == (3, 2, 3)
    assert found.success.ns > found.compute_infer.ns > 0
    assert [(one.batch_size, one.compute_infer.count) for one in after.batch_stats] == [(1, 2)]
    assert [one.name for one in everything.model_stats] == ["test"]
    assert error.code() is grpc.StatusCode.NOT_FOUND


async def test_health_and_reflection_know_the_service(tmp_path: Path) -> None:
    async with inferring(tmp_path) as served:
        health = await served.health.Check(HealthCheckRequest(service=SERVICE))
        stub: Any = ServerReflectionStub(served.channel)  # type: ignore[arg-type]
        call = stub.ServerReflectionInfo(iter([ServerReflectionRequest(file_containing_symbol=SERVICE)]))
        described = [answer async for answer in call]

    assert health.status == HealthCheckResponse.SERVING
    assert described[0].file_descriptor_response.file_descriptor_proto


async def test_a_version_that_is_pinned_paints_with_that_version(tmp_path: Path) -> None:
    bundles = [fake_bundle(tmp_path / v, version=v, light=light) for v, light in (("1.5", 0.5), ("2024-a", 1.0))]
    async with serving(*bundles) as served:
        stub: Any = GRPCInferenceServiceStub(served.channel)  # type: ignore[no-untyped-call]
        metadata = await stub.ModelMetadata(pb.ModelMetadataRequest(name="test"))
        answers = [
            await stub.ModelInfer(request(("pixels_uint8", gradient()[None]), INK, version=version))
            for version in ("", "1005000000", "1.5", metadata.versions[0])
        ]

    assert metadata.versions[1] == "1005000000"
    assert all(version.isdecimal() for version in metadata.versions)
    light = [round(float(tensor(answer).mean() / (255 - gradient()).mean()), 1) for answer in answers]
    assert light == [1.0, 0.5, 0.5, 1.0]
    assert [answer.model_version for answer in answers] == [metadata.versions[i] for i in (0, 1, 1, 0)]


async def test_a_mask_keeps_its_part_of_a_file_and_of_pixels(tmp_path: Path) -> None:
    mask = half_white(64, 48)
    masked = [("mask", [mask]), ("mask_feather", np.array([[0.02]], np.float32)), ("mask_inverted", np.array([True]))]
    async with inferring(tmp_path) as served:
        file = await served.infer(PHOTO, INK, *masked, parameters={"format": "png"})
        pixels = await served.infer(("pixels_uint8", gradient()[None]), INK, *masked)
        own = await served.stylize(mask=api.Mask(image=mask, feather=0.02, inverted=True))
        error = await refusal(served.infer(PHOTO, INK, ("mask", [half_white(32, 32)])))

    assert files(file) == [own.image]
    assert np.array_equal(tensor(pixels)[0], decoded(own.image))
    assert np.array_equal(tensor(pixels)[0, :, :20], gradient()[:, :20]), "white is kept, as it is inverted"
    assert (error.code(), fields(error)) == (INVALID_ARGUMENT, ["mask"])
    assert "has 32x32 px, and the photo 64x48 px" in (error.details() or "")


def half_white(width: int, height: int) -> bytes:
    """Return a mask that is white on its left."""
    values = np.zeros((height, width), np.uint8)
    values[:, : width // 2] = 255
    file = io.BytesIO()
    Image.fromarray(values).save(file, "PNG")
    return file.getvalue()

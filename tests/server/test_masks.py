"""Part of a photo painted: the rest is the photo, in single calls, streams and jobs; what is no mask is refused."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from impasto import images
from impasto.engine import FakeEngine
from impasto.images import Format
from impasto.masks import Mask, Masking
from impasto.v1 import stylizer_pb2 as pb
from tests.core.exifs import phone
from tests.core.exifs import photo as file_of_a_phone
from tests.core.masks import flat, left_half, png
from tests.core.pngs import GREY
from tests.core.pngs import png as png_of
from tests.server.job_support import blobs, serving_jobs
from tests.server.support import fields, photo, read, refusal, serving
from tests.server.test_streams import answers, config, item
from tests.support import fake_bundle, gradient

SIZE = (64, 48)
SHARP = {"feather": 0.0}
HALF = png(left_half())


def mask(file: bytes = HALF, **others: Any) -> pb.Mask:
    return pb.Mask(image=file, **{**SHARP, **others})


async def test_white_is_painted_and_black_is_the_photo(tmp_path: Path) -> None:
    async with serving(fake_bundle(tmp_path / "b")) as served:
        usual = read(await served.stylize(mask=mask()))
        inverted = read(await served.stylize(mask=mask(inverted=True)))
    painted = left_half()[:, :, None] == 255
    np.testing.assert_array_equal(usual, np.where(painted, 255 - gradient(), gradient()))
    np.testing.assert_array_equal(inverted, np.where(painted, gradient(), 255 - gradient()))


async def test_the_edge_is_soft_by_default_and_grey_is_in_between(tmp_path: Path) -> None:
    width, height = 400, 300
    values = left_half(width, height)
    values[:100] = 51
    async with serving(fake_bundle(tmp_path / "b")) as served:
        result = read(await served.stylize(image=photo(width, height), mask=pb.Mask(image=png(values))))
    upright, negative = gradient(width, height), 255 - gradient(width, height)
    np.testing.assert_array_equal(result[150:, :195], negative[150:, :195])
    np.testing.assert_array_equal(result[150:, 205:], upright[150:, 205:])
    assert (result[150:, 200] != negative[150:, 200]).all()
    assert np.abs(result[:80] - (upright[:80] * 0.8 + negative[:80] * 0.2)).max() <= 1


@pytest.mark.parametrize("format", [pb.IMAGE_FORMAT_JPEG, pb.IMAGE_FORMAT_PNG, pb.IMAGE_FORMAT_WEBP])
async def test_a_mask_that_is_all_white_changes_no_byte(tmp_path: Path, format: pb.ImageFormat) -> None:
    wanted: dict[str, Any] = {"format": format, "output_size": pb.Size(width=50), "image": file_of_a_phone(phone())}
    async with serving(fake_bundle(tmp_path / "b")) as served:
        without = await served.stylize(**wanted)
        white = await served.stylize(**wanted, mask=pb.Mask(image=flat(SIZE[::-1], 255)))
        black = await served.stylize(**wanted, mask=pb.Mask(image=flat(SIZE[::-1], 0), inverted=True))
    assert white.image == without.image == black.image


async def test_a_mask_that_is_all_black_gives_the_photo_back_without_an_engine(tmp_path: Path) -> None:
    engine = FakeEngine()
    wanted: dict[str, Any] = {"format": pb.IMAGE_FORMAT_JPEG, "output_size": pb.Size(width=50)}
    async with serving(fake_bundle(tmp_path / "b"), engine=engine, working_size=32) as served:
        warm = len(engine.shapes)
        unpainted = await served.stylize(**wanted, strength=0)
        black = await served.stylize(**wanted, mask=pb.Mask(image=flat(SIZE, 0)))
        _, metrics = await served.get("/metrics")
    assert black.image == unpainted.image
    assert black.working_size == pb.Size(width=64, height=48)
    assert len(engine.shapes) == warm
    assert "impasto_painted_pixels_total 0.0" in metrics
    assert b"DigitalSourceType" not in black.image


async def test_without_strength_a_mask_changes_nothing(tmp_path: Path) -> None:
    async with serving(fake_bundle(tmp_path / "b")) as served:
        np.testing.assert_array_equal(read(await served.stylize(strength=0, mask=mask())), gradient())


@pytest.mark.parametrize("size", [(96, 64), (200, 133), (50, 70)])
async def test_what_is_kept_is_the_photo_at_the_size_of_the_result(tmp_path: Path, size: tuple[int, int]) -> None:
    """The photo is painted at another size than it is sent in and comes back in."""
    width, height = size
    wanted = {"image": photo(192, 128), "output_size": pb.Size(width=width, height=height)}
    async with serving(fake_bundle(tmp_path / "b"), working_size=64) as served:
        painted = read(await served.stylize(**wanted))
        result = read(await served.stylize(**wanted, mask=mask(png(left_half(192, 128)))))
    kept = images.resize(gradient(192, 128), width, height)
    np.testing.assert_array_equal(result[:, : width // 2 - 1], painted[:, : width // 2 - 1])
    np.testing.assert_array_equal(result[:, width // 2 + 1 :], kept[:, width // 2 + 1 :])


async def test_a_mask_lies_over_the_photo_turned_upright(tmp_path: Path) -> None:
    sideways = file_of_a_phone(phone())
    upright = images.decode(sideways)
    height, width = upright.shape[:2]
    assert (width, height) == SIZE[::-1]
    async with serving(fake_bundle(tmp_path / "b")) as served:
        result = read(await served.stylize(image=sideways, mask=mask(png(left_half(width, height)))))
        error = await refusal(served.stylize(image=sideways, mask=mask()))
    painted = left_half(width, height)[:, :, None] == 255
    np.testing.assert_array_equal(result, np.where(painted, 255 - upright, upright))
    assert "turn it" in str(error.details())


async def test_a_masked_result_says_that_a_model_edited_it(tmp_path: Path) -> None:
    async with serving(fake_bundle(tmp_path / "b")) as served:
        assert b"compositeWithTrainedAlgorithmicMedia" in (await served.stylize(mask=mask())).image


@pytest.mark.parametrize(
    ("given", "field", "told"),
    [
        (mask(b""), "mask", "is empty"),
        (mask(photo(format=Format.JPEG)), "mask", "no PNG"),
        (mask(flat((63, 48), 255)), "mask", "63x48 px, and the photo 64x48 px"),
        (mask(flat((48, 64), 255)), "mask", "turn it"),
        (mask(photo()), "mask", "has colours"),
        (mask(HALF[:-40]), "mask", "damaged"),
        (mask(png_of(60_000, 60_000, 8, GREY, b"\0" * 60)), "mask", "60000x60000 px"),
        (mask(feather=-0.1), "mask.feather", "give 0 to 0.1"),
        (mask(feather=0.11), "mask.feather", "give 0 to 0.1"),
        (mask(feather=math.nan), "mask.feather", "give 0 to 0.1"),
    ],
)
async def test_what_is_no_mask_is_refused(tmp_path: Path, given: pb.Mask, field: str, told: str) -> None:
    async with serving(fake_bundle(tmp_path / "b")) as served:
        error = await refusal(served.stylize(mask=given))
        unpainted = await refusal(served.stylize(mask=given, strength=0))
    assert error.code() == unpainted.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert fields(error) == [field]
    assert told in str(error.details())


async def test_the_widest_feather_is_allowed(tmp_path: Path) -> None:
    async with serving(fake_bundle(tmp_path / "b")) as served:
        assert (await served.stylize(mask=mask(feather=0.1))).image


async def test_the_log_tells_how_large_the_mask_was_and_nothing_else(tmp_path: Path) -> None:
    async with serving(fake_bundle(tmp_path / "b")) as served:
        await served.stylize(mask=mask())
        await served.stylize()
        with_mask, without = (line for line in served.lines if line["event"] == "call")
    assert with_mask["mask_bytes"] == len(HALF)
    assert with_mask.keys() - without.keys() == {"mask_bytes"}


async def test_results_under_other_masks_are_other_results(tmp_path: Path) -> None:
    engine = FakeEngine()
    masks = [None, mask(), mask(feather=0.01), mask(inverted=True), mask(png(left_half() // 2))]
    async with serving(fake_bundle(tmp_path / "b"), engine=engine, cache_bytes=10**6) as served:
        warm = len(engine.shapes)
        first = [(await served.stylize(mask=each)).image for each in masks]
        again = [(await served.stylize(mask=each)).image for each in masks]
    assert len(set(first)) == len(masks)
    assert first == again
    assert len(engine.shapes) == warm + len(masks)


async def test_one_mask_for_a_stream_covers_each_photo_that_has_none_of_its_own(tmp_path: Path) -> None:
    defaults = pb.StylizeRequest(style_id="ink", format=pb.IMAGE_FORMAT_PNG, mask=mask(inverted=True))
    async with serving(fake_bundle(tmp_path / "b")) as served:
        found = await answers(
            served,
            config(defaults=defaults),
            item("stream's"),
            item("own", mask=mask()),
            item("all", mask=mask(flat(SIZE, 255))),
            item("other size", photo(40, 30)),
            item("last"),
        )
    assert [answer.id for answer in found] == ["stream's", "own", "all", "other size", "last"]
    painted = left_half()[:, :, None] == 255
    right = np.where(painted, gradient(), 255 - gradient())
    np.testing.assert_array_equal(read(found[0].response), right)
    np.testing.assert_array_equal(read(found[1].response), np.where(painted, 255 - gradient(), gradient()))
    np.testing.assert_array_equal(read(found[2].response), 255 - gradient())
    assert "64x48 px, and the photo 40x30 px" in found[3].error.message
    np.testing.assert_array_equal(read(found[4].response), right)


@pytest.mark.parametrize(("given", "field"), [(mask(b""), "mask"), (mask(feather=2), "mask.feather")])
async def test_a_stream_whose_mask_can_be_none_ends_at_once(tmp_path: Path, given: pb.Mask, field: str) -> None:
    async with serving(fake_bundle(tmp_path / "b")) as served:
        error = await refusal(answers(served, config(defaults=pb.StylizeRequest(style_id="ink", mask=given))))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert fields(error) == [field]


async def test_a_job_keeps_its_mask_and_how_it_is_taken(tmp_path: Path) -> None:
    async with serving_jobs(tmp_path) as served:
        await served.create(mask=pb.Mask(image=HALF, feather=0.02, inverted=True))
        claim = await served.claim()
        assert claim.mask() == Mask(HALF, Masking(0.02, inverted=True))
        assert f"{claim.job.id}/mask" in blobs(tmp_path)


async def test_a_job_without_a_mask_has_none(tmp_path: Path) -> None:
    async with serving_jobs(tmp_path) as served:
        await served.create()
        assert (await served.claim()).mask() is None


async def test_a_request_made_again_is_the_same_job_only_with_the_same_mask(tmp_path: Path) -> None:
    others = [None, mask(png(left_half() // 2)), mask(feather=0.02), mask(inverted=True)]
    async with serving_jobs(tmp_path) as served:
        first = await served.create(mask=mask(), request_id="mine")
        again = await served.create(mask=mask(), request_id="mine")
        errors = [await refusal(served.create(mask=other, request_id="mine")) for other in others]
    assert first.name == again.name
    assert [error.code() for error in errors] == [grpc.StatusCode.ALREADY_EXISTS] * len(others)


@pytest.mark.parametrize("given", [mask(flat((63, 48), 255)), mask(photo()), mask(HALF[:-40]), mask(feather=2)])
async def test_a_job_with_what_is_no_mask_is_refused_before_it_is_queued(tmp_path: Path, given: pb.Mask) -> None:
    async with serving_jobs(tmp_path) as served:
        error = await refusal(served.create(mask=given))
        assert await served.names() == []
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert fields(error)[0].startswith("mask")

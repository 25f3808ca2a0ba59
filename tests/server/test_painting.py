"""What good requests get."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from impasto import images
from impasto.bundle import Bundle, write_bundle
from impasto.codes import Codes
from impasto.engine import Cancellation, FakeEngine
from impasto.images import Format, Planes
from impasto.logs import make_log
from impasto.v1 import stylizer_pb2 as pb
from impasto_server.server import running
from tests.server.support import Served, blend, connect, options, photo, read, serving
from tests.support import fake_bundle, gradient


@pytest.mark.parametrize(("width", "height"), [(16, 16), (17, 23), (333, 517), (1025, 769), (1600, 40), (4000, 3000)])
async def test_a_painting_has_exactly_the_size_of_its_photo(tmp_path: Path, width: int, height: int) -> None:
    async with serving(fake_bundle(tmp_path / "b")) as served:
        response = await served.stylize(image=photo(width, height))
    assert read(response).shape == (height, width, 3)
    assert (response.size.width, response.size.height) == (width, height)


async def test_a_photo_is_painted_as_the_negative_that_the_fake_style_is(tmp_path: Path) -> None:
    async with serving(fake_bundle(tmp_path / "b")) as served:
        response = await served.stylize(image=photo(61, 47))
    np.testing.assert_array_equal(read(response), 255 - gradient(61, 47))


async def test_the_engine_gets_multiples_of_the_bundles_size(tmp_path: Path) -> None:
    engine = FakeEngine()
    async with serving(fake_bundle(tmp_path / "b"), engine=engine) as served:
        await served.stylize(image=photo(61, 47))
    assert engine.shapes[-1] == (1, 3, 48, 64)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (pb.Size(width=30, height=50), (30, 50)),
        (pb.Size(width=32), (32, 24)),
        (pb.Size(height=96), (128, 96)),
        (pb.Size(), (64, 48)),
        (pb.Size(width=1), (1, 1)),
    ],
)
async def test_the_result_has_the_output_size_asked_for(
    tmp_path: Path, asked: pb.Size, expected: tuple[int, int]
) -> None:
    async with serving(fake_bundle(tmp_path / "b")) as served:
        response = await served.stylize(output_size=asked)
    assert (response.size.width, response.size.height) == expected
    assert read(response).shape[:2] == expected[::-1]


@pytest.mark.parametrize(
    ("width", "height", "asked", "expected"),
    [
        (400, 200, None, (100, 50)),  # the server's default, for a larger photo
        (80, 40, None, (80, 40)),  # not for a smaller one
        (80, 40, 160, (160, 80)),  # larger than the photo, when asked
        (400, 200, 60, (60, 30)),
        (400, 40, 64, (64, 16)),  # never below the smallest side
    ],
)
async def test_a_photo_is_painted_at_its_working_size(
    tmp_path: Path, width: int, height: int, asked: int | None, expected: tuple[int, int]
) -> None:
    async with serving(fake_bundle(tmp_path / "b"), working_size=100, max_working_size=200) as served:
        response = await served.stylize(image=photo(width, height), working_size=asked)
    assert (response.working_size.width, response.working_size.height) == expected
    assert read(response).shape == (height, width, 3)


async def test_strength_0_returns_the_photo_and_spares_the_engine(tmp_path: Path) -> None:
    engine = FakeEngine()
    async with serving(fake_bundle(tmp_path / "b"), engine=engine, working_size=50) as served:
        warm = len(engine.shapes)
        response = await served.stylize(image=photo(333, 217), strength=0)
    difference = read(response).astype(int) - gradient(333, 217)
    assert np.abs(difference).max() <= 1
    assert len(engine.shapes) == warm


async def test_strength_one_half_of_a_negative_is_grey(tmp_path: Path) -> None:
    async with serving(fake_bundle(tmp_path / "b")) as served:
        response = await served.stylize(strength=0.5)
    assert np.abs(read(response).astype(int) - 127.5).max() <= 1


class _Recorder(FakeEngine):
    def __init__(self) -> None:
        super().__init__()
        self.codes: list[Codes] = []

    def run(self, images: Planes, codes: Codes, cancellation: Cancellation | None = None) -> Planes:
        self.codes.append(codes)
        return super().run(images, codes, cancellation)


async def test_a_blend_is_the_weighted_mean_of_its_styles(tmp_path: Path) -> None:
    bundle = fake_bundle(tmp_path / "b", "ink", "gold")
    engine = _Recorder()
    async with serving(bundle, engine=engine) as served:
        response = await served.stylize(blend=blend([("ink", 3), ("test/gold", 1)]))
    expected = 0.75 * bundle.code("ink") + 0.25 * bundle.code("gold")
    np.testing.assert_allclose(engine.codes[-1][0], expected, atol=1e-6)
    np.testing.assert_array_equal(read(response), 255 - gradient())


@pytest.mark.parametrize(
    ("asked", "answered", "signature"),
    [
        (pb.IMAGE_FORMAT_UNSPECIFIED, pb.IMAGE_FORMAT_JPEG, b"\xff\xd8\xff"),
        (pb.IMAGE_FORMAT_JPEG, pb.IMAGE_FORMAT_JPEG, b"\xff\xd8\xff"),
        (pb.IMAGE_FORMAT_PNG, pb.IMAGE_FORMAT_PNG, b"\x89PNG"),
        (pb.IMAGE_FORMAT_WEBP, pb.IMAGE_FORMAT_WEBP, b"RIFF"),
    ],
)
async def test_the_result_has_the_format_asked_for(tmp_path: Path, asked: int, answered: int, signature: bytes) -> None:
    async with serving(fake_bundle(tmp_path / "b")) as served:
        response = await served.stylize(format=asked)
    assert response.format == answered
    assert response.image.startswith(signature)


async def test_a_lower_quality_makes_a_smaller_file(tmp_path: Path) -> None:
    async with serving(fake_bundle(tmp_path / "b")) as served:
        sizes = [
            len((await served.stylize(format=pb.IMAGE_FORMAT_JPEG, quality=quality)).image) for quality in (1, 100)
        ]
    assert sizes[0] < sizes[1]


@pytest.mark.parametrize("format", list(Format))
async def test_what_a_photo_is_is_read_from_its_content(tmp_path: Path, format: Format) -> None:
    async with serving(fake_bundle(tmp_path / "b")) as served:
        response = await served.stylize(image=photo(64, 48, format))
    assert read(response).shape == (48, 64, 3)


async def test_a_response_says_where_the_time_went(tmp_path: Path) -> None:
    async with serving(fake_bundle(tmp_path / "b")) as served:
        times = (await served.stylize()).stage_times
    assert all(getattr(times, stage).ToNanoseconds() > 0 for stage in ("decode", "queue", "engine", "encode"))


async def test_a_reply_may_be_larger_than_grpcs_default_limit(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1300, 1300, 3), np.uint8)
    async with serving(fake_bundle(tmp_path / "b")) as served:
        response = await served.stylize(image=images.encode(noise, format=Format.PNG), strength=0)
    assert len(response.image) > 4 * 1024**2


async def test_bundles_with_one_transformer_share_an_engine_and_can_be_blended(tmp_path: Path) -> None:
    first = fake_bundle(tmp_path / "a", "ink", name="first")
    manifest = {key: value for key, value in first.manifest.items() if key not in ("format_version", "files")} | {
        "name": "second"
    }
    files = {name: (first.path / name).read_bytes() for name in first.manifest["files"]}
    second = write_bundle(tmp_path / "b", manifest, files)
    opened = []

    def open_engine(bundle: Bundle) -> FakeEngine:
        opened.append(bundle.name)
        return FakeEngine()

    async with (
        running(options(first, second), open_engine=open_engine, log=make_log(stream=io.StringIO())) as server,
        connect(server) as channel,
    ):
        response = await Served(server, channel, io.StringIO()).stylize(
            blend=blend([("first/ink", 1), ("second/ink", 1)])
        )
    assert opened == ["first"]
    np.testing.assert_array_equal(read(response), 255 - gradient())


class _Fixed(FakeEngine):
    fixed_shapes = True


async def test_an_engine_of_fixed_shapes_gets_few_sizes_and_the_result_keeps_the_photos(tmp_path: Path) -> None:
    engine = _Fixed()
    async with serving(fake_bundle(tmp_path / "b"), engine=engine, working_size=300) as served:
        usual = {shape[2:] for shape in engine.shapes}
        responses = [await served.stylize(image=photo(width, 200)) for width in (296, 300, 304, 308)]
    assert {shape[2:] for shape in engine.shapes[-4:]} == {(196, 304)}
    assert (304, 304) in usual
    assert (236, 304) in usual
    assert [read(response).shape for response in responses] == [(200, width, 3) for width in (296, 300, 304, 308)]

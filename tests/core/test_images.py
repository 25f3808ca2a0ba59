"""Sound pictures arrive as a viewer would show them, and leave as asked for."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image

from impasto import images
from impasto.errors import InvalidInput
from tests.core import profiles
from tests.core.decoding_memory import shape_and_kilobytes
from tests.core.pngs import GREY, GREY_ALPHA, RGB, RGB_ALPHA, png
from tests.support import gradient

SIZE = (32, 24)


def file_of(image: Image.Image, format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def colour_of(data: bytes) -> list[int]:
    """Return the one colour that a decoded file has."""
    pixels = images.decode(data)
    assert pixels.dtype == np.uint8
    assert (pixels == pixels[0, 0]).all()
    return [int(value) for value in pixels[0, 0]]


def upright() -> Image.Image:
    """Return a picture no two of whose turns and mirrorings look alike."""
    return Image.fromarray(gradient(48, 32))


# Formats


@pytest.mark.parametrize("format", ["PNG", "WEBP"])
def test_a_lossless_picture_is_decoded_to_the_last_bit(format: str) -> None:
    data = file_of(upright(), format, lossless=True)

    assert (images.decode(data) == gradient(48, 32)).all()


@pytest.mark.parametrize("progressive", [False, True], ids=["baseline", "progressive"])
def test_a_jpeg_is_decoded_closely(progressive: bool) -> None:
    data = file_of(upright(), "JPEG", quality=95, progressive=progressive)

    assert np.abs(images.decode(data).astype(int) - gradient(48, 32)).mean() < 3


@pytest.mark.parametrize("format", ["PNG", "WEBP"])
def test_of_an_animation_the_first_frame_is_decoded(format: str) -> None:
    first, second = Image.new("RGB", SIZE, (200, 0, 0)), Image.new("RGB", SIZE, (0, 200, 0))
    data = file_of(first, format, save_all=True, append_images=[second], lossless=True)

    assert colour_of(data) == [200, 0, 0]


def test_of_a_jpeg_with_several_pictures_the_first_is_decoded() -> None:
    first, second = Image.new("RGB", SIZE, (0, 0, 0)), Image.new("RGB", SIZE, (255, 255, 255))
    data = file_of(first, "MPO", save_all=True, append_images=[second])

    assert colour_of(data) == [0, 0, 0]


# Orientation

TURNED: dict[
    int, Callable[[Image.Image], Image.Image]
] = {  # how a camera stores an upright picture, by EXIF orientation
    1: lambda image: image,
    2: lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    3: lambda image: image.transpose(Image.Transpose.ROTATE_180),
    4: lambda image: image.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
    5: lambda image: image.transpose(Image.Transpose.TRANSPOSE),
    6: lambda image: image.transpose(Image.Transpose.ROTATE_90),
    7: lambda image: image.transpose(Image.Transpose.TRANSVERSE),
    8: lambda image: image.transpose(Image.Transpose.ROTATE_270),
}


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", TURNED)
def test_every_orientation_is_turned_upright(orientation: int, format: str) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    data = file_of(TURNED[orientation](upright()), format, exif=exif, quality=95)

    pixels = images.decode(data)

    assert pixels.shape == (32, 48, 3)
    assert np.abs(pixels.astype(int) - gradient(48, 32)).mean() < 3


@pytest.mark.parametrize(
    "exif",
    [
        pytest.param(b"Exif\0\0no TIFF at all", id="no TIFF"),
        pytest.param(b"Exif\0\0II*\0\x08\0\0\0", id="ends early"),
        pytest.param(b"Exif\0\0II*\0\x08\0\0\0\x01\0" + struct.pack("<HHII", 0x0112, 3, 1, 99), id="orientation 99"),
    ],
)
def test_an_unreadable_orientation_is_passed_over(exif: bytes) -> None:
    data = file_of(Image.new("RGB", SIZE, (9, 99, 199)), "PNG", exif=exif)

    assert colour_of(data) == [9, 99, 199]


# Colour


@pytest.mark.parametrize(
    ("stored", "profile", "shown"),
    [
        pytest.param(Image.new("RGB", SIZE, (255, 0, 0)), profiles.rotated_rgb(), [0, 255, 0], id="RGB"),
        pytest.param(Image.new("RGBA", SIZE, (255, 0, 0, 255)), profiles.rotated_rgb(), [0, 255, 0], id="RGBA"),
        pytest.param(Image.new("RGB", SIZE, (255, 0, 0)).quantize(2), profiles.rotated_rgb(), [0, 255, 0], id="P"),
        pytest.param(Image.new("L", SIZE, 128), profiles.linear_grey(), [188] * 3, id="L"),
        pytest.param(Image.new("LA", SIZE, (128, 255)), profiles.linear_grey(), [188] * 3, id="LA"),
        pytest.param(Image.new("I;16", SIZE, 128 * 257), profiles.linear_grey(), [188] * 3, id="16-bit"),
    ],
)
def test_a_profile_is_converted_to_srgb(stored: Image.Image, profile: bytes, shown: list[int]) -> None:
    data = file_of(stored, "PNG", icc_profile=profile)

    assert np.abs(np.subtract(colour_of(data), shown)).max() <= 1


@pytest.mark.parametrize("format", ["JPEG", "WEBP"])
def test_a_profile_is_found_in_every_format(format: str) -> None:
    data = file_of(Image.new("RGB", SIZE, (255, 0, 0)), format, icc_profile=profiles.rotated_rgb(), quality=100)

    assert np.abs(np.subtract(colour_of(data), [0, 255, 0])).max() <= 8


def test_a_cmyk_profile_is_converted_to_srgb() -> None:
    bare, inked = (
        file_of(Image.new("CMYK", SIZE, (0, 0, 0, ink)), "JPEG", icc_profile=profiles.negative_cmyk())
        for ink in (0, 255)
    )

    assert colour_of(bare) == [0, 0, 0]
    assert colour_of(inked) == [255, 255, 255]


def test_threads_may_convert_at_once() -> None:
    data = file_of(upright(), "PNG", icc_profile=profiles.rotated_rgb())
    expected = images.decode(data)

    with ThreadPoolExecutor(8) as pool:
        assert all((pixels == expected).all() for pixels in pool.map(images.decode, [data] * 64))


@pytest.mark.parametrize(
    ("mode", "colour", "profile"),
    [
        pytest.param("RGB", (10, 200, 90), profiles.linear_grey(), id="a grey one on RGB"),
        pytest.param("RGB", (10, 200, 90), profiles.negative_cmyk(), id="a CMYK one on RGB"),
        pytest.param("L", 77, profiles.rotated_rgb(), id="an RGB one on grey"),
        pytest.param("RGB", (10, 200, 90), b"no profile", id="a broken one"),
        pytest.param("RGB", (10, 200, 90), profiles.rotated_rgb()[:200], id="half a one"),
    ],
)
def test_a_profile_that_does_not_fit_is_ignored(mode: str, colour: Any, profile: bytes) -> None:
    image = Image.new(mode, SIZE, colour)

    assert colour_of(file_of(image, "PNG", icc_profile=profile)) == colour_of(file_of(image, "PNG"))


def test_cmyk_without_a_profile_is_ink_on_paper() -> None:
    assert colour_of(file_of(Image.new("CMYK", SIZE, (0, 0, 0, 0)), "JPEG")) == [255, 255, 255]
    assert colour_of(file_of(Image.new("CMYK", SIZE, (0, 0, 0, 255)), "JPEG")) == [0, 0, 0]


def u16(*values: int) -> bytes:
    return struct.pack(f">{len(values)}H", *values)


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        pytest.param(file_of(Image.new("L", SIZE, 77), "JPEG"), [77] * 3, id="grey JPEG"),
        pytest.param(file_of(Image.new("1", SIZE, 1), "PNG"), [255] * 3, id="1 bit"),
        pytest.param(png(16, 16, 2, GREY, b"\x55" * 4), [85] * 3, id="2-bit grey"),
        pytest.param(png(16, 16, 16, GREY, u16(0x00FF) * 16), [1] * 3, id="16-bit grey, rounded"),
        pytest.param(png(16, 16, 16, RGB, u16(0x8080, 0x1212, 0xFFFF) * 16), [128, 18, 255], id="16-bit RGB"),
    ],
)
def test_every_depth_is_accepted(data: bytes, shown: list[int]) -> None:
    assert colour_of(data) == shown


def test_a_profile_is_not_taken_for_another_that_came_before() -> None:
    red = Image.new("RGB", SIZE, (255, 0, 0))
    rotated, plain = file_of(red, "PNG", icc_profile=profiles.rotated_rgb()), file_of(red, "PNG")
    large = file_of(red, "PNG", icc_profile=profiles.rotated_rgb() + bytes(100_000))

    for _ in range(2):
        assert colour_of(rotated)[1] > 250
        assert colour_of(large)[1] > 250
        assert colour_of(plain) == [255, 0, 0]


# Transparency: half of black over white is grey, and what is wholly transparent is white.


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
@pytest.mark.parametrize(("alpha", "shown"), [(255, 0), (127, 128), (0, 255)])
def test_alpha_lets_white_paper_through(mode: str, alpha: int, shown: int) -> None:
    data = file_of(Image.new(mode, SIZE, (0, alpha) if mode == "LA" else (0, 0, 0, alpha)), "PNG")

    assert colour_of(data) == [shown] * 3


def test_alpha_of_a_webp_lets_white_paper_through() -> None:
    assert colour_of(file_of(Image.new("RGBA", SIZE, (0, 0, 0, 127)), "WEBP", lossless=True)) == [128] * 3


@pytest.mark.parametrize(
    ("transparency", "shown"), [(0, [255] * 3), (1, [255, 0, 0]), (b"\x7f", [255, 128, 128])], ids=["it", "no", "half"]
)
def test_a_transparent_palette_entry_lets_white_paper_through(transparency: int | bytes, shown: list[int]) -> None:
    image = Image.new("P", SIZE, 0)
    image.putpalette([255, 0, 0, 0, 0, 255])

    assert colour_of(file_of(image, "PNG", transparency=transparency)) == shown


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(png(16, 16, 1, GREY, b"\0\0", (b"tRNS", u16(0))), id="1 bit"),
        pytest.param(png(16, 16, 8, GREY, b"\x10" * 16, (b"tRNS", u16(0x10))), id="grey"),
        pytest.param(png(16, 16, 8, RGB, b"\x10\x20\x30" * 16, (b"tRNS", u16(0x10, 0x20, 0x30))), id="RGB"),
        pytest.param(png(16, 16, 16, GREY, u16(0x1234) * 16, (b"tRNS", u16(0x1234))), id="16-bit grey"),
        pytest.param(png(16, 16, 16, GREY_ALPHA, u16(0x1234, 0) * 16), id="16-bit grey, alpha"),
        pytest.param(png(16, 16, 16, RGB_ALPHA, u16(1, 2, 3, 0) * 16), id="16-bit RGB, alpha"),
    ],
)
def test_a_transparent_shade_is_white(data: bytes) -> None:
    assert colour_of(data) == [255] * 3


def test_another_shade_than_the_transparent_one_stays() -> None:
    assert colour_of(png(16, 16, 16, GREY, u16(0x1235) * 16, (b"tRNS", u16(0x1234)))) == [18] * 3


# Decoding to a size


def scene(width: int, height: int) -> images.Pixels:
    """Return a picture with soft edges everywhere, as a photo has them, no two of whose turns look alike."""
    noise = np.random.default_rng(0).integers(0, 256, (height // 8, width // 8, 3)).astype(np.uint8)
    return images.resize(noise, width, height)


def distance(pixels: images.Pixels, other: images.Pixels) -> float:
    return float(np.abs(pixels.astype(int) - other).mean())


@pytest.mark.parametrize("format", list(images.Format), ids=lambda kind: kind.value)
@pytest.mark.parametrize("size", [(37, 19), (80, 40), (201, 101), (400, 200), (403, 199), (500, 260)])
def test_a_picture_decoded_to_a_size_is_what_it_is_when_scaled_afterwards(
    format: images.Format, size: tuple[int, int]
) -> None:
    data = images.encode(scene(403, 199), format=format)
    file = images.PictureFile(data)

    pixels = file.decode(size)

    assert file.size == (403, 199)
    assert pixels.shape == (size[1], size[0], 3)
    assert distance(pixels, images.resize(images.decode(data), *size)) < 2


@pytest.mark.parametrize("orientation", TURNED)
def test_a_picture_decoded_to_a_size_is_upright(orientation: int) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    data = file_of(TURNED[orientation](Image.fromarray(scene(400, 240))), "JPEG", exif=exif, quality=95)
    file = images.PictureFile(data)

    pixels = file.decode((70, 40))

    assert file.size == (400, 240)
    assert distance(pixels, images.resize(scene(400, 240), 70, 40)) < 2


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_a_jpeg_without_rgb_is_decoded_to_a_size(mode: str) -> None:
    data = file_of(Image.fromarray(scene(400, 240)).convert(mode), "JPEG", quality=95)

    pixels = images.PictureFile(data).decode((70, 40))

    assert distance(pixels, images.resize(images.decode(data), 70, 40)) < 2


def test_a_picture_decoded_to_a_size_is_in_srgb() -> None:
    data = file_of(Image.new("RGB", (400, 240), (255, 0, 0)), "JPEG", icc_profile=profiles.rotated_rgb(), quality=100)

    pixels = images.PictureFile(data).decode((70, 40))

    assert np.abs(pixels.astype(int) - [0, 255, 0]).max() <= 8


def test_a_transparent_picture_decoded_to_a_size_has_no_fringe() -> None:
    image = Image.new("RGBA", (64, 64), (255, 0, 0, 0))  # red is what is not to be seen
    image.paste((255, 255, 255, 255), (0, 0, 32, 64))

    pixels = images.PictureFile(file_of(image, "PNG")).decode((20, 20))

    assert (pixels == 255).all()


def test_a_file_may_be_decoded_again_and_larger() -> None:
    data = images.encode(scene(400, 240))
    file = images.PictureFile(data)

    assert file.decode((40, 24)).shape == (24, 40, 3)
    assert (file.decode() == images.decode(data)).all()


def test_a_png_that_tells_its_orientation_last_has_its_upright_size() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    told = exif.tobytes().removeprefix(b"Exif\0\0")
    data = png(20, 30, 8, RGB, b"\x09" * 60)
    end = data.rindex(b"IEND") - 4
    chunk = struct.pack(">I", len(told)) + b"eXIf" + told + struct.pack(">I", zlib.crc32(b"eXIf" + told))

    file = images.PictureFile(data[:end] + chunk + data[end:])

    assert file.size == (30, 20)
    assert file.decode().shape == (20, 30, 3)


def test_a_jpeg_of_48_megapixels_takes_little_memory_when_it_is_wanted_small(tmp_path: Path) -> None:
    (tmp_path / "vast.jpg").write_bytes(file_of(Image.new("RGB", (8000, 6000), (9, 99, 199)), "JPEG"))

    shape, kilobytes = shape_and_kilobytes(tmp_path / "vast.jpg")

    assert shape == "(960,1280,3)"
    assert kilobytes < 60_000  # whole, it would be 144 MB, and 192 while it is decoded


# Encoding


@pytest.mark.parametrize("format", list(images.Format), ids=lambda kind: kind.value)
def test_what_is_encoded_is_of_the_format_and_decodes_to_the_same_picture(format: images.Format) -> None:
    data = images.encode(gradient(), format=format, quality=95)

    with Image.open(io.BytesIO(data)) as file:
        assert file.format == format.value
        assert Image.MIME[format.value] == format.media_type
    assert np.abs(images.decode(data).astype(int) - gradient()).mean() < 3


def test_png_loses_nothing() -> None:
    assert (images.decode(images.encode(gradient(), format=images.Format.PNG)) == gradient()).all()


@pytest.mark.parametrize("size", [None, (64, 48), (30, 50), (160, 120)])
def test_planes_are_encoded_as_their_pixels_are(size: tuple[int, int] | None) -> None:
    planes = images.to_planes(gradient(68, 52))[:, :, :48, :64]
    pixels = images.to_pixels(planes)

    data = images.encode_planes(planes, size=size, format=images.Format.WEBP, quality=80)

    assert data == images.encode(pixels, size=size, format=images.Format.WEBP, quality=80)
    assert data == images.encode(images.resize(pixels, *(size or (64, 48))), format=images.Format.WEBP, quality=80)


def test_a_system_without_files_in_memory_writes_the_same_jpeg(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = images.encode(gradient())
    monkeypatch.delattr("os.memfd_create")

    assert images.encode(gradient()) == expected


def test_a_jpeg_leaves_no_file_open() -> None:
    images.encode(gradient())
    before = len(list(Path("/proc/self/fd").iterdir()))

    images.encode(gradient())

    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_it_is_the_scaled_picture_that_a_format_must_hold() -> None:
    narrow = np.zeros((16, 32, 3), np.uint8)

    with pytest.raises(InvalidInput, match="WEBP holds at most 16383 px a side, not 16384x16"):
        images.encode(narrow, size=(16_384, 16), format=images.Format.WEBP)


@pytest.mark.parametrize("quality", [0, 101, -1])
def test_a_quality_out_of_range_is_refused(quality: int) -> None:
    with pytest.raises(InvalidInput, match=f"{quality} is out of range; give 1 to 100") as caught:
        images.encode(gradient(), quality=quality)
    assert caught.value.field == "quality"


@pytest.mark.parametrize("format", [images.Format.JPEG, images.Format.WEBP], ids=lambda kind: kind.value)
def test_a_side_that_the_format_cannot_hold_is_refused(format: images.Format) -> None:
    widest = np.zeros((16, format.max_side, 3), np.uint8)
    assert images.encode(widest, format=format)

    with pytest.raises(InvalidInput, match=f"at most {format.max_side} px a side"):
        images.encode(np.zeros((16, format.max_side + 1, 3), np.uint8), format=format)


# Sizes and planes


def test_resizing_gives_the_size_asked_for_and_leaves_one_that_fits_alone() -> None:
    picture = gradient(64, 48)

    assert images.resize(picture, 20, 30).shape == (30, 20, 3)
    assert images.resize(picture, 64, 48) is picture


@pytest.mark.parametrize(
    ("size", "long_side", "fitted"),
    [((4000, 3000), 1000, (1000, 750)), ((300, 400), 800, (600, 800)), ((5000, 1), 100, (100, 1))],
    ids=["smaller", "larger", "never nothing"],
)
def test_fitting_keeps_the_proportions(size: tuple[int, int], long_side: int, fitted: tuple[int, int]) -> None:
    assert images.fit(*size, long_side) == fitted


def test_all_values_survive_the_way_to_planes_and_back() -> None:
    pixels = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)

    planes = images.to_planes(pixels)

    assert planes.shape == (1, 3, 16, 16)
    assert planes.dtype == np.float32
    assert planes.flags.c_contiguous
    assert (planes.min(), planes.max()) == (0, 1)
    assert (images.to_pixels(planes) == pixels).all()


@pytest.mark.parametrize(("width", "height"), [(1, 1), (3, 5), (700, 300), (30_000, 2)])
def test_pictures_of_every_shape_survive_the_way_to_planes_and_back(width: int, height: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)

    assert (images.to_pixels(images.to_planes(pixels)) == pixels).all()


def test_planes_are_clipped_and_rounded_to_nearest() -> None:
    planes = (
        np.asarray([-1.0, 0.4 / 255, 0.6 / 255, 1.5], np.float32).repeat(3).reshape(1, 2, 2, 3).transpose(0, 3, 1, 2)
    )

    assert images.to_pixels(planes)[:, :, 0].tolist() == [[0, 0], [1, 255]]

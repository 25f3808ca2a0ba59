"""Honest pictures are never taken for hostile ones: they are decoded to the same pixels as by Pillow alone."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from benchmarks.hostile_parts import png
from impasto import images
from tests.core.jpegs import after_start, saved, segment
from tests.support import gradient


def as_pillow_decodes_it(file: bytes) -> images.Pixels:
    with Image.open(io.BytesIO(file)) as image:
        return np.asarray(image.convert("RGB"))


def test_a_photo_of_a_phone_is_read_with_all_that_comes_with_it() -> None:
    picture = Image.fromarray(gradient(400, 300))
    gain_map = saved(picture.resize((100, 75)), progressive=True)
    rotated = struct.pack("<4sIHHHIHHI", b"II*\0", 8, 1, 0x0112, 3, 1, 6, 0, 0).ljust(60_000, b"\x07")
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes().ljust(150_000, b"\0")
    parts = [srgb[at : at + 65_000] for at in range(0, len(srgb), 65_000)]
    plain = saved(picture, quality=95)
    data = after_start(
        plain,
        segment(0xE1, b"Exif\0\0" + rotated),
        segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + b"<x/>" * 2000),
        *[segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + bytes(65_000))] * 200,
        *(segment(0xE2, b"ICC_PROFILE\0" + bytes((k + 1, len(parts))) + part) for k, part in enumerate(parts)),
        segment(0xE2, b"MPF\0II*\0\x08\0\0\0"),
        segment(0xED, b"Photoshop 3.0\0"),
        segment(0xFE, b"a comment"),
    )

    file = images.PictureFile(data + gain_map + b"\0\0\0\x18ftypmp42" + bytes(100_000))

    assert file.size == (300, 400)
    assert np.abs(file.decode().astype(int) - np.rot90(images.decode(plain), -1)).max() <= 1


@pytest.mark.parametrize(
    ("mode", "options"),
    [
        pytest.param(mode, options, id=" ".join((mode, *map(str, options))))
        for mode in ("L", "RGB", "CMYK")
        for options in (
            {},
            {"progressive": True},
            {"subsampling": 2},
            {"restart_marker_blocks": 1},
            {"optimize": True, "quality": 10},
            {"comment": b"hello", "dpi": (300, 300)},
        )
    ],
)
def test_every_jpeg_that_pillow_writes_is_decoded_as_pillow_does(mode: str, options: dict[str, Any]) -> None:
    data = saved(Image.fromarray(gradient(200, 150)).convert(mode), **options)

    assert (images.decode(data) == as_pillow_decodes_it(data)).all()


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
@pytest.mark.parametrize("options", [{}, {"bits": 4}, {"compress_level": 0}, {"dpi": (72, 72)}], ids=str)
def test_every_opaque_png_that_pillow_writes_is_decoded_as_pillow_does(mode: str, options: dict[str, Any]) -> None:
    data = saved(Image.fromarray(gradient(200, 150)).convert(mode), "PNG", **options)

    assert (images.decode(data) == as_pillow_decodes_it(data)).all()


@pytest.mark.parametrize("mode", ["LA", "RGBA", "I;16"])
@pytest.mark.parametrize("format", ["PNG", "WEBP"])
def test_every_other_mode_that_pillow_writes_is_decoded(mode: str, format: str) -> None:
    image = Image.new("I;16", (64, 48), 999) if mode == "I;16" else Image.fromarray(gradient()).convert(mode)
    if format == "WEBP" and mode == "I;16":
        image = image.convert("L")

    assert images.decode(saved(image, format)).shape == (48, 64, 3)


@pytest.mark.parametrize(
    "options",
    [{}, {"lossless": True}, {"exif": b"Exif\0\0II*\0"}, {"xmp": b"<x/>"}, {"exact": True, "quality": 3}],
    ids=str,
)
def test_every_webp_that_pillow_writes_is_decoded_as_pillow_does(options: dict[str, Any]) -> None:
    data = saved(Image.fromarray(gradient(200, 150)), "WEBP", **options)

    assert (images.decode(data) == as_pillow_decodes_it(data)).all()


def test_an_interlaced_png_is_decoded_as_another() -> None:
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    values = gradient(37, 29)[..., 0]
    rows = [b"\0" + row.tobytes() for x, y, right, down in passes for row in values[y::down, x::right]]
    header = struct.pack(">IIBBBBB", 37, 29, 8, 0, 0, 0, 1)

    pixels = images.decode(png(("IHDR", header), ("IDAT", zlib.compress(b"".join(rows)))))

    assert (pixels == values[..., None]).all()


@pytest.mark.parametrize("format", ["PNG", "WEBP"])
def test_an_animation_of_many_frames_is_read(format: str) -> None:
    frames = [Image.new("RGB", (32, 32), (k % 256, k // 2, 9)) for k in range(400)]

    data = saved(frames[0], format, save_all=True, append_images=frames[1:], lossless=True)

    assert images.decode(data)[0, 0].tolist() == [0, 0, 9]


def test_a_png_in_the_small_pieces_that_some_programs_write_is_read() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (900, 900, 3)).astype(np.uint8)
    whole = saved(Image.fromarray(noise), "PNG", compress_level=0)
    at = whole.index(b"IDAT") - 4
    header, stream = whole[16:29], zlib.compress(b"".join(b"\0" + row.tobytes() for row in noise))
    pieces = [("IDAT", stream[k : k + 512]) for k in range(0, len(stream), 512)]

    assert (images.decode(png(("IHDR", header), *pieces)) == noise).all()
    assert at > 0


def test_what_hangs_behind_a_picture_does_not_matter() -> None:
    for kind in images.Format:
        data = images.encode(gradient(), format=kind)

        assert (images.decode(data + b"PK\x03\x04<script>" + bytes(1000)) == images.decode(data)).all()


@pytest.mark.data
def test_photos_and_paintings_are_decoded_as_pillow_does(data: Path) -> None:
    folders = ("photos_open", "photos_large", "photos_research", "paintings")
    files = sorted(file for folder in folders for file in (data / folder).glob("*.jp*g"))
    assert files

    for file in files:
        content = file.read_bytes()
        picture = images.PictureFile(content, limits=images.Limits(max_pixels=400_000_000))
        with Image.open(file) as image:
            plain = image.mode == "RGB" and "icc_profile" not in image.info and image.getexif().get(0x0112, 1) == 1
            assert picture.size == image.size or not plain, file
        assert not plain or (picture.decode() == as_pillow_decodes_it(content)).all(), file

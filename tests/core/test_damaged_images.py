"""Whatever the bytes, the answer is a picture or one of our own errors, soon and in little memory."""

from __future__ import annotations

import io
import re
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from impasto import images
from impasto.containers.jpeg import MAX_SCANS
from impasto.errors import ImageTooLarge, InvalidInput, UnreadableImage
from tests.core.pngs import GREY, RGB, png
from tests.support import gradient

FORMATS = pytest.mark.parametrize("format", list(images.Format), ids=lambda kind: kind.value)
ROW = b"\x10" * 16


def gif() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(gradient()).save(buffer, "GIF")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"", "is empty; send the bytes", id="nothing"),
        pytest.param(b"Dear Sir or Madam", "starts with b'Dear Sir or ', which is no JPEG", id="text"),
        pytest.param(gif(), "starts with b'GIF8", id="GIF"),
        pytest.param(b"RIFF\x24\0\0\0WAVEfmt ", "starts with b'RIFF", id="WAVE"),
        pytest.param(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "which is no JPEG", id="SVG"),
        pytest.param(b"\xff\xd8\xff", "is a damaged picture", id="JPEG signature alone"),
        pytest.param(b"\x89PNG\r\n\x1a\n", "is a damaged picture", id="PNG signature alone"),
        pytest.param(b"RIFF\0\0\0\0WEBP", "is a damaged picture", id="WebP signature alone"),
    ],
)
def test_what_is_no_picture_is_refused_with_a_reason(data: bytes, reason: str) -> None:
    with pytest.raises(UnreadableImage, match=re.escape(reason)) as caught:
        images.decode(data, field="photo")
    assert caught.value.field == "photo"


@FORMATS
def test_a_file_cut_short_is_refused_or_has_lost_nothing(format: images.Format) -> None:
    whole = images.encode(gradient(), format=format)
    picture = images.decode(whole)
    refused = 0

    for end in range(len(whole)):
        try:
            assert (images.decode(whole[:end]) == picture).all()
        except UnreadableImage:
            refused += 1

    assert refused >= len(whole) - 24  # a PNG ends with checksums and a chunk that only says so


def test_a_jpeg_cut_short_is_refused_at_a_reduced_scale_too() -> None:
    whole = images.encode(gradient(160, 120))
    images.PictureFile(whole).decode((20, 15))

    for end in range(0, len(whole) - 2, 7):
        with pytest.raises(UnreadableImage):
            images.PictureFile(whole[:end]).decode((20, 15))


@FORMATS
@pytest.mark.parametrize("size", [None, (20, 15)], ids=["whole", "small"])
def test_flipped_bytes_raise_no_foreign_error(format: images.Format, size: images.Size | None) -> None:
    rng = np.random.default_rng(20)
    whole = np.frombuffer(images.encode(gradient(), format=format), np.uint8)
    limits = images.Limits(max_pixels=1_000_000)

    for _ in range(400):
        mutant = whole.copy()
        places = rng.integers(0, len(mutant), size=rng.integers(1, 8))
        mutant[places] = rng.integers(0, 256, size=len(places))
        try:
            pixels = images.PictureFile(mutant.tobytes(), limits=limits).decode(size)
        except InvalidInput:
            continue
        assert pixels.shape[2] == 3


def test_headers_of_every_kind_raise_no_foreign_error() -> None:
    rng = np.random.default_rng(21)
    starts = [images.encode(gradient(), format=kind)[:20] for kind in images.Format]

    for k in range(300):
        with pytest.raises(InvalidInput):
            images.decode(starts[k % len(starts)] + rng.bytes(200))


@pytest.mark.parametrize(
    ("width", "height", "error"),
    [
        pytest.param(50_000, 50_000, ImageTooLarge, id="bomb"),
        pytest.param(2**31 - 1, 2**31 - 1, ImageTooLarge, id="as large as a header can say"),
        pytest.param(1, 1, InvalidInput, id="1x1"),
        pytest.param(1, 5000, InvalidInput, id="a line"),
        pytest.param(images.MIN_SIDE - 1, 100, InvalidInput, id="a little too narrow"),
    ],
)
def test_the_size_is_judged_by_the_header(width: int, height: int, error: type[InvalidInput]) -> None:
    with pytest.raises(error, match=f"{width}x{height} px"):  # there are no pixels in the file to decode
        images.decode(png(width, height, 8, RGB, b""))


def test_a_webp_of_a_vast_canvas_is_refused() -> None:
    buffer = io.BytesIO()
    Image.fromarray(gradient()).save(buffer, "WEBP", lossless=True)
    data = bytearray(buffer.getvalue())
    assert data[12:16] == b"VP8L"
    data[21:25] = struct.pack("<I", 16_382 | 16_382 << 14)  # width and height less 1, of 14 bits each

    with pytest.raises(ImageTooLarge):
        images.decode(bytes(data))


def test_the_limits_are_the_callers() -> None:
    data = images.encode(gradient(100, 100))

    assert images.decode(data, limits=images.Limits(max_pixels=10_000)).shape == (100, 100, 3)
    with pytest.raises(ImageTooLarge, match="at most 9,999 are allowed"):
        images.decode(data, limits=images.Limits(max_pixels=9_999))
    with pytest.raises(InvalidInput, match="at least 101 px"):
        images.decode(data, limits=images.Limits(min_side=101))


def test_a_profile_that_swells_is_refused() -> None:
    swollen = b"name\0\0" + zlib.compress(bytes(64_000_000))

    with pytest.raises(UnreadableImage, match="has a colour profile of more than 4 MiB"):
        images.decode(png(16, 16, 8, GREY, ROW, (b"iCCP", swollen)))


def test_a_text_that_swells_is_not_looked_at() -> None:
    swollen = b"name\0\0" + zlib.compress(bytes(64_000_000))

    assert (images.decode(png(16, 16, 8, GREY, ROW, (b"zTXt", swollen))) == 0x10).all()


def test_a_jpeg_that_is_all_scans_is_refused() -> None:
    buffer = io.BytesIO()
    Image.fromarray(gradient()).save(buffer, "JPEG", progressive=True)
    data = buffer.getvalue()
    last_scan = data[data.rindex(b"\xff\xda") : -2]

    with pytest.raises(UnreadableImage, match=f"at most {MAX_SCANS} are read"):
        images.decode(data[:-2] + last_scan * MAX_SCANS + data[-2:])

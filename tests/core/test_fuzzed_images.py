"""Whatever bytes are sent as a picture, what comes of it is a picture within the limits or one of our errors."""

from __future__ import annotations

import contextlib
import io
import os
import re
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from benchmarks.hostile_files import hostile
from benchmarks.processes import forget_peak
from impasto import apart, exif, images
from impasto.errors import InvalidInput
from impasto.headers import read_header
from tests.support import gradient

fuzzing = settings(
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=400,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
LIMITS = images.Limits(max_pixels=1_000_000)
MEMORY = 200_000  # kB that a picture of a million pixels may take, and what Hypothesis keeps meanwhile

SIGNATURES = [
    b"\xff\xd8\xff",
    b"\xff\xd8\xff\xe0\0\x10JFIF\0",
    b"\xff\xd8\xff\xe1\0\x40Exif\0\0II*\0",
    b"\xff\xd8\xff\xc2\0\x11\x08\0\x40\0\x40\x03\1\x22\0\2\x11\1\3\x11\1",
    b"\x89PNG\r\n\x1a\n",
    b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x40\0\0\0\x40\x08\x06\0\0\0\xaa\x69\x71\xde",
    b"RIFF\x40\0\0\0WEBP",
    b"RIFF\x40\0\0\0WEBPVP8L\x30\0\0\0/\x3f\xc0\x0f",
    b"RIFF\x40\0\0\0WEBPVP8X\x0a\0\0\0\x12\0\0\0\x3f\0\0\x3f\0\0",
    b"\0\0\0\x14ftypavif\0\0\0\0mif1",
    b"\0\0\0\x14ftypheic\0\0\0\0mif1\0\0\1\0meta\0\0\0\0\0\0\0\x0epitm\0\0\0\0\0\1",
]


def saved(image: Image.Image, format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def valid() -> list[bytes]:
    """Return files of each format, with and without what pictures come with."""
    rgb = Image.fromarray(gradient())
    alpha = rgb.convert("RGBA")
    alpha.putalpha(128)
    block = Image.Exif()
    block[exif.ORIENTATION] = 6
    tags = {
        "icc_profile": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
        "exif": block.tobytes(),
        "xmp": b"<x:xmpmeta/>",
    }
    return [
        saved(rgb, "JPEG", **tags),
        saved(rgb, "JPEG", progressive=True, subsampling=2),
        saved(rgb.convert("CMYK"), "JPEG", restart_marker_blocks=2),
        saved(rgb.convert("L"), "JPEG"),
        saved(rgb, "PNG", **tags),
        saved(alpha, "PNG"),
        saved(rgb.quantize(16), "PNG", transparency=b"\x40\x80"),
        saved(Image.new("I;16", (64, 48), 999), "PNG"),
        saved(rgb, "PNG", save_all=True, append_images=[alpha.convert("RGB")]),
        saved(rgb, "WEBP", **tags),
        saved(alpha, "WEBP", lossless=True),
        saved(alpha, "WEBP", save_all=True, append_images=[rgb], **tags),
        saved(rgb, "AVIF", **tags),
        saved(alpha, "AVIF"),
        saved(rgb, "AVIF", save_all=True, append_images=[rgb]),
    ]


VALID = valid()
SLOW = ("MB", "beyond", "500,000")  # to make
HEICS = [file.read_bytes() for file in (Path(__file__).parent / "fixtures").glob("*.heic")]
NAMES = [name for name in hostile((64, 48), 4096) if not any(word in name for word in (*SLOW, "HEIC"))]


def check(data: bytes) -> None:
    """Read a picture as the server does."""
    try:
        file = images.PictureFile(data, limits=LIMITS)
        pixels = file.decode((20, 15))
        whole = file.decode()
    except InvalidInput as caught:
        error = caught
    else:
        assert pixels.shape == (15, 20, 3)
        assert whole.shape[0] * whole.shape[1] <= LIMITS.max_pixels
        assert whole.shape == (file.size[1], file.size[0], 3)
        return
    assert error.field == "image"
    assert len(error.reason.splitlines()) == 1
    assert 10 < len(error.reason) < 1000


@pytest.fixture(autouse=True)
def bounded_memory() -> Any:
    forget_peak(os.getpid())
    held = status("VmRSS")
    yield
    assert status("VmHWM") - held < MEMORY


def status(name: str) -> int:
    """Return kB."""
    found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1])


@fuzzing
@given(start=st.sampled_from(SIGNATURES), rest=st.binary(max_size=400))
def test_random_bytes_behind_a_signature(start: bytes, rest: bytes) -> None:
    check(start + rest)


NUMBERS = st.sampled_from([0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1])


def part(draw: st.DrawFn, data: bytes, at: int) -> bytes:
    """Return what to put into a file: new bytes, its own again, a number as large as it gets, or of another file."""
    match draw(st.sampled_from(["nothing", "new", "again", "number", "other"])):
        case "new":
            return draw(st.binary(max_size=64))
        case "again":
            return data[at : at + draw(st.integers(0, 64))] * draw(st.integers(1, 50))
        case "number":
            return struct.pack(draw(st.sampled_from([">I", "<I"])), draw(NUMBERS))
        case "other":
            other = draw(st.sampled_from(VALID))
            begin = draw(st.integers(0, len(other)))
            return other[begin : begin + draw(st.integers(0, 400))]
    return b""


@st.composite
def mutants(draw: st.DrawFn, files: Sequence[bytes] = VALID) -> bytes:
    """Return a valid file with something cut out of it, put into it, or changed, some times."""
    data = draw(st.sampled_from(files))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        cut = draw(st.sampled_from([0, 1, 2, 4, 17, 64, len(data)]))
        data = data[:at] + part(draw, data, at) + data[at + cut :]
    return data


@settings(fuzzing, max_examples=1500)
@given(mutants())
def test_mutants_of_valid_files(data: bytes) -> None:
    check(data)


@settings(fuzzing, max_examples=500)
@given(mutants(HEICS))
def test_headers_of_mutants_of_heic_files(data: bytes) -> None:
    with contextlib.suppress(InvalidInput):
        header, _ = read_header(data, "image")

        assert len(header.file) <= 2 * len(data) + 4096


@pytest.mark.skipif(not apart.folders(), reason="HEIC is read with impasto[heif]")
@settings(fuzzing, max_examples=8)
@given(file=st.sampled_from(HEICS), changes=st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)), max_size=3))
def test_pixels_of_mutants_of_heic_files(file: bytes, changes: list[tuple[int, int]]) -> None:
    mutant = bytearray(file)
    for back, value in changes:
        mutant[-1 - back % 300] = value  # where the pixels are

    check(bytes(mutant))


@settings(fuzzing, max_examples=200)
@given(name=st.sampled_from(NAMES), data=st.data())
def test_mutants_of_hostile_files(name: str, data: st.DataObject) -> None:
    file = bytearray(hostile((64, 48), 4096)[name]())
    for _ in range(data.draw(st.integers(0, 4))):
        file[data.draw(st.integers(0, len(file) - 1))] = data.draw(st.integers(0, 255))

    check(bytes(file))


@fuzzing
@given(st.binary(max_size=300).map(lambda rest: b"II*\0\x08\0\0\0" + rest) | st.binary(max_size=100))
def test_random_exif_blocks(block: bytes) -> None:
    file = VALID[3]
    segment = b"\xff\xe1" + struct.pack(">H", len(block) + 8) + b"Exif\0\0" + block

    assert images.decode(file[:2] + segment + file[2:]).size == 64 * 48 * 3


@st.composite
def damaged_profiles(draw: st.DrawFn) -> bytes:
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(profile) - 1))
        profile[at : at + draw(st.integers(0, 4))] = draw(st.binary(max_size=4))
    return bytes(profile)


@fuzzing
@given(profile=damaged_profiles(), mode=st.sampled_from(["L", "RGB", "CMYK"]))
def test_damaged_profiles_damage_no_picture(profile: bytes, mode: str) -> None:
    data = saved(Image.new(mode, (32, 24)), "JPEG", icc_profile=profile)

    assert images.decode(data).shape == (24, 32, 3)

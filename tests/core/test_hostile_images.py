"""Pictures that were made to do harm take no more of memory and time than honest ones."""

from __future__ import annotations

import re
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import hostile_files
from benchmarks.hostile_files import hostile
from benchmarks.hostile_parts import endless_profile, overlapping_exif, png
from impasto import images
from impasto.containers.header import MAX_PROFILE
from impasto.containers.jpeg import MAX_LARGE_SCANS, MAX_SEGMENTS
from impasto.errors import ImageTooLarge, UnreadableImage
from tests.core import profiles
from tests.core.jpegs import after_start, saved, segment
from tests.support import gradient

SIZE = (640, 480)
FLOOD = 4 * 1024**2  # bytes, which is enough to break a rule
SECONDS = 60  # of a processor, for all of them; an honest corpus of their number and size takes about three
MEMORY = 400_000  # kB, for any of them: the three times that a file of 31 MB may be held, and what decoding takes
ENTROPY = b"\xff\xda"
STRANGERS = ("PNG, 25,000", "PNG, EXIF", "WebP, EXIF", "PNG and", "AVIF, EXIF", "AVIF, a gain map", "AVIF and")


def test_no_hostile_picture_takes_a_process_beyond_its_seconds_and_memory(tmp_path: Path) -> None:
    script = f"""
import re, resource
from pathlib import Path
from benchmarks.hostile_files import hostile
from benchmarks.processes import forget_peak
import os
from impasto import images
from impasto.errors import InvalidInput

def taken():
    usages = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)

def status(name):
    return int(re.search(name + r":\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])

used = 0
for name, make in hostile({SIZE}).items():
    data = make()
    forget_peak(os.getpid())
    held, begun = status("VmRSS"), taken()
    resource.setrlimit(resource.RLIMIT_CPU, (int(begun + {SECONDS} - used) + 1, -1))
    try:
        images.PictureFile(data).decode((320, 240))
    except InvalidInput as error:
        assert len(str(error).splitlines()) == 1, name
    used += taken() - begun
    grown = status("VmHWM") - held
    assert grown < {MEMORY}, f"{{name}} took {{grown}} kB"
print("done")
"""
    root = Path(hostile_files.__file__).parents[1]

    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=root, check=False)

    assert run.stdout == "done\n", run.stderr[-2000:]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("JPEG, million comments", f"is a JPEG in more than {MAX_SEGMENTS:,} pieces; save it anew"),
        ("JPEG, EXIF in million pieces", "is a JPEG in more than"),
        (
            "JPEG, progressive, 10,000 scans",
            "is a JPEG of 10000 scans; at most 100 are read of 640x480 px; save it",
        ),
        ("JPEG, padded", "is a damaged picture (it ends before its pixels); send the whole file, or save it anew"),
        ("JPEG, escaped padding", "is a damaged picture (it ends before its pixels)"),
        ("JPEG, profile of 5 MiB", "has a colour profile of more than 4 MiB; convert the picture to sRGB"),
        ("JPEG, 12-bit", "is a JPEG of a kind that is not read (12-bit); save it as an ordinary one"),
        ("JPEG, lossless", "is a JPEG of a kind that is not read (lossless, hierarchical or arithmetic-coded)"),
        ("JPEG, arithmetic-coded", "is a JPEG of a kind that is not read"),
        ("PDF and JPEG", "which is no JPEG, PNG, WebP, AVIF"),
        ("PNG, million chunks", "pieces; save it anew"),
        ("PNG, million chunks at its end", "pieces; save it anew"),
        ("PNG, 500,000 pieces of pixels", "pieces; save it anew"),
        ("PNG, million frames", "pieces; save it anew"),
        ("PNG, a profile of 200 MB", "has a colour profile of more than 4 MiB"),
        ("PNG, palette of 10 MB", "is a damaged picture (its PLTE has a wrong length)"),
        ("WebP, million chunks", "pieces; save it anew"),
        ("WebP, 500,000 frames", "pieces; save it anew"),
        ("AVIF, larger than it says", "is a damaged picture (it says two sizes)"),
        ("AVIF, 10,000 pictures in one", "holds more than 4 pictures where one is meant; save it anew"),
        ("AVIF, an opacity that is a bomb", "is a damaged picture (it says two sizes)"),
        ("AVIF, profile of 31 MB", "has a colour profile of more than 4 MiB"),
        ("AVIF, a grid of itself", "is a HEIF picture of a kind that is not read ('grid'); save it as a JPEG"),
        ("AVIF, grids of each other", "is a HEIF picture of a kind that is not read ('grid')"),
        ("AVIF, more tiles than are read", "is a HEIF picture of 961 tiles; 1 to 900 are read; save it anew"),
        ("AVIF, tiles all of the same bytes", "is a damaged picture (its parts overlap)"),
        ("AVIF, one pixel of large tiles", "is a damaged picture (its tiles do not fit together)"),
        ("AVIF, cut short", "is a damaged picture (it ends before its pixels)"),
        ("AVIF, million boxes", "is a HEIF in more than 20,000 pieces; save it anew"),
        ("AVIF, million items", "is a HEIF in more than 20,000 pieces"),
        ("AVIF, million references", "is a HEIF in more than 20,000 pieces"),
        ("AVIF, million properties", "is a HEIF in more than 20,000 pieces"),
        ("AVIF, tables that claim 4,000 million lines", "is a HEIF in more than 20,000 pieces"),
        ("AVIF, million OBUs", "pieces; save it anew"),
        ("HEIC, larger than it says", "is a damaged picture (it says two sizes)"),
        ("HEIC, 10,000 pictures in one", "is a HEIC of more than 600 slices; save it anew"),
        ("HEIC, its second half 10,000 times", "is a HEIC of more than 600 slices; save it anew"),
        ("HEIC, million units", "pieces; save it anew"),
        ("HEIC, settings of 31 MB", "is a damaged picture (its decoder's settings are too long)"),
        *((f"{kind}, in disguise", "which is no JPEG, PNG, WebP") for kind in ("GIF", "TIFF", "BMP", "EPS", "SVG")),
    ],
)
def test_a_rule_is_told_in_one_sentence(name: str, reason: str) -> None:
    data = hostile(SIZE, FLOOD)[name]()

    with pytest.raises(UnreadableImage, match=re.escape(reason)):
        images.decode(data)


@pytest.mark.parametrize(
    "name",
    [
        "JPEG, a bomb",
        "PNG, a bomb",
        "PNG, as large as can be told",
        "WebP, a vast canvas",
        "AVIF, a bomb",
        "AVIF, as large as can be told",
        "HEIC, a bomb",
    ],
)
def test_a_bomb_is_refused_by_its_size(name: str) -> None:
    data = hostile(SIZE, FLOOD)[name]()

    with pytest.raises(ImageTooLarge, match="at most 51,000,000 are allowed; scale it down"):
        images.decode(data)


def test_a_vast_canvas_is_refused_before_memory_is_taken_for_it() -> None:
    canvas = b"VP8X" + struct.pack("<I", 10) + b"\x10\0\0\0" + (12_999).to_bytes(3, "little") * 2
    data = b"RIFF" + struct.pack("<I", 4 + len(canvas)) + b"WEBP" + canvas

    with pytest.raises(ImageTooLarge, match="13000x13000 px is 169,000,000 pixels"):
        images.PictureFile(data)


@pytest.mark.parametrize("name", [name for name in hostile(SIZE) if name.startswith(STRANGERS)])
def test_what_says_nothing_about_pixels_is_left_out(name: str) -> None:
    pixels = images.decode(hostile(SIZE, FLOOD)[name]())

    assert (pixels == pixels[0, 0]).all()


def test_a_large_picture_may_have_fewer_scans_than_a_small_one() -> None:
    file = saved(Image.new("RGB", (16, 16)), progressive=True)
    at = file.index(b"\xff\xc2")
    large = file[: at + 5] + struct.pack(">HH", 6000, 8000) + file[at + 9 :]
    last = file[file.rindex(ENTROPY) : -2]
    more = last * (MAX_LARGE_SCANS + 1 - file.count(ENTROPY))

    assert images.decode(file[:-2] + more + file[-2:]).shape == (16, 16, 3)
    with pytest.raises(UnreadableImage, match=f"of 21 scans; at most {MAX_LARGE_SCANS} are read of 8000x6000 px"):
        images.PictureFile(large[:-2] + more + large[-2:])


def test_scans_of_a_thumbnail_do_not_count() -> None:
    thumbnails = segment(0xE1, b"Exif\0\0" + (ENTROPY + b"\0\x08\x01") * 5000)
    file = saved(Image.fromarray(gradient()))

    assert (images.decode(after_start(file, thumbnails)) == images.decode(file)).all()


@pytest.mark.parametrize(
    ("file", "why"),
    [
        pytest.param(b"\xff\xd8\xff\xd9", "ends before its pixels", id="no frame"),
        pytest.param(b"\xff\xd8\xff\xda\0\x08\x01\x01\0\0\x3f\0", "come before their size", id="scan first"),
        pytest.param(b"\xff\xd8" + segment(0xC0, b"\x08\0\x10\0\x10\x01") * 1, "wrong length", id="short frame"),
        pytest.param(
            b"\xff\xd8" + segment(0xC0, b"\x08\0\x10\0\x10\x01\1\x11\0") * 2, "twice what size", id="two frames"
        ),
        pytest.param(b"\xff\xd8\xff\xe1\0\0", "ends before its pixels", id="length 0"),
        pytest.param(b"\xff\xd8\xff\xe1\xff\xff", "ends before its pixels", id="cut off"),
        pytest.param(png(("IHDR", bytes(12)), ("IDAT", b"")), "IHDR has a wrong length", id="short IHDR"),
        pytest.param(png(("IDAT", b"")), "ends before its pixels", id="no IHDR"),
        pytest.param(
            png(("IHDR", struct.pack(">IIBBBBB", 64, 64, 3, 2, 0, 0, 0)), ("IDAT", b"")),
            "colour type 2 with 3 bits",
            id="3 bits",
        ),
        pytest.param(b"RIFF\xff\xff\xff\xffWEBPVP8 ", "ends before its pixels", id="long RIFF"),
        pytest.param(b"RIFF\x0c\0\0\0WEBPVP8L\0\0\0\0", "does not say what size", id="empty VP8L"),
        pytest.param(b"RIFF\x0c\0\0\0WEBPVP8X\xff\0\0\0", "in the middle of a chunk", id="long VP8X"),
    ],
)
def test_a_header_that_makes_no_sense_is_refused_with_what_is_wrong(file: bytes, why: str) -> None:
    with pytest.raises(UnreadableImage, match=why):
        images.PictureFile(file)


def test_a_jpeg_of_another_number_of_channels_is_refused() -> None:
    frame = segment(0xC0, b"\x08\0\x20\0\x20\x02\1\x11\0\2\x11\0")

    with pytest.raises(UnreadableImage, match="2-channel"):
        images.PictureFile(b"\xff\xd8" + frame + b"\xff\xda")


def test_entries_that_overlap_do_not_hide_the_orientation() -> None:
    block = overlapping_exif(40, 60_000)
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0)
    block = block[:10] + entry + block[22:]
    file = after_start(saved(Image.new("RGB", (64, 48))), segment(0xE1, b"Exif\0\0" + block))

    assert images.PictureFile(file).size == (48, 64)


# Colour profiles


def test_a_profile_that_asks_for_endless_arithmetic_is_followed_by_its_bounded_part() -> None:
    picture = Image.fromarray(gradient())

    with_it = images.decode(saved(picture, "PNG", icc_profile=endless_profile(100_000)))

    assert np.abs(with_it.astype(int) - gradient()).max() <= 1  # the rest of it is sRGB


@pytest.mark.parametrize("kind", [b"link", b"abst", b"nmcl", b"\0\0\0\0"])
def test_a_profile_that_is_none_of_a_picture_is_ignored(kind: bytes) -> None:
    profile = profiles.rotated_rgb()
    data = saved(Image.new("RGB", (32, 32), (255, 0, 0)), "PNG", icc_profile=profile[:12] + kind + profile[16:])

    assert images.decode(data)[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_a_large_profile_is_used_and_a_larger_one_refused(format: str) -> None:
    picture = Image.new("RGB", (32, 32), (255, 0, 0))
    allowed = profiles.rotated_rgb().ljust(MAX_PROFILE, b"\0")

    pixels = images.decode(saved(picture, format, icc_profile=allowed))

    assert pixels[0, 0, 1] > 240
    with pytest.raises(UnreadableImage, match="colour profile"):
        images.decode(saved(picture, format, icc_profile=allowed + b"\0"))


def test_a_profile_in_parts_out_of_order_is_put_together_and_one_that_lacks_a_part_ignored() -> None:
    profile = profiles.rotated_rgb()
    head, tail = (
        segment(0xE2, b"ICC_PROFILE\0" + bytes((number, 2)) + part)
        for number, part in ((1, profile[:200]), (2, profile[200:]))
    )
    plain = saved(Image.new("RGB", (32, 32), (255, 0, 0)), quality=100)

    assert images.decode(after_start(plain, tail, head))[0, 0, 1] > 240
    assert images.decode(after_start(plain, head))[0, 0, 0] > 240
    assert images.decode(after_start(plain, segment(0xE2, b"ICC_PROFILE\0")))[0, 0, 0] > 240

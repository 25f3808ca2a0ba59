"""HEIC and AVIF, as phones and cameras write them: of all that is in such a file, the picture is read."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from benchmarks.heifs import (
    ALPHA,
    DEPTH,
    GAIN_MAP,
    Item,
    auxiliary,
    code_points,
    coded,
    cut,
    exif,
    grid,
    heif,
    mirrored,
    size,
    turned,
)
from impasto import images
from impasto.containers.boxes import box, full_box
from impasto.errors import UnreadableImage
from impasto.headers import read_header
from impasto.images import PictureFile, Pixels
from impasto.metadata import MetadataPolicy, carried

pytest.importorskip("pi_heif", reason="HEIC is read with impasto[heif]")

FIXTURES = Path(__file__).parent / "fixtures"
RED, GREEN, BLUE, GREY = (
    (220, 40, 40),
    (40, 200, 60),
    (50, 60, 210),
    (60, 60, 60),
)  # top left, right, bottom left, right
ANY_CORNER = np.array([RED, GREEN, BLUE, GREY])
XMP = b'<x:xmpmeta><rdf:Description hdrgm:Version="1.0" Item:Semantic="GainMap"/></x:xmpmeta>'


def file(name: str) -> bytes:
    return (FIXTURES / f"{name}.heic").read_bytes()


def avif(image: Image.Image, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "AVIF", **{"quality": 100, "subsampling": "4:4:4", **options})
    return buffer.getvalue()


def tile(name: str = "tile") -> Item:
    """Return the picture of a fixture without the blocks that fill it up: 64 x 48 px are shown of it."""
    return coded(file(name))


def picture(*properties: tuple[bytes, bytes], name: str = "tile") -> Item:
    """Return a picture of 64 x 48 px that is a grid of one tile, as the fixtures are."""
    return grid(1, 1, 64, 48, 2).having(*properties)


def corners(pixels: Pixels) -> list[tuple[int, ...]]:
    """Return which of the four colours is at the top left and right, and at the bottom left and right."""
    found = []
    for row, column in ((8, 8), (8, -8), (-8, 8), (-8, -8)):
        nearest = np.abs(ANY_CORNER - pixels[row, column]).sum(axis=1).argmin()
        found.append(tuple(ANY_CORNER[nearest].tolist()))
    return found


# What an encoder wrote


def test_a_heic_is_decoded() -> None:
    pixels = images.decode(file("tile"))

    assert pixels.shape == (48, 64, 3)
    assert corners(pixels) == [RED, GREEN, BLUE, GREY]


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_an_avif_is_decoded_as_by_its_library(mode: str) -> None:
    data = avif(
        Image.fromarray(images.decode(file("tile"))).convert(mode), subsampling="4:0:0" if mode == "L" else "4:4:4"
    )

    expected = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))

    assert (images.decode(data) == expected).all()


def test_a_grey_heic_is_decoded() -> None:
    pixels = images.decode(file("grey"))

    assert pixels[24, 16].tolist() == [0, 0, 0]
    assert pixels[24, 48].tolist() == [255, 255, 255]


def test_a_picture_is_scaled_as_any_other() -> None:
    assert PictureFile(file("tile")).decode((32, 24)).shape == (24, 32, 3)


# Which way up


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_avif_is_turned_upright_whichever_way_it_was_taken(orientation: int) -> None:
    tags = Image.Exif()
    tags[0x0112] = orientation  # which Pillow tells by the container's own means
    data = avif(Image.fromarray(images.decode(file("tile"))), exif=tags)
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))

    pixels = images.decode(data)

    assert pixels.shape == np.asarray(expected).shape
    assert (pixels == np.asarray(expected)).all()


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ([], [RED, GREEN, BLUE, GREY]),
        ([turned(1)], [GREEN, GREY, RED, BLUE]),
        ([turned(2)], [GREY, BLUE, GREEN, RED]),
        ([turned(3)], [BLUE, RED, GREY, GREEN]),
        ([mirrored(0)], [BLUE, GREY, RED, GREEN]),
        ([mirrored(1)], [GREEN, RED, GREY, BLUE]),
        ([turned(1), mirrored(0)], [RED, BLUE, GREEN, GREY]),
        ([mirrored(0), turned(1)], [GREY, GREEN, BLUE, RED]),
    ],
)
def test_a_heic_is_turned_and_mirrored_in_the_order_that_it_says(
    properties: list[tuple[bytes, bytes]], expected: list[tuple[int, ...]]
) -> None:
    data = heif(picture(*properties), tile())

    assert corners(images.decode(data)) == expected


def test_a_portrait_that_says_so_twice_is_turned_once() -> None:
    tags = Image.Exif()
    tags[0x0112] = 6
    data = heif(picture(turned(3)), tile(), exif(tags.tobytes()[6:]))

    photo = PictureFile(data)

    assert photo.size == (48, 64)
    assert corners(photo.decode()) == [BLUE, RED, GREY, GREEN]


def test_an_orientation_that_stands_in_exif_alone_does_not_count() -> None:
    assert PictureFile(file("portrait")).size == (64, 48)  # as by ISO/IEC 23008-12, annex A.2.1


def test_a_picture_is_cut_before_it_is_turned() -> None:
    data = heif(picture(cut(32, 24, right_of=32, below=-24), turned(1)), tile())

    photo = PictureFile(data)

    assert photo.size == (24, 32)
    assert set(corners(photo.decode())) == {GREEN}
    assert photo.decode((12, 16)).shape == (16, 12, 3)


@pytest.mark.parametrize("shown", [cut(640, 480), cut(0, 24), (b"clap", bytes(32)), (b"clap", b"")])
def test_a_cut_that_makes_no_sense_is_left_out(shown: tuple[bytes, bytes]) -> None:
    assert PictureFile(heif(picture(shown), tile())).size == (64, 48)


# Tiles


def test_tiles_are_put_together_and_what_is_beyond_the_picture_is_cut_off() -> None:
    data = heif(grid(2, 2, 120, 120, 2, 3, 4, 5), *[tile()] * 4)

    pixels = images.decode(data)

    assert pixels.shape == (120, 120, 3)
    for top, left in ((0, 0), (0, 64), (64, 0), (64, 64)):
        assert corners(pixels[top : top + 48, left : left + 56])[0] == RED


def test_tiles_of_an_avif_are_put_together() -> None:
    one = coded(avif(Image.new("RGB", (64, 64), RED)))
    other = coded(avif(Image.new("RGB", (64, 64), BLUE)))

    pixels = images.decode(heif(grid(1, 2, 128, 64, 2, 3), one, other, brand=b"avif"))

    assert corners(pixels) == [RED, BLUE, RED, BLUE]


# What else is in the file


def test_what_goes_with_a_picture_is_left_out() -> None:
    loud = tile("slices")
    data = heif(
        picture(),
        tile(),
        loud.to(b"thmb", 1),
        loud.having(auxiliary(GAIN_MAP)).to(b"auxl", 1),
        loud.having(auxiliary(DEPTH)).to(b"auxl", 1),
        Item(b"tmap", b"\0" * 60, [size(64, 48)], {b"dimg": [1, 4]}),
        Item(b"mime", XMP, (), {b"cdsc": [1]}),
        more=box(b"grpl", full_box(b"altr", struct.pack(">IIII", 9, 2, 6, 1))),
        behind=box(b"mpvd", b"a video" * 100),
    )

    header, _ = read_header(data, "image")

    assert (images.decode(data) == images.decode(file("tile"))).all()
    assert header.file == read_header(heif(picture(), tile()), "image")[0].file
    for word in (b"hdrgm", b"auxl", b"tmap", b"mpvd"):
        assert word not in header.file


def test_a_result_says_nothing_of_a_gain_map_that_it_does_not_have() -> None:
    tags = Image.Exif()
    tags[0x010F] = "Phone"
    data = heif(picture(), tile(), exif(tags.tobytes()[6:]), Item(b"mime", XMP, (), {b"cdsc": [1]}))

    block = carried(PictureFile(data).exif, MetadataPolicy.ALL, 64, 48)

    assert b"Phone" in block
    assert b"hdrgm" not in block


def test_exif_is_found_in_what_an_encoder_wrote() -> None:
    assert b"Phone" in carried(PictureFile(file("portrait")).exif, MetadataPolicy.ALL, 64, 48)


def test_exif_is_found_where_a_program_says_a_wrong_place() -> None:
    tags = Image.Exif()
    tags[0x010F] = "Phone"
    block = tags.tobytes()[6:]
    wrong = Item(b"Exif", struct.pack(">I", 99_999) + block, (), {b"cdsc": [1]})

    assert b"Phone" in carried(PictureFile(heif(picture(), tile(), wrong)).exif, MetadataPolicy.ALL, 64, 48)


def test_what_a_heic_hides_is_paper() -> None:
    opacity = grid(1, 1, 64, 48, 4).having(auxiliary(ALPHA)).to(b"auxl", 1)  # nothing of its left half is seen
    data = heif(picture(), tile(), opacity, tile("grey"))

    pixels = images.decode(data)

    assert pixels[:, :30].min() > 250
    assert corners(pixels)[1::2] == [GREEN, GREY]


@pytest.mark.parametrize("premultiplied", [False, True])
def test_what_an_avif_hides_is_paper(premultiplied: bool) -> None:
    image = Image.new("RGBA", (64, 48), (200, 0, 0, 128))

    pixels = images.decode(avif(image, alpha_premultiplied=premultiplied))

    assert np.abs(pixels.astype(int) - (227, 127, 127)).max() <= 3


def test_an_opacity_of_another_size_is_left_out() -> None:
    opacity = coded(avif(Image.new("L", (16, 16)), subsampling="4:0:0")).having(auxiliary(ALPHA)).to(b"auxl", 1)
    data = heif(coded(avif(Image.new("RGB", (64, 64), RED))), opacity, brand=b"avif")

    assert corners(images.decode(data))[0] == RED


# Animations and other kinds


def test_an_animated_avif_is_its_first_frame() -> None:
    first, second = Image.new("RGB", (64, 48), RED), Image.new("RGB", (64, 48), BLUE)

    pixels = images.decode(avif(first, save_all=True, append_images=[second, second]))

    assert set(corners(pixels)) == {RED}


def test_a_sequence_without_a_still_picture_is_refused() -> None:
    data = box(b"ftyp", b"avis", bytes(4), b"avis") + box(b"moov", bytes(100))

    with pytest.raises(UnreadableImage, match="holds no still picture"):
        PictureFile(data)


@pytest.mark.parametrize("kind", [b"jpeg", b"avc1", b"unci", b"vvc1", b"iovl", b"iden", b"tmap"])
def test_a_heif_of_another_kind_is_told_apart(kind: bytes) -> None:
    data = heif(Item(kind, b"pixels", [size(64, 48)]), brand=b"mif1")

    with pytest.raises(UnreadableImage, match=f"of a kind that is not read .'{kind.decode()}'.; save it as a JPEG"):
        PictureFile(data)


@pytest.mark.parametrize("brand", [b"isom", b"qt  ", b"mp42", b"M4V "])
def test_a_video_is_no_picture(brand: bytes) -> None:
    with pytest.raises(UnreadableImage, match="which is no JPEG, PNG, WebP, AVIF or HEIC; send one of these"):
        PictureFile(box(b"ftyp", brand, bytes(4)) + bytes(100))


def test_a_container_that_says_another_depth_than_its_stream_is_refused_before_it_corrupts_memory() -> None:
    with pytest.raises(UnreadableImage, match="it says twice how its pixels are coded"):
        PictureFile(file("ends_its_decoder"))


# HDR


@pytest.mark.parametrize(
    ("transfer", "expected"),
    [
        pytest.param(16, [0, 43, 100, 188, 231, 255], id="PQ: 0, 5, 26, 100, 203 (paper) and 1000 cd/m2"),
        pytest.param(18, [0, 61, 101, 140, 165, 232], id="HLG: the same values read as that"),
        pytest.param(13, [0, 63, 97, 130, 148, 192], id="sRGB: the values themselves"),
    ],
)
def test_a_picture_for_brighter_screens_is_toned_down(transfer: int, expected: list[int]) -> None:
    data = heif(grid(1, 1, 192, 32, 2).having(code_points(9 if transfer != 13 else 1, transfer)), tile("hdr"))

    row = images.decode(data)[16, 16::32].astype(int)

    assert np.abs(row.max(axis=1) - expected).max() <= 2
    assert (row.max(axis=1) - row.min(axis=1)).max() <= 1  # grey stays grey


def test_an_avif_of_12_bits_is_toned_down_as_well() -> None:
    stored = coded((FIXTURES / "hdr.avif").read_bytes())
    others = [one for one in stored.properties if one[0] != b"colr"]
    data = heif(Item(stored.kind, stored.contents, [*others, code_points(9, 16)]), brand=b"avif")

    row = images.decode(data)[16, 16::32].astype(int)

    assert np.abs(row - np.array([0, 43, 100, 188, 231, 255])[:, None]).max() <= 2


# Without a decoder


def test_without_its_decoder_a_heic_is_refused_and_the_log_tells_once_what_to_install() -> None:
    script = f"""
import sys
sys.modules["pi_heif"] = None  # as where it is not installed
from impasto import images
print(images.readable_formats())
for _ in range(2):
    try:
        images.PictureFile(open({str(FIXTURES / "tile.heic")!r}, "rb").read(), field="style")
    except images.UnreadableImage as error:
        print(error)
"""

    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    formats, *errors = run.stdout.splitlines()
    assert formats == "('image/jpeg', 'image/png', 'image/webp', 'image/avif')"
    assert errors == ["style: is a HEIC file, which is not read here; send it as JPEG, PNG, WebP or AVIF"] * 2
    assert run.stderr.splitlines() == [
        "a HEIC picture was refused, as nothing here reads it; to read them: pip install 'impasto[heif]'"
    ]


def test_with_it_all_formats_are_read() -> None:
    assert images.readable_formats() == ("image/jpeg", "image/png", "image/webp", "image/avif", "image/heic")

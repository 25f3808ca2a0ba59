"""Results carry what they should of a photo's metadata, and nothing else, whatever the photo says."""

from __future__ import annotations

import io
import struct
import tracemalloc
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image

from impasto import exif, images
from impasto.images import Format, PictureFile
from impasto.metadata import EDITED_BY_A_TRAINED_MODEL, MARK, SOFTWARE, Metadata, MetadataPolicy, carried
from tests.core.exifs import SECRETS, Maker, phone, photo

WITHOUT_LOCATION, ALL, NONE = MetadataPolicy.WITHOUT_LOCATION, MetadataPolicy.ALL, MetadataPolicy.NONE
ORDERS = pytest.mark.parametrize("order", ["<", ">"], ids=["little-endian", "big-endian"])
FORMATS = pytest.mark.parametrize("format", list(Format), ids=lambda each: each.value)
LITTLE = Maker("<")


def result_of(data: bytes, policy: MetadataPolicy = WITHOUT_LOCATION, format: Format = Format.JPEG) -> bytes:
    """Return what becomes of a photo that is painted as it is."""
    file = PictureFile(data)
    metadata = Metadata(carried(file.exif, policy, *file.size), MARK)
    return images.encode(file.decode(), format=format, metadata=metadata)


def told(result: bytes) -> dict[str, Any]:
    """Return what Pillow reads of a result's EXIF, by name; a list for GPS's latitude and longitude."""
    block = Image.open(io.BytesIO(result)).getexif()
    taken, place = block.get_ifd(ExifTags.IFD.Exif), block.get_ifd(ExifTags.IFD.GPSInfo)
    names = {ExifTags.TAGS[tag]: value for tag, value in {**block, **taken}.items()}
    names |= {ExifTags.GPSTAGS[tag]: value for tag, value in place.items()}
    return {name: value for name, value in names.items() if name not in ("ExifOffset", "GPSInfo")}


@FORMATS
@ORDERS
def test_when_by_whom_and_with_what_a_photo_was_taken_is_carried_over(order: str, format: Format) -> None:
    facts = told(result_of(photo(phone(order), format.value), format=format))

    assert {name: facts[name] for name in ("ImageDescription", "Make", "Model", "Artist", "Copyright")} == {
        "ImageDescription": "A hill at dusk",
        "Make": "Camera Works",
        "Model": "Phone 9",
        "Artist": "Ada Lovelace",
        "Copyright": "Ada Lovelace\0The Editor",
    }
    assert (facts["DateTimeOriginal"], facts["SubsecTimeOriginal"]) == ("2024:05:06 07:08:09", "123")
    assert (facts["ExposureTime"], facts["FNumber"], facts["ISOSpeedRatings"]) == (1 / 250, 2.8, 400)
    assert facts["LensSpecification"] == (24, 70, 2.8, 2.8)


@FORMATS
@ORDERS
def test_the_place_is_left_out_unless_it_is_asked_for(order: str, format: Format) -> None:
    data = photo(phone(order), format.value)

    assert told(result_of(data, format=format)).keys().isdisjoint({"GPSLatitude", "GPSVersionID", "OffsetTimeOriginal"})
    facts = told(result_of(data, ALL, format))
    assert facts["GPSLatitude"] == (52, 31, 12.5)
    assert (facts["GPSLatitudeRef"], facts["GPSLongitude"], facts["GPSAltitude"]) == ("N", (13, 24, 0), 34.5)
    assert facts["OffsetTimeOriginal"] == "+02:00"


@FORMATS
@pytest.mark.parametrize("policy", list(MetadataPolicy), ids=lambda policy: policy.value)
def test_what_is_on_no_list_is_in_no_result(policy: MetadataPolicy, format: Format) -> None:
    data = photo(phone(), format.value)
    assert all(secret.encode() in data for secret in SECRETS)

    result = result_of(data, policy, format)

    assert not [secret for secret in SECRETS if secret.encode() in result]
    assert Image.open(io.BytesIO(result)).getexif().get_ifd(ExifTags.IFD.IFD1) == {}


@FORMATS
def test_nothing_is_carried_over_where_nothing_is_wanted_or_there(format: Format) -> None:
    assert told(result_of(photo(phone(), format.value), NONE, format)) == {}
    assert told(result_of(photo(b"", format.value), ALL, format)) == {}
    only_technical = LITTLE.block([LITTLE.shorts(0x0112, 6)])
    assert carried(only_technical, ALL, 48, 64) == b""


@FORMATS
def test_a_result_says_that_it_is_upright_srgb_its_size_and_what_wrote_it(format: Format) -> None:
    facts = told(result_of(photo(phone(), format.value), format=format))

    assert (facts["Orientation"], facts["ColorSpace"], facts["Software"]) == (1, 1, SOFTWARE)
    assert (facts["ExifImageWidth"], facts["ExifImageHeight"]) == (48, 64)


@FORMATS
def test_the_mark_names_the_kind_of_picture_and_the_program(format: Format) -> None:
    image = Image.open(io.BytesIO(result_of(photo(b""), format=format)))
    image.load()

    said = {element.tag: element.text for element in ElementTree.fromstring(image.info["xmp"]).iter()}

    assert said["{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType"] == EDITED_BY_A_TRAINED_MODEL
    assert said["{http://ns.adobe.com/xap/1.0/}CreatorTool"] == SOFTWARE


@FORMATS
def test_a_picture_without_metadata_is_written_as_ever(format: Format) -> None:
    image = Image.open(io.BytesIO(images.encode(PictureFile(photo(phone())).decode(), format=format)))

    assert (image.info.get("xmp"), image.info.get("exif")) == (None, None)


# Damage and harm


def test_what_hides_behind_a_texts_end_is_left_behind() -> None:
    block = LITTLE.block([LITTLE.text(0x010F, "Maker\0HIDDEN"), LITTLE.text(0x8298, "one\0two\0HIDDEN")])

    result = carried(block, WITHOUT_LOCATION, 64, 48)

    assert b"HIDDEN" not in result
    assert b"Maker\0" in result
    assert b"one\0two\0" in result


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param(LITTLE.text(0x013B, "x" * 2001), id="a text that is too long"),
        pytest.param(LITTLE.text(0x013B, ""), id="a text without a word"),
        pytest.param(LITTLE.shorts(0x013B, 1, 2), id="numbers for a text"),
        pytest.param(LITTLE.raw(0x013B, b"a text as bytes"), id="bytes for a text"),
        pytest.param((0x013B, 2, 2**32 - 1, b"\x08\0\0\0"), id="a count of 4 billion"),
        pytest.param((0x013B, 2, 100, struct.pack("<I", 60_000)), id="behind the end"),
        pytest.param((0x013B, 200, 1, b"\0\0\0\0"), id="an unknown type"),
        pytest.param((0x013B, 2, 0, b"\0\0\0\0"), id="no items"),
    ],
)
def test_a_value_that_is_not_what_it_should_be_is_left_out_and_the_others_stay(
    entry: tuple[int, int, int, bytes],
) -> None:
    block = LITTLE.block([entry, LITTLE.text(0x010F, "Maker")])

    found = exif.read(carried(block, WITHOUT_LOCATION, 64, 48))

    assert found.value(0x013B, range(256), 10_000) is None
    assert found.value(0x010F, (exif.ASCII,), 100) == exif.text("Maker")


def spread(entries: int, size: int) -> bytes:
    """Return a block whose entries all point at the same large value."""
    many = b"".join(struct.pack("<HHII", 0x010E + number, 2, size, 8) for number in range(entries))
    return LITTLE.head() + struct.pack("<H", entries) + many + b"x" * size


def loop() -> bytes:
    """Return a block whose directory is its own sub-directory, and its own successor."""
    entries = [LITTLE.pointer(0x8769, 8), LITTLE.pointer(0x8825, 8), LITTLE.text(0x013B, "Ada Lovelace")]
    return LITTLE.head() + LITTLE.directory(entries, 8, following=8)


HOSTILE = {
    "empty": b"",
    "prefix alone": b"Exif\0\0",
    "no TIFF": b"Exif\0\0no TIFF at all",
    "ends in the head": b"II*\0\x08\0",
    "directory behind the end": LITTLE.head(2**32 - 1),
    "directory in the head": LITTLE.head(0),
    "says it has 65,535 entries": LITTLE.head() + b"\xff\xff" + b"\0" * 64,
    "ends in an entry": phone()[:40],
    "thousands of entries": spread(5000, 2000),
    "hundreds of entries that share a value": spread(256, 2000),
    "directories in a loop": loop(),
    "megabytes of it": phone() + b"\0" * 8_000_000,
}


@pytest.mark.parametrize("block", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_block_costs_little_and_harms_nobody(block: bytes) -> None:
    carried(phone(), ALL, 64, 48)
    tracemalloc.start()
    try:
        result = carried(block, ALL, 64, 48)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert len(result) < 20_000
    assert peak < 500_000  # bytes


@given(st.binary(max_size=300))
def test_noise_is_no_metadata_and_no_error(noise: bytes) -> None:
    assert len(carried(b"II*\0\x08\0\0\0" + noise, ALL, 64, 48)) < 65_000


@given(st.lists(st.tuples(st.integers(0, 1100), st.integers(0, 255)), max_size=20), st.sampled_from("<>"))
def test_a_block_that_was_tampered_with_makes_one_that_can_be_read(changes: list[tuple[int, int]], order: str) -> None:
    block = bytearray(phone(order))
    for place, value in changes:
        block[place % len(block)] = value

    result = carried(bytes(block), ALL, 64, 48)

    assert len(result) < 65_000
    if result:
        again = exif.read(result)
        assert again.value(exif.ORIENTATION, (exif.SHORT,)) == exif.short(1)
        assert carried(result, ALL, 64, 48) == result


@FORMATS
def test_a_photo_whose_metadata_is_damaged_is_painted_all_the_same(format: Format) -> None:
    result = result_of(photo(HOSTILE["says it has 65,535 entries"], format.value), ALL, format)

    assert told(result) == {}
    assert images.decode(result).shape == (48, 64, 3)

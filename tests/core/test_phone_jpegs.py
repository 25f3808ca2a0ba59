"""JPEGs as phones write them: with a gain map, a video behind it, and as many pixels as their sensors have."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import ExifTags, Image

from impasto import images
from impasto.images import Limits, PictureFile
from impasto.metadata import MARK, Metadata, MetadataPolicy, carried
from tests.core.jpegs import after_start, saved, segment
from tests.support import gradient

XMP = b"http://ns.adobe.com/xap/1.0/\0" + b'<x:xmpmeta hdrgm:Version="1.0" GCamera:MotionPhoto="1"/>'


def ultra_hdr(*, video: bytes = b"") -> bytes:
    """Return a JPEG with a gain map behind it, as ISO 21496-1 and Android's format have it."""
    tags = Image.Exif()
    tags[ExifTags.Base.Make] = "Phone"
    photo = saved(Image.fromarray(gradient()), quality=95, exif=tags)
    gain_map = after_start(saved(Image.new("L", (32, 24), 200), progressive=True), segment(0xE1, XMP))
    index = b"MPF\0MM\0*" + struct.pack(">IH", 8, 1) + struct.pack(">HHIHH", 0xB001, 4, 1, 0, 2) + bytes(4)
    version = b"urn:iso:std:iso:ts:21496:-1\0" + bytes(4)
    head = (segment(0xE1, XMP), segment(0xE2, index), segment(0xE2, version))
    return after_start(photo, *head) + gain_map + video


@pytest.mark.parametrize("video", [b"", struct.pack(">I4s4s", 16, b"ftyp", b"mp42") + bytes(range(256)) * 5000])
def test_the_picture_alone_is_read(video: bytes) -> None:
    tags = Image.Exif()
    tags[ExifTags.Base.Make] = "Phone"
    alone = saved(Image.fromarray(gradient()), quality=95, exif=tags)

    photo = PictureFile(ultra_hdr(video=video))

    assert photo.size == (64, 48)
    assert (photo.decode() == images.decode(alone)).all()


@pytest.mark.parametrize("format", images.Format)
def test_no_result_says_that_it_has_a_gain_map(format: images.Format) -> None:
    photo = PictureFile(ultra_hdr())
    block = carried(photo.exif, MetadataPolicy.ALL, *photo.size)

    result = images.encode(photo.decode(), format=format, metadata=Metadata(exif=block, xmp=MARK))

    assert b"Phone" in result
    for word in (b"hdrgm", b"MPF", b"21496", b"MotionPhoto"):
        assert word not in result


@pytest.mark.parametrize("size", [(8064, 6048), (8160, 6120), (8192, 6144)])
def test_the_largest_photos_of_phones_of_48_and_50_megapixels_are_allowed(size: tuple[int, int]) -> None:
    Limits().check(*size, "image")


def test_a_portrait_of_48_megapixels_is_read_and_is_small_enough_to_send() -> None:
    size = (8064, 6048)
    tile = np.random.default_rng(0).normal(128, 12, (512, 512, 3)).clip(0, 255).astype(np.uint8)  # a noisy sensor
    image = Image.fromarray(np.tile(tile, (12, 16, 1))[: size[1], : size[0]])
    tags = Image.Exif()
    tags[ExifTags.Base.Orientation] = 6
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=90, exif=tags)

    photo = PictureFile(buffer.getvalue())

    assert 12 * 2**20 < len(buffer.getvalue()) < 32 * 2**20  # the largest request by default
    assert photo.size == (6048, 8064)
    assert photo.decode((960, 1280)).shape == (1280, 960, 3)

"""Colours of phones' photos, which are in Display P3, come out in sRGB as colour science says, whatever the file."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from benchmarks.codec import display_p3
from benchmarks.heifs import Item, code_points, coded, grid, heif, profile
from impasto import images
from impasto.cicp import profile_of
from tests.core.jpegs import saved

SIDE = 32  # px
COLOURS = [(255, 0, 0), (0, 255, 0), (224, 172, 148), (40, 60, 200), (128, 128, 128), (250, 250, 250)]
"""Red, green, skin, blue, grey and white: the patches of `fixtures/patches.heic`, from left to right."""

PATCHES = Image.fromarray(np.array([np.repeat(COLOURS, SIDE, 0)] * SIDE, np.uint8))
TO_XYZ = {  # of linear light by D65: SMPTE EG 432-1, ITU-R BT.709 and BT.2020
    12: [[0.48657, 0.26567, 0.19822], [0.22897, 0.69174, 0.07929], [0.0, 0.04511, 1.04394]],
    1: [[0.41239, 0.35758, 0.18048], [0.21264, 0.71517, 0.07219], [0.01933, 0.11919, 0.95053]],
    9: [[0.63696, 0.14462, 0.16888], [0.26270, 0.67800, 0.05930], [0.0, 0.02807, 1.06099]],
}


def in_srgb(primaries: int) -> NDArray[np.int64]:
    """Return what the colours are in sRGB, if their values are of these primaries and sRGB's curve."""
    values = np.array(COLOURS) / 255
    light = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    light = np.clip(light @ (np.linalg.inv(TO_XYZ[1]) @ TO_XYZ[primaries]).T, 0, 1)
    values = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.rint(values * 255).astype(int)


def shown(data: bytes) -> NDArray[np.int64]:
    """Return the colours in the middles of the patches."""
    return images.decode(data)[SIDE // 2, SIDE // 2 :: SIDE].astype(int)


def avif(**options: Any) -> bytes:
    buffer = io.BytesIO()
    PATCHES.save(buffer, "AVIF", quality=100, subsampling="4:4:4", **options)
    return buffer.getvalue()


def heic(*properties: tuple[bytes, bytes]) -> bytes:
    pytest.importorskip("pi_heif", reason="HEIC is read with impasto[heif]")
    patches = coded((Path(__file__).parent / "fixtures/patches.heic").read_bytes())
    return heif(grid(1, 1, *PATCHES.size, 2).having(*properties), patches)


def avif_of(primaries: int) -> bytes:
    stored = coded(avif())
    others = [one for one in stored.properties if one[0] != b"colr"]
    return heif(Item(stored.kind, stored.contents, [*others, code_points(primaries, 13)]), brand=b"avif")


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: saved(PATCHES, quality=100, subsampling=0, icc_profile=display_p3()), id="JPEG"),
        pytest.param(lambda: saved(PATCHES, "PNG", icc_profile=display_p3()), id="PNG"),
        pytest.param(lambda: saved(PATCHES, "WEBP", lossless=True, icc_profile=display_p3()), id="WebP"),
        pytest.param(lambda: avif(icc_profile=display_p3()), id="AVIF, profile"),
        pytest.param(lambda: avif_of(12), id="AVIF, code points"),
        pytest.param(lambda: heic(profile(display_p3())), id="HEIC, profile"),
        pytest.param(lambda: heic(code_points(12, 13)), id="HEIC, code points"),
        pytest.param(lambda: heic(code_points(12, 1)), id="HEIC, code points with the curve of video"),
    ],
)
def test_display_p3_is_within_two_levels_of_its_colours(make: Any) -> None:
    assert np.abs(shown(make()) - in_srgb(12)).max() <= 2


def test_of_a_profile_and_code_points_the_profile_counts() -> None:
    data = heic(profile(display_p3()), code_points(9, 16))

    assert np.abs(shown(data) - in_srgb(12)).max() <= 2


@pytest.mark.parametrize("primaries", [1, 2])
def test_srgb_and_unknown_colours_are_left_as_they_are(primaries: int) -> None:
    assert profile_of(primaries, 13) is None
    assert np.abs(shown(heic(code_points(primaries, 13))) - COLOURS).max() <= 2
    assert np.abs(shown(heic()) - COLOURS).max() <= 2


def test_a_wider_gamut_is_converted_and_what_srgb_has_not_becomes_its_nearest() -> None:
    assert np.abs(shown(avif_of(9)) - in_srgb(9)).max() <= 2


def test_profiles_made_of_code_points_agree_with_published_ones() -> None:
    made, published = profile_of(12, 13), display_p3()

    pixels = [images.decode(saved(PATCHES, "PNG", icc_profile=one)).astype(int) for one in (made, published)]

    assert np.abs(pixels[0] - pixels[1]).max() <= 1


@pytest.mark.parametrize(("transfer", "grey"), [(4, 128), (5, 105), (8, 188)])
def test_other_curves_are_followed(transfer: int, grey: int) -> None:
    data = saved(PATCHES, "PNG", icc_profile=profile_of(1, transfer))

    assert np.abs(shown(data)[4] - grey).max() <= 1

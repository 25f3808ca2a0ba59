"""Masks: what is taken for one, how its edge is softened, and how the photo is put back under it."""

from __future__ import annotations

import itertools
import math
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageDraw, ImageFilter

from impasto import images
from impasto.errors import InvalidInput, UnreadableImage
from impasto.images import Size
from impasto.masks import MAX_FEATHER, Coverage, Mask, Masking, Stencil, check_feather, composed
from tests.core.masks import flat, left_half, png
from tests.core.pngs import GREY, GREY_ALPHA, RGB
from tests.core.pngs import png as png_of
from tests.support import gradient

SIZE = (64, 48)
FEATHERS = (0.001, 0.005, 0.03, MAX_FEATHER)


def coverage(values: Coverage, feather: float = 0.0, *, size: Size | None = None, inverted: bool = False) -> Coverage:
    own = values.shape[1], values.shape[0]
    return Stencil(Mask(png(values), Masking(feather, inverted)), own).coverage(size or own)


def blots(width: int, height: int) -> Coverage:
    """Return a mask of white blots, one of them at the border, and grey ones."""
    image = Image.new("L", (width, height))
    draw = ImageDraw.Draw(image)
    draw.ellipse([0.1 * width, 0.2 * height, 0.5 * width, 0.9 * height], fill=255)
    draw.rectangle([0.8 * width, 0, width, 0.5 * height], fill=255)
    draw.ellipse([0.6 * width, 0.6 * height, 0.7 * width, 0.8 * height], fill=100)
    return np.asarray(image)


def reading(file: bytes, size: Size = SIZE) -> Coverage:
    return Stencil(Mask(file, Masking(0)), size).coverage(size)


def complaint(file: bytes, size: Size = SIZE) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        reading(file, size)
    assert caught.value.field == "mask"
    return caught.value


@pytest.mark.parametrize("feather", [0.0, *FEATHERS])
@pytest.mark.parametrize("value", [0, 1, 128, 255])
def test_a_mask_that_is_the_same_everywhere_stays_so(value: int, feather: float) -> None:
    stencil = Stencil(Mask(flat(SIZE, value), Masking(feather)), SIZE)
    assert (stencil.paints, stencil.keeps) == (value > 0, value < 255)
    for size in (SIZE, (200, 150), (31, 7)):
        assert (stencil.coverage(size) == value).all()


def test_without_feather_a_mask_covers_what_it_shows() -> None:
    values = blots(90, 60)
    np.testing.assert_array_equal(coverage(values), values)


@pytest.mark.parametrize("feather", FEATHERS)
def test_the_edge_is_soft_as_far_as_it_was_asked_for_and_no_further(feather: float) -> None:
    width = 1000
    values = left_half(width, 20)
    soft = coverage(values, feather)
    reach = feather * width

    assert (np.diff(soft.astype(int), axis=1) <= 0).all()  # it falls from white to black, and never rises
    (changed,) = np.nonzero((soft != values).any(axis=0))
    assert width / 2 - reach - 3 <= changed[0]
    assert changed[-1] < width / 2 + reach + 3
    if reach > 3:
        assert changed[-1] - changed[0] > reach


@pytest.mark.parametrize("feather", FEATHERS)
def test_what_is_painted_under_a_mask_is_kept_under_its_inverse(feather: float) -> None:
    values = blots(300, 200)
    painted, kept = coverage(values, feather), coverage(values, feather, inverted=True)
    assert np.abs(painted.astype(int) + kept - 255).max() <= 1  # both are rounded
    np.testing.assert_array_equal(kept, coverage(255 - values, feather))


@pytest.mark.parametrize("feather", FEATHERS)
def test_a_mask_turned_or_mirrored_covers_the_same_turned_or_mirrored(feather: float) -> None:
    values = blots(200, 200)
    for change in (np.flipud, np.fliplr, np.transpose):
        difference = coverage(change(values), feather).astype(int) - change(coverage(values, feather))
        assert np.abs(difference).max() <= 1  # across is rounded before down


def test_a_brighter_mask_covers_no_less() -> None:
    darker = blots(300, 200)
    brighter = np.maximum(darker, left_half(300, 200) // 2)
    for feather, size in itertools.product(FEATHERS, [(300, 200), (120, 80), (450, 330)]):
        assert (coverage(darker, feather, size=size) <= coverage(brighter, feather, size=size)).all()


@pytest.mark.parametrize("feather", FEATHERS)
@pytest.mark.parametrize("size", [(1300, 900), (600, 1100)])
def test_large_masks_are_softened_in_tiles_that_leave_no_seam(size: Size, feather: float) -> None:
    values = blots(*size)
    deviation = feather * max(size) / 3
    whole = Image.fromarray(values).filter(ImageFilter.GaussianBlur(deviation))
    np.testing.assert_array_equal(coverage(values, feather), np.asarray(whole))


def test_the_edge_is_as_soft_in_a_result_of_another_size() -> None:
    values = blots(400, 300)
    whole = coverage(values, 0.03)
    half, double = coverage(values, 0.03, size=(200, 150)), coverage(values, 0.03, size=(800, 600))
    assert half.shape == (150, 200)
    assert double.shape == (600, 800)
    for other in (half, double):
        back = np.asarray(Image.fromarray(other).resize((400, 300), Image.Resampling.BILINEAR))
        assert np.abs(back.astype(int) - whole).mean() < 2


def test_a_result_of_other_proportions_stretches_the_soft_edge_with_the_picture() -> None:
    upright = coverage(left_half(400, 300), 0.03, size=(400, 900))
    np.testing.assert_array_equal(upright[450], coverage(left_half(400, 300), 0.03)[150])


def test_photo_and_painting_are_mixed_by_share_and_rounded_to_nearest() -> None:
    painted, photo = (values.astype(np.uint8) for values in np.mgrid[0:256, 0:256])
    for share in (0, 1, 77, 127, 128, 254, 255):
        whole = np.full((256, 256), share, np.uint8)
        mixture = composed(np.dstack([painted] * 3), np.dstack([photo] * 3), whole)
        expected = np.rint((painted.astype(float) * share + photo.astype(float) * (255 - share)) / 255)
        np.testing.assert_array_equal(mixture, np.dstack([expected] * 3))


def test_the_photo_is_put_back_with_neither_halo_nor_seam() -> None:
    photo, painted = gradient(300, 200), np.roll(gradient(300, 200), 90, axis=1)
    values = blots(300, 200)
    stencil = Stencil(Mask(png(values), Masking(0.02)), (300, 200))
    image = Image.fromarray(painted)
    stencil.restore(photo, image)
    result, covered = np.asarray(image), stencil.coverage((300, 200))

    np.testing.assert_array_equal(result[covered == 255], painted[covered == 255])
    np.testing.assert_array_equal(result[covered == 0], photo[covered == 0])
    assert ((covered > 0) & (covered < 255)).any()
    assert (result >= np.minimum(photo, painted)).all()
    assert (result <= np.maximum(photo, painted)).all()
    np.testing.assert_array_equal(result, composed(painted, photo, covered))


def test_a_picture_is_retouched_at_its_own_size() -> None:
    photo = gradient(60, 40)
    stencil = Stencil(Mask(png(left_half(300, 200)), Masking(0)), (300, 200))
    file = images.encode(
        255 - gradient(120, 80),
        size=(60, 40),
        format=images.Format.PNG,
        retouch=lambda painted: stencil.restore(photo, painted),
    )
    np.testing.assert_array_equal(images.decode(file)[:, 31:], photo[:, 31:])


def test_every_depth_of_grey_is_one() -> None:
    bits = Image.fromarray(left_half() > 0)
    assert bits.mode == "1"
    np.testing.assert_array_equal(reading(png(bits)), left_half())
    for depth, row, values in (
        (1, b"\xaa", [255, 0]),
        (2, b"\x77\x77", [85, 255]),
        (4, b"\x3f" * 4, [51, 255]),
        (8, b"\x40\xff" * 4, [64, 255]),
        (16, b"\x80\x80\x00\x81" * 4, [128, 1]),
    ):
        assert reading(png_of(8, 8, depth, GREY, row), (8, 8)).tolist() == [values * 4] * 8


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P"])
def test_colours_that_are_all_grey_and_opaque_are_a_mask_too(mode: str) -> None:
    values = blots(*SIZE)
    image = Image.fromarray(values).convert(mode)
    assert image.mode == mode
    np.testing.assert_array_equal(reading(png(image)), values)


def test_the_profile_of_a_mask_means_nothing() -> None:
    profile = images.encode(gradient())  # none at all, but there
    np.testing.assert_array_equal(reading(png(blots(*SIZE), icc_profile=profile)), blots(*SIZE))


def test_a_mask_that_lies_on_its_side_by_its_own_exif_is_turned_upright() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    turned = png(np.rot90(blots(*SIZE)).copy(), exif=exif)
    np.testing.assert_array_equal(reading(turned), blots(*SIZE))


@pytest.mark.parametrize(
    ("size", "told"),
    [
        ((63, 48), "63x48 px, and the photo 64x48 px; send one of exactly the photo's size"),
        ((48, 64), "48x64 px, and the photo 64x48 px; turn it"),
        ((128, 96), "128x96 px, and the photo 64x48 px"),
    ],
)
def test_a_mask_of_another_size_is_refused_with_both_sizes(size: Size, told: str) -> None:
    assert told in complaint(flat(size, 255)).reason


def test_a_mask_of_colours_is_refused() -> None:
    assert "has colours" in complaint(png(Image.fromarray(gradient(*SIZE)))).reason


def test_one_colour_in_the_last_corner_is_found() -> None:
    pixels = np.zeros((700, 40, 3), np.uint8)
    pixels[-1, -1] = (255, 255, 254)
    assert "has colours" in complaint(png(pixels), (40, 700)).reason


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_a_mask_that_is_transparent_somewhere_is_refused(mode: str) -> None:
    image = Image.fromarray(blots(*SIZE)).convert(mode)
    image.putpixel((63, 47), (0, 0, 0, 254) if mode == "RGBA" else (0, 254))
    assert "transparent" in complaint(png(image)).reason


def test_a_transparent_shade_is_refused_where_it_shows() -> None:
    shade = (b"tRNS", b"\0\x40")
    assert "transparent" in complaint(png_of(8, 8, 8, GREY, b"\x40\xff" * 4, shade), (8, 8)).reason
    assert reading(png_of(8, 8, 8, GREY, b"\x41\xff" * 4, shade), (8, 8))[0, 0] == 0x41


@pytest.mark.parametrize(
    ("file", "told"),
    [
        (b"", "is empty"),
        (b"white", "which is no PNG"),
        (images.encode(gradient(*SIZE)), "which is no PNG"),
        (images.encode(gradient(*SIZE), format=images.Format.WEBP), "which is no PNG"),
        (flat(SIZE, 255)[:40], "damaged"),
        (png(blots(*SIZE))[:200], "damaged"),
        (png_of(64, 48, 8, GREY, bytes(10)), "damaged"),
        (png_of(64, 48, 3, GREY, bytes(24)), "damaged"),
    ],
    ids=["empty", "text", "JPEG", "WebP", "cut short", "cut in its pixels", "too few pixels", "no such depth"],
)
def test_what_is_no_whole_png_is_refused(file: bytes, told: str) -> None:
    error = complaint(file)
    assert isinstance(error, UnreadableImage)
    assert told in error.reason


def test_a_bomb_is_refused_for_its_size_before_it_is_decoded() -> None:
    bomb = png_of(60_000, 60_000, 16, RGB, b"")[:-12] + png_of(1, 1, 8, GREY_ALPHA, b"\0\0")[33:]
    assert "60000x60000 px" in complaint(bomb).reason


@settings(derandomize=True, deadline=None, database=None, max_examples=300)
@given(
    file=st.sampled_from([flat(SIZE, 255), png(blots(*SIZE)), png(Image.fromarray(blots(*SIZE)).convert("P"))]),
    changes=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=4),
    cut=st.integers(0, 60),
)
def test_whatever_bytes_are_sent_as_a_mask_they_are_one_or_refused(
    file: bytes, changes: list[tuple[int, int]], cut: int
) -> None:
    changed = bytearray(file)
    for at, value in changes:
        changed[at % len(changed)] = value
    with suppress(InvalidInput):
        assert reading(bytes(changed[: len(changed) - cut])).shape == SIZE[::-1]


@pytest.mark.parametrize("feather", [-0.001, 0.100001, math.nan, math.inf, -math.inf])
def test_a_feather_out_of_range_is_refused(feather: float) -> None:
    with pytest.raises(InvalidInput, match=r"give 0 to 0\.1") as caught:
        check_feather(feather)
    assert caught.value.field == "mask.feather"


def test_a_mask_does_not_show_its_bytes_in_a_log() -> None:
    assert repr(Mask(b"secret")) == "Mask(masking=Masking(feather=0.005, inverted=False))"

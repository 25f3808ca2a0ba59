"""The colours of a picture as its file has them, in sRGB as a viewer shows them."""

from __future__ import annotations

import io
import struct
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
_OF_16_BIT = ((np.arange(65_536) + 128) // 257).astype(np.uint8)  # each value of 16 bits, rounded to 8
_TRANSPARENT, _OPAQUE = np.uint8(0), np.uint8(255)
_KEPT_TRANSFORMS = 16  # of the profiles that came last: to make one takes longer than to convert a small picture
_KEPT_PROFILE = 65_536  # bytes; larger profiles, as presses have them, are read anew each time

# Of a profile's header, by ICC.1:2022, 7.2: where its class, its colour space, and the one that it leads to begin.
_CLASS, _SPACE, _CONNECTION, _TAGS = 12, 16, 20, 128
_CLASSES = (b"scnr", b"mntr", b"prtr", b"spac")  # those that pictures are tagged with
_CONNECTIONS = (b"XYZ ", b"Lab ")
_SPACES = {"L": b"GRAY", "RGB": b"RGB ", "CMYK": b"CMYK"}  # by a picture's mode
_TAG = struct.Struct(">4s8x")
_ENDLESS = (b"D2B0", b"D2B1", b"D2B2", b"D2B3")  # programs of as many steps as their author likes, for each colour


def split_alpha(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Return the colours, as L, RGB or CMYK, and the opacity, as L, of a picture that has one."""
    if image.mode.startswith("I"):
        image = _from_16_bit(image)
    colours = "L" if image.mode in ("1", "L", "LA") else "CMYK" if image.mode == "CMYK" else "RGB"
    alpha = None
    if image.has_transparency_data:
        if image.mode not in ("LA", "RGBA"):
            image = image.convert("LA" if colours == "L" else "RGBA")
        alpha = image.getchannel("A")
    return image if image.mode == colours else image.convert(colours), alpha


def apply_profile(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Return the picture in sRGB; one without a profile, or with a broken one, is taken to be in sRGB already."""
    if profile and _fits(profile, image.mode):
        try:
            kept = len(profile) <= _KEPT_PROFILE
            transform = (_kept_transform if kept else _make_transform)(profile, image.mode)
            converted = ImageCms.applyTransform(image, transform)
            assert converted is not None
            return converted
        except (ImageCms.PyCMSError, OSError):
            pass
    return image if image.mode == "RGB" else image.convert("RGB")


def _from_16_bit(image: Image.Image) -> Image.Image:
    """Return grey of 16 bits, with or without a transparent shade, as L or LA."""
    values = np.asarray(image)
    grey = Image.fromarray(_OF_16_BIT[values])
    shade = image.info.get("transparency")
    if shade is None:
        return grey
    alpha = Image.fromarray(np.where(values == shade, _TRANSPARENT, _OPAQUE))
    return Image.merge("LA", (grey, alpha))


def _make_transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform:
    """Return what turns a picture with this profile into sRGB; threads may share it."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(_without_programs(profile)))
    return ImageCms.buildTransform(source, _SRGB, mode, "RGB")


def _fits(profile: bytes, mode: str) -> bool:
    """Return whether a profile is one for pictures of this mode."""
    return (
        profile[_CLASS:_SPACE] in _CLASSES
        and profile[_SPACE:_CONNECTION] == _SPACES[mode]
        and profile[_CONNECTION : _CONNECTION + 4] in _CONNECTIONS
    )


def _without_programs(profile: bytes) -> bytes:
    """Return a profile without its multi-process elements; what else it must hold says the same, in bounded time."""
    cleaned = bytearray(profile)
    begin = _TAGS + 4
    count = int.from_bytes(profile[_TAGS:begin])
    end = begin + _TAG.size * min(count, (len(profile) - begin) // _TAG.size)
    for at in range(begin, end, _TAG.size):
        if profile[at : at + 4] in _ENDLESS:
            cleaned[at : at + 4] = bytes(4)
    return bytes(cleaned)


_kept_transform = lru_cache(_KEPT_TRANSFORMS)(_make_transform)

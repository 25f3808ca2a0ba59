"""The colours of a picture as its file has them, in sRGB as a viewer shows them."""

from __future__ import annotations

import io
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
_KEPT_TRANSFORMS = 16  # of the profiles that came last: to make one takes longer than to convert a small picture
_KEPT_PROFILE = 65_536  # bytes; larger profiles, as presses have them, are read anew each time


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
    if profile:
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
    values = np.asarray(image).astype(np.uint32)
    shade = image.info.get("transparency")
    alpha = None if shade is None else Image.fromarray(np.where(values == shade, 0, 255).astype(np.uint8))
    values += 128
    values //= 257
    grey = Image.fromarray(values.astype(np.uint8))
    return grey if alpha is None else Image.merge("LA", (grey, alpha))


def _make_transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform:
    """Return what turns a picture with this profile into sRGB; threads may share it."""
    return ImageCms.buildTransform(ImageCms.ImageCmsProfile(io.BytesIO(profile)), _SRGB, mode, "RGB")


_kept_transform = lru_cache(_KEPT_TRANSFORMS)(_make_transform)

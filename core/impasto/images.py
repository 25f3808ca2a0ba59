"""Bytes to pixels and back.

A decoded picture is a `numpy.uint8` array `[H, W, 3]`, sRGB, upright. Pictures that were made with a colour profile,
an orientation, transparency, in grey, CMYK or with 16 bits a channel arrive as what a viewer would show.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps

from impasto.errors import ImageTooLarge, InvalidInput, UnreadableImage

Pixels = NDArray[np.uint8]
"""[H, W, 3], RGB in 0..255."""

Planes = NDArray[np.float32]
"""[N, 3, H, W], RGB in 0..1."""

MIN_SIDE = 16  # px; a transformer reflects its borders at a quarter of the size, and needs 4 px there
MAX_PIXELS = 50_000_000
READABLE = ("JPEG", "PNG", "WEBP")
BACKGROUND = (255, 255, 255)  # what shows through a transparent picture: the paper that it is printed on

DEFAULT_QUALITY = 90
_JPEG_FULL_CHROMA = 90  # from this quality on, chroma is kept at full resolution: strokes have sharp coloured edges

_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


class Format(Enum):
    """What `encode` writes."""

    JPEG = "JPEG"
    PNG = "PNG"
    WEBP = "WEBP"

    @property
    def media_type(self) -> str:
        return f"image/{self.value.lower()}"


@dataclass(frozen=True)
class Limits:
    """What a picture may be, checked from its header before any pixel is decoded.

    Attributes:
        max_pixels: height times width.
        min_side: px, of the shorter side.
    """

    max_pixels: int = MAX_PIXELS
    min_side: int = MIN_SIDE

    def check(self, width: int, height: int, field: str) -> None:
        """Raise ImageTooLarge or InvalidInput unless a picture of this size is allowed."""
        if width * height > self.max_pixels:
            raise ImageTooLarge(
                field, f"{width}x{height} px is {width * height:,} pixels; at most {self.max_pixels:,} are allowed"
            )
        if min(width, height) < self.min_side:
            raise InvalidInput(field, f"{width}x{height} px is too small; each side must have at least {self.min_side}")


def decode(data: bytes, *, limits: Limits | None = None, field: str = "image") -> Pixels:
    """Return the picture in `data`.

    Args:
        data: a JPEG, PNG or WebP file; what it is, is read from its content. Of an animation, the first frame.
        limits: what is allowed; `Limits()` by default.
        field: what to call the picture in an error.

    Raises:
        UnreadableImage: empty, not one of these formats, or damaged.
        ImageTooLarge: more pixels than allowed.
        InvalidInput: a side shorter than allowed.
    """
    if not data:
        raise UnreadableImage(field, "is empty; send the bytes of a JPEG, PNG or WebP file")
    with warnings.catch_warnings():
        # Pillow only warns of a decompression bomb; our own limit has been applied by then.
        warnings.simplefilter("ignore")
        try:
            with Image.open(io.BytesIO(data), formats=READABLE) as file:
                (limits or Limits()).check(*file.size, field)
                return _to_srgb(file)
        except InvalidInput:
            raise
        except Image.DecompressionBombError as error:
            raise ImageTooLarge(field, str(error)) from error
        except Image.UnidentifiedImageError as error:
            raise UnreadableImage(
                field, f"starts with {data[:8]!r}, which is no JPEG, PNG or WebP; send one of these"
            ) from error
        except Exception as error:  # Pillow's plugins raise many kinds for a damaged file
            raise UnreadableImage(field, f"is a damaged picture: {error or type(error).__name__}") from error


def encode(pixels: Pixels, *, format: Format = Format.JPEG, quality: int = DEFAULT_QUALITY) -> bytes:
    """Return the picture as a file, untagged sRGB.

    Args:
        pixels: [H, W, 3].
        format: the file format.
        quality: 1 (smallest) to 100 (best), for JPEG and WebP; PNG loses nothing and ignores it.

    Raises:
        InvalidInput: a quality out of range.
    """
    if not 1 <= quality <= 100:
        raise InvalidInput("quality", f"{quality} is out of range; give 1 to 100")
    buffer = io.BytesIO()
    image = Image.fromarray(pixels)
    match format:
        case Format.JPEG:
            subsampling = 0 if quality >= _JPEG_FULL_CHROMA else 2
            image.save(buffer, "JPEG", quality=quality, subsampling=subsampling)
        case Format.PNG:
            image.save(buffer, "PNG", compress_level=3)
        case Format.WEBP:
            image.save(buffer, "WEBP", quality=quality, method=3)
    return buffer.getvalue()


def resize(pixels: Pixels, width: int, height: int) -> Pixels:
    """Return the picture at another size: [height, width, 3]. Lanczos, which shrinks without aliasing."""
    if pixels.shape[:2] == (height, width):
        return pixels
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS))


def fit(width: int, height: int, long_side: int) -> tuple[int, int]:
    """Return the (width, height) that scales a picture to this long side, each at least 1 px."""
    scale = long_side / max(width, height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def to_planes(pixels: Pixels) -> Planes:
    """Return [H, W, 3] in 0..255 as [1, 3, H, W] in 0..1."""
    planes = np.ascontiguousarray(pixels.transpose(2, 0, 1)[None], dtype=np.float32)
    planes *= 1 / 255
    return planes


def to_pixels(planes: Planes) -> Pixels:
    """Return [1, 3, H, W] in 0..1 (values outside are clipped) as [H, W, 3] in 0..255, rounded to nearest."""
    scaled = np.rint(np.clip(planes[0], 0.0, 1.0) * 255.0).astype(np.uint8)
    return np.ascontiguousarray(scaled.transpose(1, 2, 0))


def _to_srgb(file: Image.Image) -> Pixels:
    profile = file.info.get("icc_profile")
    image: Image.Image = ImageOps.exif_transpose(file)
    if image.mode.startswith("I"):
        image = _from_16_bit(image)
    alpha = image.convert("RGBA").getchannel("A") if image.has_transparency_data else None
    if image.mode in ("P", "PA", "1", "LA", "La", "RGBA", "RGBa"):
        image = image.convert("L" if image.mode in ("1", "LA", "La") else "RGB")
    image = _apply_profile(image, profile)
    if alpha is not None:
        paper = Image.new("RGB", image.size, BACKGROUND)
        image = Image.composite(image, paper, alpha)
    return np.asarray(image)


def _from_16_bit(image: Image.Image) -> Image.Image:
    values = np.asarray(image).astype(np.float32)
    return Image.fromarray(np.rint(np.clip(values / 257.0, 0.0, 255.0)).astype(np.uint8))


def _apply_profile(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Return the picture in sRGB; one without a profile, or with a broken one, is taken to be in sRGB already."""
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(image, source, _SRGB, outputMode="RGB")
            assert converted is not None
            return converted
        except (ImageCms.PyCMSError, OSError):
            pass
    return image.convert("RGB")

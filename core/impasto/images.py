"""Bytes to pixels and back.

A decoded picture is a `numpy.uint8` array `[H, W, 3]`, sRGB, upright. Pictures that were made with a colour profile,
an orientation, transparency, in grey, CMYK or with 16 bits a channel arrive as what a viewer would show.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from impasto.errors import ImageTooLarge, InvalidInput, UnreadableImage

Pixels = NDArray[np.uint8]
"""[H, W, 3], RGB in 0..255."""

Planes = NDArray[np.float32]
"""[N, 3, H, W], RGB in 0..1."""

Size = tuple[int, int]
"""Width and height, px."""

MIN_SIDE = 16  # px; a transformer reflects its borders at a quarter of the size, and needs 4 px there
MAX_PIXELS = 50_000_000
MAX_SCANS = 100  # of a progressive JPEG; encoders write about ten, and each one passes over the whole picture again
BACKGROUND = (255, 255, 255)  # what shows through a transparent picture: the paper that it is printed on

DEFAULT_QUALITY = 90
_JPEG_FULL_CHROMA = 90  # from this quality on, chroma is kept at full resolution: strokes have sharp coloured edges

# Named here rather than left to Image.open, which warns of large pictures (to filter warnings is not safe among
# threads), tries formats that are not meant, and takes a phone's JPEG with a depth map for another format.
_READERS: tuple[tuple[re.Pattern[bytes], type[ImageFile]], ...] = (
    (re.compile(rb"\xff\xd8\xff"), JpegImageFile),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), PngImageFile),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), WebPImageFile),
)
_JPEG_SCAN = re.compile(rb"\xff\xda\x00[\x08\x0a\x0c\x0e][\x01-\x04]")  # a scan's header, of 1 to 4 components

_UPRIGHT = {  # what undoes each EXIF orientation; 1 is upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


class Format(Enum):
    """What `encode` writes."""

    JPEG = "JPEG"
    PNG = "PNG"
    WEBP = "WEBP"

    @property
    def media_type(self) -> str:
        return f"image/{self.value.lower()}"

    @property
    def max_side(self) -> int:
        """The longest side, in px, that the format can hold."""
        return {Format.JPEG: 65_500, Format.PNG: 2**31 - 1, Format.WEBP: 16_383}[self]


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
            pixels = f"{width}x{height} px is {width * height:,} pixels"
            raise ImageTooLarge(field, f"{pixels}; at most {self.max_pixels:,} are allowed; scale it down")
        if min(width, height) < self.min_side:
            raise InvalidInput(
                field, f"{width}x{height} px is too small; each side must have at least {self.min_side} px"
            )


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
    limits = limits or Limits()
    read = _reader(data, field)
    try:
        image: Image.Image = read(io.BytesIO(data))
        limits.check(*image.size, field)
        image = _to_srgb(image)
        return np.asarray(image)
    except (InvalidInput, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        raise ImageTooLarge(field, f"{error}; at most {limits.max_pixels:,} pixels are allowed") from error
    except Exception as error:  # Pillow's plugins raise many kinds for a damaged file
        raise UnreadableImage(
            field, f"is a damaged picture ({error or type(error).__name__}); send the whole file, or save it anew"
        ) from error


def encode(pixels: Pixels, *, format: Format = Format.JPEG, quality: int = DEFAULT_QUALITY) -> bytes:
    """Return the picture as a file, untagged sRGB.

    Args:
        pixels: [H, W, 3].
        format: the file format.
        quality: 1 (smallest) to 100 (best), for JPEG and WebP; PNG loses nothing and ignores it.

    Raises:
        InvalidInput: a quality out of range, or a side longer than the format can hold.
    """
    check_quality(quality)
    height, width = pixels.shape[:2]
    if max(height, width) > format.max_side:
        raise InvalidInput(
            "format",
            f"{format.value} holds at most {format.max_side} px a side, not {width}x{height}; "
            "choose PNG or a smaller output",
        )
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


def check_quality(quality: int) -> None:
    """Raise InvalidInput unless `encode` takes this quality."""
    if not 1 <= quality <= 100:
        raise InvalidInput("quality", f"{quality} is out of range; give 1 to 100")


def resize(pixels: Pixels, width: int, height: int) -> Pixels:
    """Return the picture at another size: [height, width, 3]. Lanczos, which shrinks without aliasing."""
    if pixels.shape[:2] == (height, width):
        return pixels
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS))


def fit(width: int, height: int, long_side: int) -> tuple[int, int]:
    """Return the (width, height) that scales a picture to this long side, each at least 1 px."""
    scale = long_side / max(width, height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def with_long_side(pixels: Pixels, long_side: int, *, multiple: int = 1) -> Pixels:
    """Return the picture with this long side, both sides then rounded down to the multiple: [H, W, 3]."""
    width, height = fit(pixels.shape[1], pixels.shape[0], long_side)
    return resize(pixels, max(1, width // multiple) * multiple, max(1, height // multiple) * multiple)


def with_short_side(pixels: Pixels, short_side: int) -> Pixels:
    """Return the picture with this short side: [H, W, 3]."""
    height, width = pixels.shape[:2]
    return with_long_side(pixels, round(short_side * max(height, width) / min(height, width)))


def to_planes(pixels: Pixels) -> Planes:
    """Return [H, W, 3] in 0..255 as [1, 3, H, W] in 0..1."""
    planes = np.ascontiguousarray(pixels.transpose(2, 0, 1)[None], dtype=np.float32)
    planes /= 255
    return planes


def to_pixels(planes: Planes) -> Pixels:
    """Return [1, 3, H, W] in 0..1 (values outside are clipped) as [H, W, 3] in 0..255, rounded to nearest."""
    scaled = planes[0] * np.float32(255)
    np.rint(scaled, out=scaled)
    np.clip(scaled, 0, 255, out=scaled)
    return np.ascontiguousarray(scaled.transpose(1, 2, 0), dtype=np.uint8)


def _reader(data: bytes, field: str) -> type[ImageFile]:
    """Return what reads this kind of file, which its first bytes tell."""
    reader = next((reader for signature, reader in _READERS if signature.match(data)), None)
    if reader is None:
        raise UnreadableImage(field, f"starts with {data[:12]!r}, which is no JPEG, PNG or WebP; send one of these")
    if reader is JpegImageFile:
        scans = sum(1 for _ in _JPEG_SCAN.finditer(data))
        if scans > MAX_SCANS:
            raise UnreadableImage(field, f"is a JPEG of {scans} scans; at most {MAX_SCANS} are read; save it anew")
    return reader


def _to_srgb(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    image = _upright(image)
    if image.mode.startswith("I"):
        image = _from_16_bit(image)
    image, alpha = _split_alpha(image)
    image = _apply_profile(image, profile)
    if alpha is None:
        return image
    paper = Image.new("RGB", image.size, BACKGROUND)
    paper.paste(image, mask=alpha)
    return paper


def _upright(image: Image.Image) -> Image.Image:
    """Undo the EXIF orientation. ImageOps.exif_transpose writes the EXIF anew too, which fails for some cameras'."""
    image.load()
    try:
        turn = _UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # damaged metadata does not make a damaged picture
        return image
    return image if turn is None else image.transpose(turn)


def _from_16_bit(image: Image.Image) -> Image.Image:
    """Return grey of 16 bits, with or without a transparent shade, as L or LA."""
    values = np.asarray(image).astype(np.uint32)
    shade = image.info.get("transparency")
    alpha = None if shade is None else Image.fromarray(np.where(values == shade, 0, 255).astype(np.uint8))
    values += 128
    values //= 257
    grey = Image.fromarray(values.astype(np.uint8))
    return grey if alpha is None else Image.merge("LA", (grey, alpha))


def _split_alpha(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Return the colours, as L, RGB or CMYK, and the opacity, as L, of a picture that has one."""
    colours = "L" if image.mode in ("1", "L", "LA") else "CMYK" if image.mode == "CMYK" else "RGB"
    alpha = None
    if image.has_transparency_data:
        if image.mode not in ("LA", "RGBA"):
            image = image.convert("LA" if colours == "L" else "RGBA")
        alpha = image.getchannel("A")
    return image if image.mode == colours else image.convert(colours), alpha


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
    return image if image.mode == "RGB" else image.convert("RGB")

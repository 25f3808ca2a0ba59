"""Bytes to pixels and back.

A decoded picture is a `numpy.uint8` array `[H, W, 3]`, sRGB, upright. Pictures that were made with a colour profile,
an orientation, transparency, in grey, CMYK or with 16 bits a channel arrive as what a viewer would show.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from impasto.apart import NotInstalled, NotStarted
from impasto.containers.header import damaged
from impasto.decoders import Kind, in_words, not_read, readable_kinds
from impasto.errors import ImageTooLarge, InvalidInput, UnreadableImage
from impasto.headers import SIDEWAYS, read_header, turn
from impasto.metadata import NOTHING, Metadata
from impasto.srgb import apply_profile, split_alpha

Pixels = NDArray[np.uint8]
"""[H, W, 3], RGB in 0..255."""

Planes = NDArray[np.float32]
"""[N, 3, H, W], RGB in 0..1."""

Size = tuple[int, int]
"""Width and height, px."""

Retouch = Callable[[Image.Image], None]
"""Changes a picture, in RGB, in place."""

_Box = tuple[float, ...]
"""Left, top, right and bottom, px."""

MIN_SIDE = 16  # px; a transformer reflects its borders at a quarter of the size, and needs 4 px there
MAX_PIXELS = 51_000_000  # phones of 50 megapixels make photos of up to 8192x6144 px
BACKGROUND = (255, 255, 255)  # what shows through a transparent picture: the paper that it is printed on

DECODED_SIDE = 1.5  # times a wanted side, that a JPEG is decoded at if it is not decoded whole; see decision 18
_STRIP = 65_536  # values that are rounded at once: as many as a core's cache holds

DEFAULT_QUALITY = 90
_PNG_XMP = "XML:com.adobe.xmp"
_JPEG_FULL_CHROMA = 90  # from this quality on, chroma is kept at full resolution: strokes have sharp coloured edges


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


def readable_formats() -> tuple[str, ...]:
    """Return the media types of the pictures that this installation reads, such as `image/jpeg`."""
    return tuple(kind.media_type for kind in readable_kinds())


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
    """Return the picture in `data`, as `PictureFile` reads it, in its own size."""
    return PictureFile(data, limits=limits, field=field).decode()


class PictureFile:
    """A picture's file, of which the header has been read.

    Args:
        data: a file of one of `readable_formats`; what it is, is read from its content. Of an animation, the first
            frame; of a HEIF file that holds several pictures, the one that it calls its primary item.
        limits: what is allowed; `Limits()` by default.
        field: what to call the picture in an error.

    Attributes:
        size: its width and height, upright, px.
        exif: its EXIF block, of which nothing has been checked; empty where it has none.

    Raises:
        UnreadableImage: empty, not one of these formats, or damaged.
        ImageTooLarge: more pixels than allowed.
        InvalidInput: a side shorter than allowed.
    """

    def __init__(self, data: bytes, *, limits: Limits | None = None, field: str = "image") -> None:
        if not data:
            raise UnreadableImage(field, f"is empty; send the bytes of a {in_words()} file")
        self._field = field
        self._header, self._decoder = read_header(data, field)
        allowed = limits or Limits()
        allowed.check(self._header.width, self._header.height, field)
        left, top, right, bottom = self._shown = self._header.crop or (0, 0, self._header.width, self._header.height)
        allowed.check(right - left, bottom - top, field)
        self.exif: bytes = self._header.exif
        self._turn = turn(self._header)
        self.size: Size = self._turned((right - left, bottom - top))

    def decode(self, size: Size | None = None) -> Pixels:
        """Return the picture, [H, W, 3].

        Args:
            size: to scale it to. A JPEG that is much larger is not decoded whole, which spares time and memory.

        Raises:
            UnreadableImage: it is damaged.
        """
        with self._readable():
            srgb = self._in_srgb(size and self._turned(size))
            return np.asarray(srgb if self._turn is None else srgb.transpose(self._turn))

    def _in_srgb(self, size: Size | None) -> Image.Image:
        """Return what is shown of the picture as stored, scaled to a size, in sRGB."""
        stored = self._header.width, self._header.height
        image, divisor = self._decoder(self._header.file, stored, size and self._least(size))
        box = tuple(side / divisor for side in self._shown)
        colours, alpha = split_alpha(image)
        if alpha is None:  # a scaled picture has fewer pixels to convert
            return apply_profile(_scaled(colours, size, box), self._header.profile)
        decoded = image.size
        del image  # and what decoded it, which takes more memory than it
        paper = Image.new("RGB", decoded, BACKGROUND)
        paper.paste(apply_profile(colours, self._header.profile), mask=alpha)
        return _scaled(paper, size, box)

    def _least(self, size: Size) -> Size:
        """Return what a decoder has to make of the whole, for what is shown of it to be scaled to a size."""
        left, top, right, bottom = self._shown
        return (
            math.ceil(DECODED_SIDE * size[0] * self._header.width / (right - left)),
            math.ceil(DECODED_SIDE * size[1] * self._header.height / (bottom - top)),
        )

    def _turned(self, size: Size) -> Size:
        """Return the size upright of one as stored, or the other way round."""
        return (size[1], size[0]) if self._turn in SIDEWAYS else size

    @contextmanager
    def _readable(self) -> Iterator[None]:
        """Turn what goes wrong into an error about this picture."""
        try:
            yield
        except (InvalidInput, MemoryError, NotStarted):
            raise
        except NotInstalled as error:
            raise not_read(Kind.HEIC, self._field) from error
        except Image.DecompressionBombError as error:  # more than a limit of Pillow's own, for a WebP alone
            raise ImageTooLarge(self._field, f"{error}; scale it down") from error
        except Exception as error:  # Pillow's plugins raise many kinds for a damaged file
            raise damaged(self._field, f"{error or type(error).__name__}") from error


def untouched(_: Image.Image) -> None:
    """Leave a picture as it is."""


def encode(
    pixels: Pixels,
    *,
    size: Size | None = None,
    format: Format = Format.JPEG,
    quality: int = DEFAULT_QUALITY,
    metadata: Metadata = NOTHING,
    retouch: Retouch = untouched,
) -> bytes:
    """Return the picture as a file, in sRGB, without a profile.

    Args:
        pixels: [H, W, 3].
        size: to scale it to.
        format: the file format.
        quality: 1 (smallest) to 100 (best), for JPEG and WebP; PNG loses nothing and ignores it.
        metadata: what else the file says.
        retouch: what is done to the picture once it has its size.

    Raises:
        InvalidInput: a quality out of range, or a side longer than the format can hold.
    """
    return _encode(Image.fromarray(pixels), size, format, quality, metadata, retouch)


def encode_planes(
    planes: Planes,
    *,
    size: Size | None = None,
    format: Format = Format.JPEG,
    quality: int = DEFAULT_QUALITY,
    metadata: Metadata = NOTHING,
    retouch: Retouch = untouched,
) -> bytes:
    """Return [1, 3, H, W] in 0..1 as `encode` returns its pixels, sooner than by way of them."""
    bands = [Image.fromarray(plane) for plane in _rounded(planes)]
    return _encode(Image.merge("RGB", bands), size, format, quality, metadata, retouch)


def check_quality(quality: int) -> None:
    """Raise InvalidInput unless `encode` takes this quality."""
    if not 1 <= quality <= 100:
        raise InvalidInput("quality", f"{quality} is out of range; give 1 to 100")


def resize(pixels: Pixels, width: int, height: int) -> Pixels:
    """Return the picture at another size: [height, width, 3]. Lanczos, which shrinks without aliasing."""
    if pixels.shape[:2] == (height, width):
        return pixels
    return np.asarray(_scaled(Image.fromarray(pixels), (width, height)))


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
    return planes_of([pixels])


def planes_of(pictures: Sequence[Pixels]) -> Planes:
    """Return pictures [H, W, 3] of one size, in 0..255, as one batch [N, 3, H, W] in 0..1."""
    height, width = pictures[0].shape[:2]
    planes = np.empty((len(pictures), 3, height, width), np.float32)
    for row, picture in zip(planes, pictures, strict=True):
        row[:] = picture.transpose(2, 0, 1)
    planes /= 255
    return planes


def to_pixels(planes: Planes) -> Pixels:
    """Return [1, 3, H, W] in 0..1 (values outside are clipped) as [H, W, 3] in 0..255, rounded to nearest."""
    return np.stack(list(_rounded(planes)), axis=-1)


def _rounded(planes: Planes) -> NDArray[np.uint8]:
    """Return [1, 3, H, W] in 0..1 as [3, H, W] in 0..255."""
    _, bands, height, width = planes.shape
    rounded = np.empty((bands, height, width), np.uint8)
    rows = max(1, _STRIP // (bands * width))
    for top in range(0, height, rows):
        strip = planes[0, :, top : top + rows] * np.float32(255)
        np.rint(strip, out=strip)
        np.clip(strip, 0, 255, out=strip)
        rounded[:, top : top + rows] = strip
    return rounded


def _encode(
    image: Image.Image, size: Size | None, format: Format, quality: int, metadata: Metadata, retouch: Retouch
) -> bytes:
    check_quality(quality)
    width, height = size or image.size
    if max(height, width) > format.max_side:
        raise InvalidInput(
            "format",
            f"{format.value} holds at most {format.max_side} px a side, not {width}x{height}; "
            "choose PNG or a smaller output",
        )
    image = _scaled(image, size)
    retouch(image)
    with _scratch() if format is Format.JPEG else io.BytesIO() as file:
        match format:
            case Format.JPEG:
                subsampling = 0 if quality >= _JPEG_FULL_CHROMA else 2
                image.save(file, "JPEG", quality=quality, subsampling=subsampling, exif=metadata.exif, xmp=metadata.xmp)
            case Format.PNG:
                image.save(file, "PNG", compress_level=3, exif=metadata.exif, pnginfo=_png_texts(metadata))
            case Format.WEBP:
                image.save(file, "WEBP", quality=quality, method=3, exif=metadata.exif, xmp=metadata.xmp)
        file.seek(0)
        return file.read()


def _png_texts(metadata: Metadata) -> PngInfo | None:
    """Return an XMP packet as the text that it is in a PNG."""
    if not metadata.xmp:
        return None
    texts = PngInfo()
    texts.add_itxt(_PNG_XMP, metadata.xmp.decode())
    return texts


def _scratch() -> BinaryIO:
    """Return a file in memory; where it has a descriptor, Pillow lets other threads run while it encodes a JPEG."""
    if hasattr(os, "memfd_create"):  # not on macOS
        return os.fdopen(os.memfd_create("impasto"), "w+b", buffering=0)
    return io.BytesIO()


def _scaled(image: Image.Image, size: Size | None, box: _Box | None = None) -> Image.Image:
    """Return a box of the picture at another size, by Lanczos's filter."""
    whole = (0, 0, *image.size)
    left, top, right, bottom = box or whole
    if size is None or size == (right - left, bottom - top):
        return image if (left, top, right, bottom) == whole else image.crop((left, top, right, bottom))
    return image.resize(size, Image.Resampling.LANCZOS, box=(left, top, right, bottom))

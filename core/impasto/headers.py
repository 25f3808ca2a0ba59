"""What a picture's file says before its pixels: what reads it, how large it is, and which way up it is."""

from __future__ import annotations

import re
from collections.abc import Callable

from PIL import Image
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from impasto import exif
from impasto.containers import jpeg, png, webp
from impasto.containers.header import Header
from impasto.errors import UnreadableImage

Reader = type[ImageFile]
"""Decodes the pixels of one kind of file."""

# Named here rather than left to Image.open, which warns of large pictures (to filter warnings is not safe among
# threads), tries formats that are not meant, and takes a phone's JPEG with a depth map for another format.
_KINDS: tuple[tuple[re.Pattern[bytes], Callable[[bytes, str], Header], Reader], ...] = (
    (re.compile(rb"\xff\xd8\xff"), jpeg.read, JpegImageFile),
    (re.compile(re.escape(png.SIGNATURE)), png.read, PngImageFile),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), webp.read, WebPImageFile),
)

_UPRIGHT = {  # what undoes each EXIF orientation; 1 is upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SIDEWAYS = (  # what exchanges width and height
    Image.Transpose.TRANSPOSE,
    Image.Transpose.ROTATE_270,
    Image.Transpose.TRANSVERSE,
    Image.Transpose.ROTATE_90,
)


def read_header(data: bytes, field: str) -> tuple[Header, Reader]:
    """Return what a picture's file says before its pixels, and what decodes them. Its first bytes tell its kind.

    Raises:
        UnreadableImage: it is no JPEG, PNG or WebP, is damaged, or breaks a rule.
    """
    for signature, look, reader in _KINDS:
        if signature.match(data):
            return look(data, field), reader
    raise UnreadableImage(field, f"starts with {data[:12]!r}, which is no JPEG, PNG or WebP; send one of these")


def turn(block: bytes) -> Image.Transpose | None:
    """Return what undoes the orientation that an EXIF block tells."""
    told = exif.read(block).value(exif.ORIENTATION, (exif.SHORT, exif.BYTE, exif.LONG))
    return _UPRIGHT.get(told.number) if told else None

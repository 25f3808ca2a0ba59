"""What a picture's file says before its pixels: what reads it, and which way up it is."""

from __future__ import annotations

import re

from PIL import ExifTags, Image
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from impasto.errors import UnreadableImage

MAX_SCANS = 100  # of a progressive JPEG; encoders write about ten, and each one passes over the whole picture again

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
SIDEWAYS = (  # what exchanges width and height
    Image.Transpose.TRANSPOSE,
    Image.Transpose.ROTATE_270,
    Image.Transpose.TRANSVERSE,
    Image.Transpose.ROTATE_90,
)


def reader(data: bytes, field: str) -> type[ImageFile]:
    """Return what reads this kind of file, which its first bytes tell."""
    found = next((kind for signature, kind in _READERS if signature.match(data)), None)
    if found is None:
        raise UnreadableImage(field, f"starts with {data[:12]!r}, which is no JPEG, PNG or WebP; send one of these")
    if found is JpegImageFile:
        scans = sum(1 for _ in _JPEG_SCAN.finditer(data))
        if scans > MAX_SCANS:
            raise UnreadableImage(field, f"is a JPEG of {scans} scans; at most {MAX_SCANS} are read; save it anew")
    return found


def turn(image: ImageFile) -> Image.Transpose | None:
    """Return what undoes the EXIF orientation.

    ImageOps.exif_transpose writes the EXIF anew too, which fails for some cameras'.
    """
    try:
        return _UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # damaged metadata does not make a damaged picture
        return None

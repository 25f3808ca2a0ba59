"""What a picture's file says before its pixels: what reads it, how large it is, and which way up it is."""

from __future__ import annotations

import re
from collections.abc import Callable

from PIL import Image

from impasto import exif
from impasto.containers import heif, jpeg, png, webp
from impasto.containers.header import Header
from impasto.decoders import Decoder, Kind, decoder_of, in_words
from impasto.errors import UnreadableImage

_KINDS: tuple[tuple[re.Pattern[bytes], Callable[[bytes, str], Header], Kind | None], ...] = (
    (re.compile(rb"\xff\xd8\xff"), jpeg.read, Kind.JPEG),
    (re.compile(re.escape(png.SIGNATURE)), png.read, Kind.PNG),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), webp.read, Kind.WEBP),
    (heif.SIGNATURE, heif.read, None),  # which of the two that it may be, is read
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


def read_header(data: bytes, field: str) -> tuple[Header, Decoder]:
    """Return what a picture's file says before its pixels, and what decodes them. Its first bytes tell its kind.

    Raises:
        UnreadableImage: it is of no kind that is read here, is damaged, or breaks a rule.
    """
    for signature, look, kind in _KINDS:
        if signature.match(data):
            header = look(data, field)
            return header, decoder_of(kind or Kind(header.coding), field)
    raise UnreadableImage(field, f"starts with {data[:12]!r}, which is no {in_words()}; send one of these")


def turn(header: Header) -> Image.Transpose | None:
    """Return what makes a picture upright. Where its container tells that, its EXIF block does not count."""
    if header.orientation is not None:
        return _UPRIGHT.get(header.orientation)
    told = exif.read(header.exif).value(exif.ORIENTATION, (exif.SHORT, exif.BYTE, exif.LONG))
    return _UPRIGHT.get(told.number) if told else None

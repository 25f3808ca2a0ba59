"""What decodes the pixels of each kind of picture, and which kinds this installation has a decoder for.

Named here rather than left to Image.open, which warns of large pictures (to filter warnings is not safe among threads),
tries formats that are not meant, and takes a phone's JPEG with a depth map for another format.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Mapping
from enum import Enum
from functools import cache

from PIL import AvifImagePlugin, Image
from PIL.AvifImagePlugin import AvifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from impasto import apart
from impasto.errors import UnreadableImage

_log = logging.getLogger(__name__)

Size = tuple[int, int]
"""Width and height, px."""

Decoder = Callable[[bytes, Size, Size | None], tuple[Image.Image, int]]
"""Takes a file, the size that it must have, and the one that is wanted of it at least. Returns its pixels, and what
its sides have been divided by: some decoders do less for a smaller picture."""

THREADS = 1  # that one picture is decoded in, as JPEGs are: several pictures at once are what takes several processors


class Kind(Enum):
    """A kind of picture that is read where its decoder is there."""

    JPEG = "JPEG"
    PNG = "PNG"
    WEBP = "WebP"
    AVIF = "AVIF"
    HEIC = "HEIC"

    @property
    def media_type(self) -> str:
        return f"image/{self.value.lower()}"


def readable_kinds() -> tuple[Kind, ...]:
    """Return the kinds that this installation reads."""
    return tuple(kind for kind, find in _FIND.items() if find() is not None)


def missing_kinds() -> dict[Kind, str]:
    """Return the kinds that this installation does not read, and what would change that."""
    return {kind: hint for kind, hint in _INSTALL.items() if kind not in readable_kinds()}


def in_words(kinds: tuple[Kind, ...] | None = None) -> str:
    """Return kinds as a sentence names them; those that are read, by default."""
    *most, last = (kind.value for kind in kinds or readable_kinds())
    return f"{', '.join(most)} or {last}" if most else last


def decoder_of(kind: Kind, field: str) -> Decoder:
    """Return what decodes a kind.

    Raises:
        UnreadableImage: nothing here does.
    """
    decoder = _FIND[kind]()
    if decoder is None:
        raise not_read(kind, field)
    return decoder


def not_read(kind: Kind, field: str) -> UnreadableImage:
    """Return the error about a picture of a kind that nothing here decodes, and tell the log once."""
    _tell(kind)
    others = tuple(one for one in readable_kinds() if one != kind)
    return UnreadableImage(field, f"is {_ARTICLE[kind]} file, which is not read here; send it as {in_words(others)}")


@cache
def _tell(kind: Kind) -> None:
    """Tell whoever looks after this installation, once, what would read the kind."""
    _log.warning("a %s picture was refused, as nothing here reads it; to read them: %s", kind.value, _INSTALL[kind])


def _by_pillow(reader: type[ImageFile]) -> Decoder:
    """Return what decodes files in this process, by one of Pillow's plugins."""

    def decode(file: bytes, size: Size, at_least: Size | None) -> tuple[Image.Image, int]:
        image = reader(io.BytesIO(file))
        if image.size != size:
            raise OSError("it says two sizes")
        drafted = image.draft(None, at_least)  # a JPEG's decoder makes half, a quarter or an eighth of each side
        image.load()
        return image, round(size[0] / drafted[1][2]) if drafted else 1

    return decode


@cache
def _avif() -> Decoder | None:
    if not AvifImagePlugin.SUPPORTED:
        return None
    AvifImagePlugin.DEFAULT_MAX_THREADS = THREADS  # there is no other way to say so
    return _by_pillow(AvifImageFile)


@cache
def _heic() -> Decoder | None:
    return apart.decode if apart.folders() else None


def _always(reader: type[ImageFile]) -> Callable[[], Decoder | None]:
    decoder = _by_pillow(reader)
    return lambda: decoder


_FIND: Mapping[Kind, Callable[[], Decoder | None]] = {
    Kind.JPEG: _always(JpegImageFile),
    Kind.PNG: _always(PngImageFile),
    Kind.WEBP: _always(WebPImageFile),
    Kind.AVIF: _avif,
    Kind.HEIC: _heic,
}
_INSTALL = {Kind.AVIF: "pip install --force-reinstall pillow", Kind.HEIC: "pip install 'impasto[heif]'"}
_ARTICLE = {Kind.AVIF: "an AVIF", Kind.HEIC: "a HEIC"}

"""What reads and writes pictures: Impasto's own way, and libraries that it could be made of, each behind one face.

Each works on one thread, as a server that has many photos at once wants it, and all but libvips choose the scale of a
JPEG's decoder by our rule.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import version
from typing import Any, Protocol

import numpy as np
from PIL import Image, ImageCms

from impasto import images
from impasto.images import DECODED_SIDE, Pixels, Size


class Library(Protocol):
    """One way to read and write pictures. What it cannot do raises NotImplementedError."""

    package: str

    def decode(self, data: bytes) -> Pixels:
        """Return a JPEG's picture."""

    def decode_to(self, data: bytes, size: Size) -> Pixels:
        """Return a JPEG's picture at a smaller size."""

    def resize(self, pixels: Pixels, size: Size) -> Pixels:
        """Return a picture at a smaller size."""

    def to_srgb(self, pixels: Pixels, profile: bytes) -> Pixels:
        """Return a picture with this colour profile in sRGB."""

    def encode(self, pixels: Pixels, quality: int, full_chroma: bool) -> bytes:
        """Return a picture as a JPEG, 4:4:4 or else 4:2:0."""


class Ours:
    """`impasto.images`, as the server calls it."""

    package = "impasto"

    def decode(self, data: bytes) -> Pixels:
        return images.decode(data)

    def decode_to(self, data: bytes, size: Size) -> Pixels:
        return images.PictureFile(data).decode(size)

    def resize(self, pixels: Pixels, size: Size) -> Pixels:
        return images.resize(pixels, *size)

    def to_srgb(self, pixels: Pixels, profile: bytes) -> Pixels:
        raise NotImplementedError("while it decodes")

    def encode(self, pixels: Pixels, quality: int, full_chroma: bool) -> bytes:  # noqa: ARG002, the quality decides
        return images.encode(pixels, quality=quality)


class Pillow:
    """Pillow, as its manual has it."""

    package = "pillow"

    def decode(self, data: bytes) -> Pixels:
        return np.asarray(Image.open(io.BytesIO(data)))

    def decode_to(self, data: bytes, size: Size) -> Pixels:
        image = Image.open(io.BytesIO(data))
        drafted = image.draft(None, _enough(size))
        return np.asarray(image.resize(size, Image.Resampling.LANCZOS, box=drafted and drafted[1]))

    def resize(self, pixels: Pixels, size: Size) -> Pixels:
        return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))

    def to_srgb(self, pixels: Pixels, profile: bytes) -> Pixels:
        source, srgb = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(Image.fromarray(pixels), source, ImageCms.ImageCmsProfile(srgb))
        return np.asarray(converted)

    def encode(self, pixels: Pixels, quality: int, full_chroma: bool) -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "JPEG", quality=quality, subsampling=0 if full_chroma else 2)
        return buffer.getvalue()


class SimpleJpeg:
    """libjpeg-turbo with numpy's arrays; Pillow scales what it decodes."""

    package = "simplejpeg"

    def __init__(self) -> None:
        self._module: Any = import_module("simplejpeg")

    def decode(self, data: bytes) -> Pixels:
        pixels: Pixels = self._module.decode_jpeg(data)
        return pixels

    def decode_to(self, data: bytes, size: Size) -> Pixels:
        width, height = _enough(size)
        return Pillow().resize(self._module.decode_jpeg(data, min_width=width, min_height=height), size)

    def resize(self, pixels: Pixels, size: Size) -> Pixels:
        raise NotImplementedError

    def to_srgb(self, pixels: Pixels, profile: bytes) -> Pixels:
        raise NotImplementedError

    def encode(self, pixels: Pixels, quality: int, full_chroma: bool) -> bytes:
        data: bytes = self._module.encode_jpeg(pixels, quality, "RGB", "444" if full_chroma else "420", fastdct=False)
        return data


class OpenCv:
    """OpenCV; it shrinks by the mean of an area, the only filter of its that does not alias."""

    package = "opencv-python-headless"

    def __init__(self) -> None:
        self._module: Any = import_module("cv2")
        self._module.setNumThreads(1)

    def decode(self, data: bytes) -> Pixels:
        return self._read(data, self._module.IMREAD_COLOR_RGB)

    def decode_to(self, data: bytes, size: Size) -> Pixels:
        wide, high = _enough(size)
        with Image.open(io.BytesIO(data)) as header:  # it has no way to ask for a size alone
            scale = min(header.width // wide, header.height // high)
        reduced = next((part for part in (8, 4, 2) if part <= scale), None)
        flag = f"IMREAD_REDUCED_COLOR_{reduced}" if reduced else "IMREAD_COLOR"
        pixels = self._read(data, getattr(self._module, flag))
        return np.ascontiguousarray(self.resize(pixels, size)[:, :, ::-1])

    def resize(self, pixels: Pixels, size: Size) -> Pixels:
        resized: Pixels = self._module.resize(pixels, size, interpolation=self._module.INTER_AREA)
        return resized

    def to_srgb(self, pixels: Pixels, profile: bytes) -> Pixels:
        raise NotImplementedError

    def encode(self, pixels: Pixels, quality: int, full_chroma: bool) -> bytes:
        cv = self._module
        chroma = cv.IMWRITE_JPEG_SAMPLING_FACTOR_444 if full_chroma else cv.IMWRITE_JPEG_SAMPLING_FACTOR_420
        options = [cv.IMWRITE_JPEG_QUALITY, quality, cv.IMWRITE_JPEG_SAMPLING_FACTOR, chroma]
        data: bytes = cv.imencode(".jpg", cv.cvtColor(pixels, cv.COLOR_RGB2BGR), options)[1].tobytes()
        return data

    def _read(self, data: bytes, flag: int) -> Pixels:
        pixels: Pixels = self._module.imdecode(np.frombuffer(data, np.uint8), flag)
        return pixels


class Vips:
    """libvips, whose thumbnails use the decoder's scales by a rule of its own."""

    package = "pyvips"

    def __init__(self) -> None:
        os.environ["VIPS_CONCURRENCY"] = "1"
        self._module: Any = import_module("pyvips")
        self._module.cache_set_max(0)  # it would not decode the same file twice

    def decode(self, data: bytes) -> Pixels:
        return self._pixels(self._module.Image.new_from_buffer(data, ""))

    def decode_to(self, data: bytes, size: Size) -> Pixels:
        width, height = size
        return self._pixels(self._module.Image.thumbnail_buffer(data, width, height=height, size="force"))

    def resize(self, pixels: Pixels, size: Size) -> Pixels:
        image = self._module.Image.new_from_array(pixels)
        width, height = size
        return self._pixels(image.resize(width / image.width, vscale=height / image.height))

    def to_srgb(self, pixels: Pixels, profile: bytes) -> Pixels:
        image = self._module.Image.new_from_array(pixels, interpretation="srgb").copy()
        image.set_type(self._module.GValue.blob_type, "icc-profile-data", profile)
        return self._pixels(image.icc_transform("srgb", embedded=True, intent="perceptual"))

    def encode(self, pixels: Pixels, quality: int, full_chroma: bool) -> bytes:
        image = self._module.Image.new_from_array(pixels, interpretation="srgb")
        data: bytes = image.jpegsave_buffer(Q=quality, subsample_mode="off" if full_chroma else "on")
        return data

    def _pixels(self, image: Any) -> Pixels:
        pixels: Pixels = image.numpy()
        return pixels


def libraries() -> Iterator[Library]:
    """Return those that are installed; Pillow first, with which the others are compared."""
    for make in (Pillow, Ours, SimpleJpeg, OpenCv, Vips):
        try:
            yield make()
        except (ImportError, OSError):  # the second: a wrapper without its library
            print(f"{make.package} is not installed, so it is left out")


def name_of(library: Library) -> str:
    return f"{library.package} {version(library.package)}"


def _enough(size: Size) -> Size:
    """Return the least that a JPEG is decoded at for this size."""
    return round(DECODED_SIDE * size[0]), round(DECODED_SIDE * size[1])

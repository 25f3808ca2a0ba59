"""Picture files as Pillow writes them, and JPEGs with segments of one's own."""

from __future__ import annotations

import io
import struct
from typing import Any

from PIL import Image


def saved(image: Image.Image, format: str = "JPEG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def segment(marker: int, contents: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(contents) + 2) + contents


def after_start(file: bytes, *segments: bytes) -> bytes:
    return file[:2] + b"".join(segments) + file[2:]

"""The file formats that a photo may have, and those that a result can have."""

from __future__ import annotations

from impasto.v1 import stylizer_pb2 as pb

A_PICTURE = "a JPEG, PNG, WebP, AVIF or HEIC file"
"""What a photo or a painting is; HEIC where the server can read it."""

PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".avif", ".heic", ".heif")
"""Of the files that are taken from folders and buckets as photos, in either case."""

FORMATS = {"jpeg": pb.IMAGE_FORMAT_JPEG, "png": pb.IMAGE_FORMAT_PNG, "webp": pb.IMAGE_FORMAT_WEBP}
"""Name -> the proto's number."""

FORMAT_NAMES = {number: name for name, number in FORMATS.items()}

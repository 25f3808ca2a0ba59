"""The file formats that a result can have."""

from __future__ import annotations

from impasto.v1 import stylizer_pb2 as pb

FORMATS = {"jpeg": pb.IMAGE_FORMAT_JPEG, "png": pb.IMAGE_FORMAT_PNG, "webp": pb.IMAGE_FORMAT_WEBP}
"""Name -> the proto's number."""

FORMAT_NAMES = {number: name for name, number in FORMATS.items()}

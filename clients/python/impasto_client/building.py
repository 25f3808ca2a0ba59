"""Requests, from what a caller gives. What can be told to be wrong without the server is told here."""

from __future__ import annotations

from collections.abc import Mapping

from impasto.v1 import stylizer_pb2 as pb
from impasto_client.errors import InvalidRequest

FORMATS = {"jpeg": pb.IMAGE_FORMAT_JPEG, "png": pb.IMAGE_FORMAT_PNG, "webp": pb.IMAGE_FORMAT_WEBP}
"""The file formats that a result can have, as the proto numbers them."""


def stylize_request(
    photo: bytes,
    style: str | Mapping[str, float],
    *,
    strength: float | None,
    working_size: int | None,
    width: int | None,
    height: int | None,
    format: str | None,
    quality: int | None,
) -> pb.StylizeRequest:
    """Return the request of `Client.stylize`, where its arguments are described.

    Raises:
        InvalidRequest: a value of the wrong type, no photo, no style, or an unknown format.
    """
    request = pb.StylizeRequest(image=_photo(photo))
    if isinstance(style, Mapping):
        request.blend.CopyFrom(_blend(style))
    else:
        request.style_id = _style(style)
    if format is not None:
        request.format = _format(format)
    for message, field, value in (
        (request, "strength", strength),
        (request, "working_size", working_size),
        (request, "quality", quality),
        (request.output_size, "width", width),
        (request.output_size, "height", height),
    ):
        if value is not None:
            try:
                setattr(message, field, value)
            except (TypeError, ValueError) as error:
                raise InvalidRequest(field, str(error)) from error
    return request


def get_style_request(name: str) -> pb.GetStyleRequest:
    """Return the request for one style, or raise InvalidRequest."""
    return pb.GetStyleRequest(name=_style(name))


def _photo(photo: bytes) -> bytes:
    if not isinstance(photo, bytes):
        raise InvalidRequest("photo", f"is a {type(photo).__name__}; give the bytes of a JPEG, PNG or WebP file")
    if not photo:
        raise InvalidRequest("photo", "is empty; give the bytes of a JPEG, PNG or WebP file")
    return photo


def _style(style: str) -> str:
    if not isinstance(style, str) or not style:
        raise InvalidRequest("style", f"{style!r} is no style; give an id such as 'starry-night', or a blend")
    return style


def _blend(weights: Mapping[str, float]) -> pb.Blend:
    if not weights:
        raise InvalidRequest("style", "the blend is empty; give at least one style and its weight")
    blend = pb.Blend()
    for style, weight in weights.items():
        part = blend.parts.add(style_id=_style(style))
        try:
            part.weight = weight
        except (TypeError, ValueError) as error:
            raise InvalidRequest("style", f"{weight!r} is no weight for {style!r}; give a number") from error
    return blend


def _format(format: str) -> pb.ImageFormat:
    if format not in FORMATS:
        raise InvalidRequest("format", f"{format!r} is unknown; give one of {', '.join(FORMATS)}")
    return FORMATS[format]

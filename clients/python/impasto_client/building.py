"""Requests, from what a caller gives. What can be told to be wrong without the server is told here."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from google.longrunning.operations_pb2 import ListOperationsRequest

from impasto.optimization import Optimization
from impasto.v1 import stylizer_pb2 as pb
from impasto_client.errors import InvalidRequest
from impasto_client.formats import A_PICTURE, FORMATS
from impasto_client.jobs import OPERATIONS, operation_name
from impasto_client.masks import MaskLike, mask_message
from impasto_client.optimizing import optimization_message
from impasto_client.paintings import Painting, style_images
from impasto_client.photos import Photo, PhotoLike, TrainedStyle
from impasto_client.policies import POLICIES

StyleLike = str | Mapping[str, float] | Painting | Sequence[Painting]
"""What to paint a photo as: a style's id, a blend, or paintings that nobody has trained."""

_WIDEST_WINDOW = 2**31 - 1  # what the message can say
_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def stylize_request(
    photo: bytes,
    style: StyleLike,
    *,
    strength: float | None,
    working_size: int | None,
    width: int | None,
    height: int | None,
    format: str | None,
    quality: int | None,
    metadata: str | None,
    mask: MaskLike | None,
    optimization: Optimization | Mapping[str, Any] | None,
    request_id: str | None,
) -> pb.StylizeRequest:
    """Return the request of `Client.stylize`, where its arguments are described.

    Raises:
        InvalidRequest: a value of the wrong type, no photo, no style, or an unknown format.
    """
    request = pb.StylizeRequest(image=_photo(photo))
    _set_style(request, style, request_id)
    if optimization is not None:
        if not request.HasField("style_images"):
            raise InvalidRequest("optimization", "is for paintings; a trained style is not optimised")
        request.optimization.CopyFrom(optimization_message(optimization))
    _set_options(
        request,
        strength=strength,
        working_size=working_size,
        width=width,
        height=height,
        format=format,
        quality=quality,
        metadata=metadata,
        mask=mask,
    )
    return request


def stream_config(
    style: TrainedStyle | None,
    *,
    strength: float | None,
    working_size: int | None,
    width: int | None,
    height: int | None,
    format: str | None,
    quality: int | None,
    metadata: str | None,
    mask: MaskLike | None,
    ordered: bool,
    window: int,
) -> pb.StylizeStreamConfig:
    """Return how `Client.stylize_stream` begins, where its arguments are described.

    Raises:
        InvalidRequest: a value of the wrong type or out of range, paintings, or an unknown format.
    """
    if not isinstance(window, int) or not 1 <= window <= _WIDEST_WINDOW:
        raise InvalidRequest("window", f"{window!r} is out of range; give 1 to {_WIDEST_WINDOW}")
    config = pb.StylizeStreamConfig(
        order=pb.StylizeStreamConfig.ORDERED if ordered else pb.StylizeStreamConfig.AS_COMPLETED,
        window=window,
    )
    if style is not None:
        _set_trained_style(config.defaults, style)
    _set_options(
        config.defaults,
        strength=strength,
        working_size=working_size,
        width=width,
        height=height,
        format=format,
        quality=quality,
        metadata=metadata,
        mask=mask,
    )
    return config


def item_request(photo: Photo, defaults: pb.StylizeRequest) -> pb.StylizeRequest:
    """Return what a stream with these defaults sends for a photo, or raise InvalidRequest."""
    request = pb.StylizeRequest(image=_photo(photo.image))
    if photo.style is not None:
        _set_trained_style(request, photo.style)
    elif not defaults.WhichOneof("style"):
        raise InvalidRequest("style", "neither the photo nor the stream has one; give an id such as 'starry-night'")
    _set_options(
        request,
        strength=photo.strength,
        working_size=photo.working_size,
        width=photo.width,
        height=photo.height,
        format=photo.format,
        quality=photo.quality,
        metadata=photo.metadata,
        mask=photo.mask,
    )
    return request


def as_photo(photo: PhotoLike) -> Photo:
    """Return a photo of a stream, or raise InvalidRequest."""
    match photo:
        case Photo():
            whole = photo
        case (id, image):
            whole = Photo(image, id=id)
        case _:
            whole = Photo(photo)
    if not isinstance(whole.id, str | None):
        raise InvalidRequest("id", f"{whole.id!r} is a {type(whole.id).__name__}; give a string, or leave it out")
    return whole


def create_request(stylize: pb.StylizeRequest, priority: int) -> pb.CreateStylizationRequest:
    """Return the request for a job, or raise InvalidRequest."""
    if not stylize.HasField("style_images"):
        raise InvalidRequest("paintings", "a job is painted from paintings; give Painting(image), or a list of them")
    try:
        return pb.CreateStylizationRequest(stylize=stylize, priority=priority)
    except (TypeError, ValueError) as error:
        raise InvalidRequest("priority", str(error)) from error


def watch_request(name: str, preview_interval: float | None) -> pb.WatchStylizationRequest:
    """Return the request to watch a job, or raise InvalidRequest."""
    request = pb.WatchStylizationRequest(name=operation_name(name))
    if preview_interval is not None:
        if not 0 < preview_interval < math.inf:
            raise InvalidRequest("preview_interval", f"{preview_interval} is out of range; give seconds, above 0")
        request.preview_interval.FromNanoseconds(round(preview_interval * 1e9))
    return request


def list_request(ended: bool | None) -> ListOperationsRequest:
    """Return the request for the first page of the jobs: all of them, or those that have or have not ended."""
    return ListOperationsRequest(name=OPERATIONS, filter="" if ended is None else f"done={str(ended).lower()}")


def get_style_request(name: str) -> pb.GetStyleRequest:
    """Return the request for one style, or raise InvalidRequest."""
    return pb.GetStyleRequest(name=_style(name))


def _set_style(request: pb.StylizeRequest, style: StyleLike, request_id: str | None) -> None:
    if isinstance(style, Mapping):
        request.blend.CopyFrom(_blend(style))
    elif isinstance(style, Painting) or (isinstance(style, Sequence) and not isinstance(style, str | bytes)):
        request.style_images.CopyFrom(style_images(style))
        # With an id of its own, a request that is sent again does not make a second job.
        request.request_id = str(uuid4()) if request_id is None else _request_id(request_id)
    else:
        request.style_id = _style(style)


def _set_trained_style(request: pb.StylizeRequest, style: TrainedStyle) -> None:
    if isinstance(style, Mapping):
        request.blend.CopyFrom(_blend(style))
    elif isinstance(style, str):
        request.style_id = _style(style)
    else:
        raise InvalidRequest(
            "style", f"a stream paints trained styles, not a {type(style).__name__}; give an id or a blend"
        )


def _set_options(
    request: pb.StylizeRequest,
    *,
    format: str | None,
    metadata: str | None,
    mask: MaskLike | None,
    **numbers: float | None,
) -> None:
    if format is not None:
        request.format = _format(format)
    if metadata is not None:
        request.metadata = _policy(metadata)
    if mask is not None:
        request.mask.CopyFrom(mask_message(mask))
    for field, value in numbers.items():
        if value is not None:
            message = request.output_size if field in ("width", "height") else request
            try:
                setattr(message, field, value)
            except (TypeError, ValueError) as error:
                raise InvalidRequest(field, str(error)) from error


def _photo(photo: bytes) -> bytes:
    if not isinstance(photo, bytes):
        raise InvalidRequest("photo", f"is a {type(photo).__name__}; give the bytes of {A_PICTURE}")
    if not photo:
        raise InvalidRequest("photo", f"is empty; give the bytes of {A_PICTURE}")
    return photo


def _request_id(request_id: str) -> str:
    if not isinstance(request_id, str) or not _REQUEST_ID.fullmatch(request_id):
        raise InvalidRequest(
            "request_id", f"{request_id!r} is none; give 1 to 64 letters, digits, hyphens, underscores"
        )
    return request_id


def _style(style: Any) -> str:
    if not isinstance(style, str) or not style:
        raise InvalidRequest(
            "style", f"{str(style)[:100]!r} is no style; give an id such as 'starry-night', a blend, or Painting(image)"
        )
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


def _policy(metadata: str) -> pb.MetadataPolicy:
    if metadata not in POLICIES:
        raise InvalidRequest("metadata", f"{metadata!r} is unknown; give one of {', '.join(POLICIES)}")
    return POLICIES[metadata]


def _format(format: str) -> pb.ImageFormat:
    if format not in FORMATS:
        raise InvalidRequest("format", f"{format!r} is unknown; give one of {', '.join(FORMATS)}")
    return FORMATS[format]

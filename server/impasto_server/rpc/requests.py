"""The API's messages to the server's own words. Everything that can be checked without the photo is checked here or by
the library, before any work is spent."""

from __future__ import annotations

from typing import Any

from impasto.codes import check_strength
from impasto.decoders import in_words
from impasto.errors import InvalidInput
from impasto.images import DEFAULT_QUALITY, MIN_SIDE, Format, check_quality
from impasto.masks import DEFAULT_FEATHER, Mask, Masking, check_feather
from impasto.metadata import DEFAULT_POLICY, MetadataPolicy
from impasto.v1 import stylizer_pb2 as pb
from impasto_server.order import Blend, OutputSize, Part, TrainedOrder
from impasto_server.raw import RawPhoto
from impasto_server.sizes import check_sides

FORMATS: dict[pb.ImageFormat, Format] = {
    pb.IMAGE_FORMAT_UNSPECIFIED: Format.JPEG,
    pb.IMAGE_FORMAT_JPEG: Format.JPEG,
    pb.IMAGE_FORMAT_PNG: Format.PNG,
    pb.IMAGE_FORMAT_WEBP: Format.WEBP,
}
_FEATHER_DIGITS = 6  # decimals, which the message's float holds
_POLICIES: dict[pb.MetadataPolicy, MetadataPolicy] = {
    pb.METADATA_POLICY_UNSPECIFIED: DEFAULT_POLICY,
    pb.METADATA_POLICY_NONE: MetadataPolicy.NONE,
    pb.METADATA_POLICY_WITHOUT_LOCATION: MetadataPolicy.WITHOUT_LOCATION,
    pb.METADATA_POLICY_ALL: MetadataPolicy.ALL,
}


def read_order(
    request: pb.StylizeRequest, photo: bytes | RawPhoto | None = None, /, *, max_working_size: int, max_pixels: int
) -> TrainedOrder:
    """Return what a request for trained styles asks for.

    Args:
        request: all of it.
        photo: what to paint, where it is not in the request.
        max_working_size: px, the largest long side that it may name.
        max_pixels: that the result may have.

    Raises:
        InvalidInput: a value out of range.
    """
    shared = read_shared(request, photo or request.image, max_working_size=max_working_size, max_pixels=max_pixels)
    if request.HasField("optimization"):
        raise InvalidInput("optimization", "is for style_images only: a trained style is not optimised; leave it out")
    return TrainedOrder(**shared, style=_style(request))


def read_shared(
    request: pb.StylizeRequest, photo: bytes | RawPhoto, /, *, max_working_size: int, max_pixels: int
) -> dict[str, Any]:
    """Return the fields that every Order has; for the rest see `read_order`."""
    if not photo:
        raise InvalidInput("image", f"is empty; send the bytes of a {in_words()} file")
    return {
        "photo": photo,
        "strength": _strength(request),
        "working_size": _working_size(request, max_working_size),
        "output_size": _output_size(request, max_pixels),
        "format": _format(request),
        "quality": _quality(request),
        "metadata": _metadata(request),
        "mask": read_mask(request),
    }


def read_mask(request: pb.StylizeRequest) -> Mask | None:
    """Return the mask of a request, or None where it has none.

    Raises:
        InvalidInput: no picture, or a feather out of range.
    """
    if not request.HasField("mask"):
        return None
    mask = request.mask
    if not mask.image:
        raise InvalidInput("mask", "is empty; send the bytes of a grey PNG of the photo's size, or leave the mask out")
    feather = round(mask.feather, _FEATHER_DIGITS) if mask.HasField("feather") else DEFAULT_FEATHER
    check_feather(feather)
    return Mask(mask.image, Masking(feather, mask.inverted))


def _style(request: pb.StylizeRequest) -> str | Blend:
    match request.WhichOneof("style"):
        case "style_id":
            return request.style_id
        case "blend":
            return tuple(Part(part.style_id, part.weight) for part in request.blend.parts)
        case _:
            raise InvalidInput("style", "is missing; give style_id or blend, with ids from ListStyles, or style_images")


def _strength(request: pb.StylizeRequest) -> float:
    strength = request.strength if request.HasField("strength") else 1.0
    check_strength(strength)
    return strength


def _working_size(request: pb.StylizeRequest, largest: int) -> int | None:
    if not request.HasField("working_size"):
        return None
    if not MIN_SIDE <= request.working_size <= largest:
        raise InvalidInput("working_size", f"{request.working_size} px is out of range; give {MIN_SIDE} to {largest}")
    return request.working_size


def _output_size(request: pb.StylizeRequest, max_pixels: int) -> OutputSize:
    size = request.output_size
    asked = OutputSize(
        width=size.width if size.HasField("width") else None,
        height=size.height if size.HasField("height") else None,
    )
    check_sides(asked, max_pixels)
    return asked


def _format(request: pb.StylizeRequest) -> Format:
    if request.format not in FORMATS:
        names = ", ".join(pb.ImageFormat.Name(number) for number in pb.ImageFormat.values() if number)
        raise InvalidInput("format", f"{request.format} is no format; give {names}")
    return FORMATS[request.format]


def _metadata(request: pb.StylizeRequest) -> MetadataPolicy:
    if request.metadata not in _POLICIES:
        names = ", ".join(pb.MetadataPolicy.Name(number) for number in pb.MetadataPolicy.values() if number)
        raise InvalidInput("metadata", f"{request.metadata} is no policy; give {names}")
    return _POLICIES[request.metadata]


def _quality(request: pb.StylizeRequest) -> int:
    quality = request.quality if request.HasField("quality") else DEFAULT_QUALITY
    check_quality(quality)
    return quality

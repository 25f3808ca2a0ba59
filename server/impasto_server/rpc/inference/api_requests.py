"""The options of a photo as the API's own request, so that both are checked by the same rules."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from impasto.bundle import Bundle
from impasto.errors import InvalidInput, StyleNotFound
from impasto.v1 import stylizer_pb2 as api
from impasto_server.rpc.inference.interface import IMAGE, MOST_QUOTED, PAINTED, Tensor
from impasto_server.rpc.inference.options import Value

_FORMATS = {"jpeg": api.IMAGE_FORMAT_JPEG, "png": api.IMAGE_FORMAT_PNG, "webp": api.IMAGE_FORMAT_WEBP}
_POLICIES = {
    "none": api.METADATA_POLICY_NONE,
    "without_location": api.METADATA_POLICY_WITHOUT_LOCATION,
    "all": api.METADATA_POLICY_ALL,
}
_OF_FILES = ("format", "quality", "metadata")
_BLEND = 'a JSON object of styles and their weights, such as {"starry-night": 0.7, "great-wave": 0.3}'

# What the API calls the options that have another name here.
_NAMES = {
    "output_size.width": "width",
    "output_size.height": "height",
    "style_id": "style",
    "mask.feather": "mask_feather",
}
_LONGEST_TEXT = 20_000  # bytes; a blend of as many styles as there may be is shorter


def api_request(given: Mapping[str, Value], output: Tensor, bundle: Bundle) -> api.StylizeRequest:
    """Return the API's request for one photo, without the photo.

    Args:
        given: the options of the photo.
        output: that is wanted.
        bundle: that is to paint it.

    Raises:
        InvalidInput: a value that the API has no words for; whether those that it has are in range is not looked at.
        StyleNotFound: the bundle has no such style.
    """
    message = api.StylizeRequest()
    for name in ("strength", "working_size", "quality"):
        _set(message, name, given)
    for name in ("width", "height"):
        _set(message.output_size, name, given)
    if output.name != PAINTED:
        _check_no_file(given, output)
        message.format = api.IMAGE_FORMAT_PNG  # which bounds no side
    elif "format" in given:
        message.format = _choice(given, "format", _FORMATS)
    if "metadata" in given:
        message.metadata = _choice(given, "metadata", _POLICIES)
    _set_mask(message, given)
    _set_style(message, given, bundle)
    return message


@contextmanager
def naming(photo: str, index: int, count: int) -> Iterator[None]:
    """Let errors name what they are about as callers of the protocol know it.

    Args:
        photo: the photos' input.
        index: of the photo that is at hand.
        count: of the photos.
    """
    try:
        yield
    except InvalidInput as error:
        field = photo if error.field == IMAGE else _NAMES.get(error.field, error.field).replace("blend.parts", "blend")
        which = f"photo {index} of {count}: " if count > 1 else ""
        raise type(error)(field, f"{which}{error.reason}") from error


def _set(message: Any, name: str, given: Mapping[str, Value]) -> None:
    if name in given:
        try:
            setattr(message, name, given[name])
        except (ValueError, TypeError):
            raise InvalidInput(name, f"{given[name]!r:.{MOST_QUOTED}} is out of range") from None


def _check_no_file(given: Mapping[str, Value], output: Tensor) -> None:
    for name in _OF_FILES:
        if name in given:
            raise InvalidInput(
                name, f"is of a file, and {output.name!r} is asked for; leave it out, or ask for 'painted'"
            )


def _set_mask(message: api.StylizeRequest, given: Mapping[str, Value]) -> None:
    if "mask" in given:
        message.mask.image = given["mask"]  # type: ignore[assignment]
        _set(message.mask, "feather", {"feather": given["mask_feather"]} if "mask_feather" in given else {})
        message.mask.inverted = bool(given.get("mask_inverted", False))
        return
    for name in ("mask_feather", "mask_inverted"):
        if name in given:
            raise InvalidInput(name, "is given without a mask; send one, as the input 'mask', or leave this out")


def _set_style(message: api.StylizeRequest, given: Mapping[str, Value], bundle: Bundle) -> None:
    if "style" in given and "blend" in given:
        raise InvalidInput("style", "is given beside blend; give one of them")
    if "style" in given:
        message.style_id = _style_id(_text(given, "style"), "style", bundle)
    elif "blend" in given:
        for style, weight in _blend(_text(given, "blend")).items():
            message.blend.parts.add(style_id=_style_id(style, "blend", bundle), weight=weight)
    else:
        styles = ", ".join(sorted(bundle.styles)[:20])
        raise InvalidInput("style", f"is missing; give the style to paint in, one of {styles}, or a blend of several")


def _style_id(asked: str, field: str, bundle: Bundle) -> str:
    """Return the id of a style of a bundle, in that version of it."""
    where, _, style = asked.rpartition("/")
    if where not in ("", bundle.name, f"{bundle.name}@{bundle.version}"):
        raise InvalidInput(
            field, f"{asked[:MOST_QUOTED]!r} is of another model than {bundle.name!r}; ask that one for it"
        )
    if not style:
        raise InvalidInput(field, f"is empty; give one of {', '.join(sorted(bundle.styles)[:20])}")
    if style not in bundle.styles:
        raise StyleNotFound(style, bundle.styles)
    return f"{bundle.name}@{bundle.version}/{style}"


def _blend(text: str) -> Mapping[str, float]:
    try:
        parts = json.loads(text, object_pairs_hook=_without_twins)
    except InvalidInput:
        raise
    except (ValueError, RecursionError):
        raise InvalidInput("blend", f"{text[:MOST_QUOTED]!r} is no JSON; give {_BLEND}") from None
    if not isinstance(parts, dict) or not parts:
        raise InvalidInput("blend", f"{text[:MOST_QUOTED]!r} will not do; give {_BLEND}")
    return {style: _weight(style, weight) for style, weight in parts.items()}


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise InvalidInput("blend", "names a style twice; add its weights up")
    return found


def _weight(style: str, weight: Any) -> float:
    try:
        if not isinstance(weight, bool):
            return float(weight)
    except (TypeError, ValueError, OverflowError):
        pass
    raise InvalidInput(
        "blend", f"the weight of {style[:MOST_QUOTED]!r} is {weight!r:.{MOST_QUOTED}}; give a number, 0 or more"
    )


def _choice(given: Mapping[str, Value], name: str, choices: Mapping[str, Any]) -> Any:
    text = _text(given, name)
    if text.lower() not in choices:
        raise InvalidInput(name, f"{text[:MOST_QUOTED]!r} is unknown; give one of {', '.join(choices)}")
    return choices[text.lower()]


def _text(given: Mapping[str, Value], name: str) -> str:
    value = given[name]
    if isinstance(value, bytes | str) and len(value) > _LONGEST_TEXT:
        raise InvalidInput(name, f"is a text of {len(value)}; give at most {_LONGEST_TEXT}")
    try:
        return value.decode() if isinstance(value, bytes) else str(value)
    except UnicodeDecodeError:
        raise InvalidInput(name, "is no UTF-8") from None

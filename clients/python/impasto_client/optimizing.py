"""How a job is to be optimised, as a request says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from impasto.errors import InvalidInput
from impasto.optimization import Optimization
from impasto.v1 import stylizer_pb2 as pb
from impasto_client.errors import InvalidRequest

_CHOICES: Mapping[str, Mapping[str, int]] = {
    "optimizer": {
        "auto": pb.Optimization.OPTIMIZER_UNSPECIFIED,
        "lbfgs": pb.Optimization.LBFGS,
        "adam": pb.Optimization.ADAM,
    },
    "start": {"photo": pb.Optimization.PHOTO, "noise": pb.Optimization.NOISE, "fast": pb.Optimization.FAST},
    "pooling": {"max": pb.Optimization.MAX, "average": pb.Optimization.AVERAGE},
    "color": {
        "painting": pb.Optimization.PAINTING,
        "luminance": pb.Optimization.LUMINANCE,
        "histogram": pb.Optimization.HISTOGRAM,
    },
    "perception": {
        "auto": pb.Optimization.PERCEPTION_UNSPECIFIED,
        "vgg19": pb.Optimization.VGG19,
        "lowrank": pb.Optimization.LOWRANK,
        "compact": pb.Optimization.COMPACT,
    },
}


def optimization_message(optimization: Optimization | Mapping[str, Any]) -> pb.Optimization:
    """Return what a request calls it. Of a mapping, what it leaves out is left to the server.

    Raises:
        InvalidRequest: an unknown name, or a value that is not allowed.
    """
    values = _values(optimization)
    message = pb.Optimization()
    for name, value in values.items():
        field = f"optimization.{name}"
        try:
            if name in _CHOICES:
                setattr(message, name, _CHOICES[name][value])
            elif name.endswith("_layers"):
                getattr(message, name).extend(value)
            else:
                setattr(message, name, value)
        except (TypeError, ValueError) as error:
            raise InvalidRequest(field, str(error)) from error
    return message


def _values(optimization: Optimization | Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(optimization, Optimization):
        return {item.name: getattr(optimization, item.name) for item in fields(Optimization)}
    if not isinstance(optimization, Mapping):
        raise InvalidRequest("optimization", f"is a {type(optimization).__name__}; give an Optimization or a mapping")
    known = [item.name for item in fields(Optimization)]
    for name in optimization:
        if name not in known:
            raise InvalidRequest("optimization", f"{name!r} is unknown; give some of {', '.join(known)}")
    try:
        Optimization.from_dict(optimization)
    except InvalidInput as error:
        raise InvalidRequest(error.field, error.reason) from error
    except TypeError as error:
        raise InvalidRequest("optimization", str(error)) from error
    return optimization

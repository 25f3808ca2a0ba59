"""What an optimised stylization is asked for: every number and name of it, checked without torch.

The proto's `Optimization`, the command line's options and their help, and the record of a job are all made from this
class. What optimises is `impasto.nn.optimize`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from impasto.backbones import BACKBONES, CONTENT_LAYERS, PERCEPTIONS, STYLE_LAYERS, VGG19
from impasto.errors import InvalidInput

OPTIMIZERS = ("auto", "lbfgs", "adam")
STARTS = ("photo", "noise", "fast")
POOLINGS = ("max", "average")
COLORS = ("painting", "luminance", "histogram")


def _number(default: float, meaning: str, low: float, high: float) -> Any:
    return field(default=default, metadata={"help": meaning, "low": low, "high": high})


def _choice(default: str, meaning: str, choices: Collection[str]) -> Any:
    return field(default=default, metadata={"help": meaning, "choices": choices})


def _layers(default: tuple[str, ...], meaning: str) -> Any:
    return field(default=default, metadata={"help": meaning, "layers": VGG19.exits})


@dataclass(frozen=True, kw_only=True)
class Optimization:
    """How one picture is optimised (Gatys et al. 2016).

    Raises:
        InvalidInput: a value is not allowed; its field is `optimization.` and the attribute's name.
    """

    steps: int = _number(100, "iterations of the optimiser over all scales", 1, 10_000)
    content_weight: float = _number(1.0, "weight of the photo's content", 0, 1e6)
    style_weight: float = _number(
        5e5, "weight of the style: 1e3 to 1e4 subtle, 1e5 to 1e6 balanced, 1e7 to 1e8 heavy", 0, 1e12
    )
    tv_weight: float = _number(1e-4, "weight of smoothness (total variation)", 0, 1e3)
    content_layers: tuple[str, ...] = _layers(CONTENT_LAYERS, "layers of the perception that content is taken from")
    style_layers: tuple[str, ...] = _layers(STYLE_LAYERS, "layers of the perception that style is taken from")
    optimizer: str = _choice("auto", "auto begins with L-BFGS and goes on with Adam where that fails", OPTIMIZERS)
    start: str = _choice("photo", "what to begin with; fast is the nearest trained style's result", STARTS)
    pooling: str = _choice("max", "how the perception's features are made smaller", POOLINGS)
    style_scale: float = _number(1.0, "size of the brush strokes; 1 is the painting as large as the photo", 0.1, 4.0)
    color: str = _choice(
        "painting",
        "whose colours: the painting's; the photo's, with the painting's lightness (luminance); or those of a "
        "painting that has taken on the photo's palette (histogram)",
        COLORS,
    )
    perception: str = _choice(
        "auto", "what looks at the pictures; auto is vgg19 where the worker has its weights, else lowrank", PERCEPTIONS
    )
    seed: int = _number(0, "seeds the noise", 0, 2**31 - 1)

    def __post_init__(self) -> None:
        for item in fields(self):
            _check(f"optimization.{item.name}", getattr(self, item.name), item.metadata)
        if self.content_weight == 0 and self.style_weight == 0:
            raise InvalidInput(
                "optimization.style_weight", "content and style both weigh 0, so nothing is asked for; raise one"
            )
        if self.perception in BACKBONES:
            for name in ("content_layers", "style_layers"):
                _check_layers(f"optimization.{name}", getattr(self, name), BACKBONES[self.perception].exits)

    def to_dict(self) -> dict[str, Any]:
        """Return what `from_dict` reads, fit for JSON."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Optimization:
        """Return what `to_dict` wrote."""
        plain: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
        }
        return cls(**plain)


def _check(name: str, value: Any, allowed: Mapping[str, Any]) -> None:
    if "choices" in allowed:
        if value not in allowed["choices"]:
            raise InvalidInput(name, f"{str(value)[:40]!r} is unknown; give {', '.join(allowed['choices'])}")
    elif "layers" in allowed:
        _check_layers(name, value, allowed["layers"])
    elif not (math.isfinite(value) and allowed["low"] <= value <= allowed["high"]):
        raise InvalidInput(name, f"{value:g} is out of range; give {allowed['low']:g} to {allowed['high']:g}")


def _check_layers(name: str, layers: Collection[str], known: Collection[str]) -> None:
    if not layers:
        raise InvalidInput(name, f"is empty; give at least one of {', '.join(known)}")
    for layer in layers:
        if layer not in known:
            raise InvalidInput(name, f"{layer[:40]!r} is no layer; give some of {', '.join(known)}")
    if len(set(layers)) < len(layers):
        raise InvalidInput(name, f"{', '.join(layers)} has a layer twice; give each once")

"""The recipe: every number that a training depends on, with its default and its meaning.

The command line's options, their help and the record in the checkpoint are all made from this class.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from impasto.errors import InvalidInput
from impasto.nn.designs import DESIGNS
from impasto.nn.transformer import Architecture


def _option(default: Any, meaning: str, low: float, high: float) -> Any:
    return field(default=default, metadata={"help": meaning, "low": low, "high": high})


def _choice(default: str, meaning: str, choices: Collection[str]) -> Any:
    return field(default=default, metadata={"help": meaning, "choices": choices})


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Hyperparameters; each loss term is relative (see `impasto.nn.losses`), so that weights carry over."""

    steps: int = _option(40_000, "optimiser steps in all", 1, 1e9)
    batch: int = _option(4, "photos a step", 1, 4096)
    crop: int = _option(256, "px, side of the training crops; a multiple of 8", 64, 2048)
    zoom: float = _option(1.6, "crops: shorter side of a photo that one is cut from, at most", 1, 64)
    large_every: int = _option(
        8, "steps; every so often crops are twice as long and wide, and a quarter; 0: never", 0, 1e6
    )
    painting_size: int = _option(384, "px, shorter side of a painting as it is seen; larger: broader strokes", 64, 4096)
    content_weight: float = _option(1.0, "weight of the content term", 0, 1e6)
    style_weight: float = _option(2.0, "weight of the style term, to begin with if there is a budget", 0, 1e6)
    content_budget: float = _option(
        0.38, "content fraction that a style may cost; its weight is found by that; 0: keep --style-weight", 0, 2
    )
    tv_weight: float = _option(10.0, "weight of the total variation", 0, 1e6)
    grid_weight: float = _option(10_000.0, "weight of the pattern that repeats with the network's grid", 0, 1e9)
    stability_weight: float = _option(30.0, "weight of what a few px of shift and noise change; 0: none", 0, 1e6)
    strength_share: float = _option(0.25, "share of the photos painted at a strength drawn from 0 to 1", 0, 1)
    blend_share: float = _option(0.15, "share of the photos painted in a blend of two styles", 0, 1)
    learning_rate: float = _option(1e-3, "Adam's rate after warm-up; it falls to a hundredth along a cosine", 1e-8, 1)
    code_rate: float = _option(5.0, "times that rate, for the codes", 1e-3, 1e3)
    warmup: int = _option(100, "steps over which the rate rises from zero", 0, 1e6)
    flat_share: float = _option(0.04, "share of flat, graded, dark and noisy pictures among the photos", 0, 1)
    design: str = _choice(Architecture().name, "the transformer's design", DESIGNS)
    width: int = _option(64, "channels of the transformer's first convolution; a multiple of 4", 4, 512)
    residual_blocks: int = _option(4, "the transformer's residual blocks", 0, 32)
    seed: int = _option(0, "seeds the weights, the order of the photos and their crops", 0, 2**31)

    def __post_init__(self) -> None:
        for item in fields(self):
            _check(item.name, getattr(self, item.name), item.metadata)
        if self.crop % self.architecture.size_multiple:
            multiple = self.architecture.size_multiple
            nearest = self.crop // multiple * multiple
            raise InvalidInput("crop", f"{self.crop} is no multiple of {multiple}; give {nearest}")
        if self.width % 4:
            raise InvalidInput("width", f"{self.width} is no multiple of 4; give {self.width // 4 * 4}")

    @property
    def architecture(self) -> Architecture:
        return Architecture(name=self.design, width=self.width, residual_blocks=self.residual_blocks)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def _check(name: str, value: Any, allowed: Mapping[str, Any]) -> None:
    if "choices" in allowed:
        if value not in allowed["choices"]:
            raise InvalidInput(name, f"{value!r} is unknown; give {' or '.join(allowed['choices'])}")
    elif not allowed["low"] <= value <= allowed["high"]:
        raise InvalidInput(name, f"{value} is out of range; give {allowed['low']:g} to {allowed['high']:g}")


def fields_of(architecture: Architecture) -> dict[str, Any]:
    """Return the fields with which a recipe makes this architecture."""
    return {"design": architecture.name, "width": architecture.width, "residual_blocks": architecture.residual_blocks}

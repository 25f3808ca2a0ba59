"""What a perception sees in pictures, by ONNX Runtime: content and style where there is no torch.

The graph is the compact perception's, and refers to the weights that lie beside it; `scripts/perception_graph.py` makes
it. The losses are those of `impasto.nn.losses`, under the same names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from impasto.backbones import STYLE_LAYERS
from impasto.engine.runtime import runtime, session_options
from impasto.errors import EngineError
from impasto.images import Planes

GRAPH = Path(__file__).parents[1] / "nn" / "compact.onnx"
IMAGE, CONTENT = "image", "content"
"""The graph's input [N, 3, H, W], and its output [N, C, h, w]; the others are called by `gram_output`."""

Features = NDArray[np.float32]
"""[1, C, h, w]."""

Grams = Mapping[str, NDArray[np.float32]]
"""Layer -> [1, C, C], for each of STYLE_LAYERS."""


def gram_output(layer: str) -> str:
    """Return the name of the graph's output [N, C, C] that holds a layer's Gram matrices."""
    return f"gram_{layer}"


@dataclass(frozen=True)
class Seen:
    """What there is to see in a picture: its features and its Gram matrices."""

    content: Features
    grams: Grams


class Sight:
    """The compact perception on the plain CPU. Safe to look with from several threads.

    Args:
        threads: for one look; 0 is every core that this process may use.

    Raises:
        MissingDependency: ONNX Runtime is not installed.
        EngineError: the graph or its weights cannot be opened.
    """

    def __init__(self, threads: int = 0) -> None:
        ort = runtime()
        try:
            options = session_options(ort, threads)
            self._session = ort.InferenceSession(GRAPH, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the runtime raises classes of its own, without a common one
            raise EngineError(f"the perception {GRAPH} cannot be opened: {error}; install Impasto again") from error

    def see(self, image: Planes) -> Seen:
        """Look at a picture: [1, 3, H, W], RGB in 0..1, H and W at least 16."""
        names = [CONTENT, *map(gram_output, STYLE_LAYERS)]
        content, *grams = self._session.run(names, {IMAGE: image})
        return Seen(content, dict(zip(STYLE_LAYERS, grams, strict=True)))


def content_loss(features: Features, target: Features) -> float:
    """Return the relative error of a picture's features."""
    return _relative_error(features, target)


def gram_losses(grams: Grams, targets: Grams) -> Mapping[str, float]:
    """Return the relative error of each layer's Gram matrix, whose mean is the style loss."""
    return {layer: _relative_error(grams[layer], target) for layer, target in targets.items()}


def gram_loss(grams: Grams, targets: Grams) -> float:
    """Return the style loss of a picture."""
    return float(np.mean([*gram_losses(grams, targets).values()]))


def _relative_error(value: NDArray[np.float32], target: NDArray[np.float32]) -> float:
    difference = np.sum(np.square(value - target, dtype=np.float64))
    return float(difference / max(np.sum(np.square(target, dtype=np.float64)), 1e-12))

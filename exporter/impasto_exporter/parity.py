"""Parity: the exported graph must paint what the torch network paints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from impasto.engine import Engine
from impasto.errors import ExportError
from impasto.nn.transformer import TransformerNet

TOLERANCE = 1 / 512  # half a step of an 8-bit picture
CASES = ((1, 16, 16), (1, 64, 48), (3, 128, 96), (2, 200, 316), (4, 256, 256))
"""N, H, W; the sides are rounded up to multiples that the transformer takes."""


@dataclass(frozen=True)
class Parity:
    """How far the engine is from torch.

    Attributes:
        engine: what was compared.
        cases: (N, H, W, largest absolute difference) each, in units of 0..1.
    """

    engine: str
    cases: tuple[tuple[int, int, int, float], ...]

    @property
    def largest(self) -> float:
        return max(error for *_, error in self.cases)

    def to_dict(self) -> dict[str, Any]:
        cases = [{"batch": n, "height": h, "width": w, "largest_error": error} for n, h, w, error in self.cases]
        return {"engine": self.engine, "largest_error": self.largest, "tolerance": TOLERANCE, "cases": cases}


def compare(network: TransformerNet, engine: Engine, codes: Tensor, *, seed: int = 0) -> Parity:
    """Paint the same pictures with both: several sizes and batches, every batch a mixture of styles and strengths.

    Args:
        network: in evaluation mode, on the CPU.
        engine: of the graph exported from it.
        codes: [S, D], the styles, the identity among them.

    Raises:
        ExportError: a difference above TOLERANCE.
    """
    rng = np.random.default_rng(seed)
    multiple = network.architecture.size_multiple
    cases = [(n, height + -height % multiple, width + -width % multiple) for n, height, width in CASES]
    parity = Parity(engine.name, tuple((*case, _largest_error(network, engine, codes, case, rng)) for case in cases))
    if not parity.largest <= TOLERANCE:
        raise ExportError(f"{engine.name} differs from torch by {parity.largest:.2e}; at most {TOLERANCE:.2e} is right")
    return parity


def _largest_error(
    network: TransformerNet, engine: Engine, codes: Tensor, case: tuple[int, int, int], rng: np.random.Generator
) -> float:
    batch, height, width = case
    image = rng.random((batch, 3, height, width), dtype=np.float32)
    image = np.clip(image * 0.2 + np.linspace(0, 0.8, width, dtype=np.float32), 0, 1)
    shares = rng.dirichlet(np.full(len(codes), 0.5), size=batch).astype(np.float32)
    style = shares @ codes.numpy()
    with torch.no_grad():
        expected = network(torch.from_numpy(image), torch.from_numpy(style)).numpy()
    return float(np.abs(engine.run(image, style) - expected).max())

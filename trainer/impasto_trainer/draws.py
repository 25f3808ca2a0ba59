"""What chance decides in a step: a function of the recipe's seed and the step's number, so that it can be had again."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from impasto_trainer.recipe import Recipe

WINDOW_SHIFT = 8  # px; VGG-19 halves the picture three times before the content layer
LARGEST_SHIFT = 8  # px
NOISE = 0.01  # standard deviation


class Draw(NamedTuple):
    """One step's draw.

    Attributes:
        shares: [N, S], the share of every style in each photo's code; rows sum to 1.
        strength: [N], 0..1.
        rows, columns: of the window that the perception looks at, as indices.
        moved_rows, moved_columns: where each row and column of the first photo comes from when it is painted again,
            shifted by a few px around its borders.
        noise: [1, 3, H, W], added to it then; None: it is not painted again.
    """

    shares: Tensor
    strength: Tensor
    rows: Tensor
    columns: Tensor
    moved_rows: Tensor
    moved_columns: Tensor
    noise: Tensor | None

    def of(self, share: slice) -> Draw:
        """Return the draw for some of its photos."""
        return self._replace(shares=self.shares[share], strength=self.strength[share])


def draw(recipe: Recipe, step: int, *, photos: int, side: int, styles: int, device: torch.device) -> Draw:
    """Return what chance decides in a step.

    Args:
        recipe: its seed, and how often styles are blended and strengths drawn.
        step: its number.
        photos: N.
        side: px, of the crops.
        styles: S, how many there are.
        device: where the tensors are wanted.
    """
    rng = np.random.default_rng((recipe.seed, step, 2))
    window = torch.arange(side - WINDOW_SHIFT, device=device)
    rows, columns = (window + int(offset) for offset in rng.integers(WINDOW_SHIFT, size=2))
    every = torch.arange(side, device=device)
    moved_rows, moved_columns = ((every + int(shift)) % side for shift in rng.integers(LARGEST_SHIFT, size=2))
    main = (np.arange(photos) + int(rng.integers(styles))) % styles  # by the step they would fall in with large crops
    shares = np.eye(styles, dtype=np.float32)[main]
    drawn = rng.random((photos, 2))
    for photo in np.flatnonzero(drawn[:, 0] < recipe.blend_share) if styles > 1 else ():
        other = (main[photo] + rng.integers(1, styles)) % styles
        shares[photo, other] = rng.random()
        shares[photo, main[photo]] -= shares[photo, other]
    strength = np.where(drawn[:, 1] < recipe.strength_share, rng.random(photos), 1.0).astype(np.float32)
    return Draw(
        shares=torch.from_numpy(shares).to(device),
        strength=torch.from_numpy(strength).to(device),
        rows=rows,
        columns=columns,
        moved_rows=moved_rows,
        moved_columns=moved_columns,
        noise=_noise(rng, side).to(device) if recipe.stability_weight else None,
    )


def _noise(rng: np.random.Generator, side: int) -> Tensor:
    return torch.from_numpy(rng.standard_normal((1, 3, side, side), dtype=np.float32) * np.float32(NOISE))

"""L-BFGS's initial matrix: how far a picture moves, at each place, width of stripe and colour, for its gradient.

The objective is a hundred times steeper in fine stripes of lightness than in broad ones, several times steeper where
the picture has contrast, and other in colours. Ten pairs of L-BFGS cannot hold that; a diagonal matrix in a wavelet
basis can. It is learnt from the same pairs: a coefficient's curvature is the root mean square of its gradient's
changes over that of its moves, both taken over its neighbourhood and the last few steps.

The idea of a diagonal that is learnt from the pairs is Gilbert & Lemarechal 1989's ("Some numerical experiments with
variable-storage quasi-Newton algorithms", section 4); the basis and the neighbourhoods are ours.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.nn.optimize.wavelets import analyse, bands, synthesise

_LEAST_PAIRS = 5  # before what was learnt is used
_MEMORY = 0.75  # of what was learnt that is left a step later
_RADIUS = 2  # coefficients, of a neighbourhood
_FLOOR = 0.02  # of the band's mean that each neighbourhood is given besides its own
_RANGE = 0.02, 100.0  # of the moves allowed, over the median of the finest lightness
_TINY = 1e-30


class Preconditioner:
    """A symmetric and positive matrix that turns a gradient [1, 3, H, W] into a direction.

    Until it has learnt from some pairs, a stripe k times as broad moves 1 + log2 k times as far: a gradient is poor in
    coarse structures, which is where a photo has the longest way to go.
    """

    def __init__(self, like: Tensor) -> None:
        """Begin for pictures of this one's size, [1, 3, H, W]."""
        self._size = like.shape[2], like.shape[3]
        coefficients = torch.zeros_like(analyse(like))
        self._pairs = 0
        self._moves, self._turns = coefficients, coefficients.clone()  # smoothed squares
        self._reach = coefficients.clone()
        for level, band in bands(self._reach):
            band.fill_(level)

    def __call__(self, gradient: Tensor) -> Tensor:
        """Return the matrix times a picture [1, 3, H, W]."""
        return synthesise(analyse(gradient).mul_(self._reach), *self._size)

    def norm(self, gradient: Tensor) -> Tensor:
        """Return a picture [1, 3, H, W] times the matrix times itself: []."""
        return (analyse(gradient).square_() * self._reach).sum()

    def learn(self, move: Tensor, turn: Tensor) -> None:
        """Take in a move and the change of the gradient that came with it, [1, 3, H, W] each."""
        self._pairs += 1
        moved, turned = _smoothed_squares(torch.cat([move, turn])).chunk(2)
        self._moves = _MEMORY * self._moves + moved
        self._turns = _MEMORY * self._turns + turned
        if self._pairs >= _LEAST_PAIRS:
            self._reach = self._learnt()

    def state(self) -> dict[str, Tensor]:
        """Return what `restore` reads."""
        return {
            "learnt_pairs": torch.tensor(self._pairs),
            "learnt_moves": self._moves[0],
            "learnt_turns": self._turns[0],
        }

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take over what `state` returned."""
        self._pairs = int(state["learnt_pairs"])
        self._moves, self._turns = state["learnt_moves"][None], state["learnt_turns"][None]
        if self._pairs >= _LEAST_PAIRS:
            self._reach = self._learnt()

    def _learnt(self) -> Tensor:
        reach = (self._moves / self._turns.clamp_min(_TINY)).sqrt_()
        height, width = reach.shape[2] >> 1, reach.shape[3] >> 1
        lightness = reach[0, 0].clone()
        lightness[:height, :width] = torch.nan
        low, high = _RANGE
        return (reach / lightness.nanmedian().clamp_min(_TINY)).clamp_(low, high)


def _smoothed_squares(images: Tensor) -> Tensor:
    """Return the squared coefficients' means over neighbourhoods [N, 3, H', W'], and a little of the whole band's."""
    squares = analyse(images).square_()
    for _, band in bands(squares):
        mean = band.mean((2, 3), keepdim=True)
        near = F.avg_pool2d(band, 2 * _RADIUS + 1, stride=1, padding=_RADIUS, count_include_pad=False)
        band.copy_(near.add_(mean, alpha=_FLOOR))
    return squares

"""A picture that was painted small, at the photo's size: enlarged, with the photo's detail brought back.

After He & Sun 2015 ("Fast Guided Filter"): at the small size each neighbourhood of the painted picture is fitted by a
line over the photo's lightness. Enlarging the painted picture keeps its strokes; the slopes tell how much of the
photo's detail, which the small size lost, belongs on top.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.images import Pixels, resize

_RADIUS = 4  # px, of a neighbourhood
_RIDGE = 1e-3  # of the range 0..1, squared: where the photo is flatter than this, it has no say
_STEEPEST = 1.5
_LIGHTNESS = torch.tensor([0.299, 0.587, 0.114])
_ROWS = 512  # enlarged at once: a photo may have fifty million pixels


def enlarged(painted: Pixels, photo: Pixels) -> Pixels:
    """Return a painted picture [h, w, 3] at the size of its photo [H, W, 3], with the photo's detail."""
    height, width = photo.shape[:2]
    if painted.shape == photo.shape:
        return painted
    small = resize(photo, painted.shape[1], painted.shape[0])
    slope = _slope(_lightness(small), _planes(painted))
    base, blurred = resize(painted, width, height), resize(small, width, height)
    result = np.empty_like(photo)
    for top in range(0, height, _ROWS):
        rows = slice(top, min(top + _ROWS, height))
        detail = _lightness(photo[rows]) - _lightness(blurred[rows])
        gain = _rows_of(slope, rows, (height, width))
        picture = (_planes(base[rows]) + gain * detail)[0].permute(1, 2, 0)
        result[rows] = (picture * 255).round_().clamp_(0, 255).byte().numpy()
    return result


def _slope(photo: Tensor, painted: Tensor) -> Tensor:
    """Return how the painted picture [1, 3, h, w] follows the photo's lightness [1, 1, h, w]: [1, 1, h, w]."""
    lightness = (painted * _LIGHTNESS[:, None, None]).sum(1, keepdim=True)
    mean, other = _mean(photo), _mean(lightness)
    covariance = _mean(photo * lightness) - mean * other
    variance = _mean(photo * photo) - mean * mean
    return _mean((covariance / (variance + _RIDGE)).clamp(0, _STEEPEST))


def _rows_of(small: Tensor, rows: slice, size: tuple[int, int]) -> Tensor:
    """Return some rows of what `small` [1, 1, h, w] is at another size, by straight lines between its pixels."""
    height, width = size
    ratio = small.shape[2] / height
    places = (torch.arange(rows.start, rows.stop) + 0.5) * ratio - 0.5
    places = places.clamp(0, small.shape[2] - 1)
    above = places.floor().long()
    below = (above + 1).clamp_max(small.shape[2] - 1)
    share = (places - above)[None, None, :, None]
    band = torch.lerp(small[:, :, above], small[:, :, below], share)
    return F.interpolate(band, size=(len(places), width), mode="bilinear", align_corners=False)


def _mean(values: Tensor) -> Tensor:
    """Return the means over neighbourhoods, which end at the border."""
    return F.avg_pool2d(values, 2 * _RADIUS + 1, stride=1, padding=_RADIUS, count_include_pad=False)


def _planes(pixels: Pixels) -> Tensor:
    return torch.from_numpy(pixels.transpose(2, 0, 1)[None].astype(np.float32) / 255)


def _lightness(pixels: Pixels) -> Tensor:
    return (_planes(pixels) * _LIGHTNESS[:, None, None]).sum(1, keepdim=True)

"""VGG-19 with each convolution as the product of two thin ones: the perception of low rank.

Zhang et al. 2016 ("Accelerating Very Deep Convolutional Networks for Classification and Detection", section 3.1): the
responses of a layer on pictures lie near a subspace, so that with U their first principal directions and m their mean
a filter bank W may be replaced by U (U^T W), and its bias b by m - U U^T (m - b). The ReLUs stay, and with them what
the features mean: what is lost is a few linear directions, where a narrower network loses whole functions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.nn.perception import Perception
from impasto_trainer.distillation import Student


@torch.no_grad()
def factorize(student: Student, batches: Iterable[Tensor]) -> None:
    """Give a student of low rank its teacher's filters, as far as its ranks reach.

    Args:
        student: its backbone has ranks.
        batches: pictures [N, 3, H, W] on which the teacher responds.
    """
    moments = _moments(student.teacher, batches)
    for name in student.network.path:
        whole, thin = student.teacher.features[name], student.network.features[name]
        assert isinstance(whole, nn.Conv2d)
        assert whole.bias is not None
        if isinstance(thin, nn.Conv2d):
            thin.load_state_dict(whole.state_dict())
            continue
        assert isinstance(thin, nn.Sequential)
        down, up = thin
        assert isinstance(down, nn.Conv2d)
        assert isinstance(up, nn.Conv2d)
        assert up.bias is not None
        mean, covariance = moments[name]
        directions = torch.linalg.eigh(covariance).eigenvectors[:, -down.weight.shape[0] :].float()
        down.weight.copy_(torch.einsum("or,oikl->rikl", directions, whole.weight))
        up.weight.copy_(directions[:, :, None, None])
        up.bias.copy_(mean - directions @ (directions.T @ (mean - whole.bias)))


def _moments(teacher: Perception, batches: Iterable[Tensor]) -> dict[str, tuple[Tensor, Tensor]]:
    """Return layer -> the mean [C] and the covariance [C, C] of its responses, before their ReLU."""
    sums: dict[str, Tensor] = {}
    squares: dict[str, Tensor] = {}
    count = 0
    for image in batches:
        count += 1
        for name, response in _responses(teacher, image):
            flat = response.transpose(0, 1).flatten(1).double()
            sums[name] = sums.get(name, 0) + flat.mean(1)
            squares[name] = squares.get(name, 0) + flat @ flat.T / flat.shape[1]
    means = {name: value / count for name, value in sums.items()}
    return {name: (mean.float(), squares[name] / count - torch.outer(mean, mean)) for name, mean in means.items()}


def _responses(teacher: Perception, image: Tensor) -> Iterator[tuple[str, Tensor]]:
    x = (image - teacher.mean) / teacher.std
    for name in teacher.path:
        if name.endswith("_1") and name != "relu1_1":
            x = teacher.pooled(x, 2)
        x = teacher.features[name](x)
        yield name, x
        x = F.relu(x)

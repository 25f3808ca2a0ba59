"""The distillation: a narrow network learns to see as VGG-19 sees.

After Wang et al. 2020 ("Collaborative Distillation for Ultra-Resolution Universal Style Transfer", section 3.2) the
narrow network's features are held against VGG-19's through a linear map per layer. Ours starts where pruning would
end: every layer keeps the channels of VGG-19 from which the others are best rebuilt linearly (He et al. 2017, "Channel
Pruning", section 3.1), and only then is trained.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.nn.losses import gram, relative_error
from impasto.nn.perception import COMPACT, VGG19, Perception

# Which of VGG-19's layers each layer of the compact perception stands for: the last of a block for the last.
TWINS = {name: name for name in COMPACT.channels} | {"relu3_3": "relu3_4", "relu4_3": "relu4_4"}


@dataclass(frozen=True)
class Fidelity:
    """How far the compact perception is from VGG-19, means over a batch.

    Attributes:
        features: layer -> relative squared error of its mapped features.
        grams: layer -> relative squared error of its mapped Gram matrices.
    """

    features: dict[str, float]
    grams: dict[str, float]


class Student(nn.Module):
    """A compact perception and the linear maps from its exits to VGG-19's features."""

    def __init__(self, teacher: Perception) -> None:
        super().__init__()
        self.teacher = teacher
        self.compact = Perception(COMPACT.exits, COMPACT)
        self.compact.features.requires_grad_(True)
        self.maps = nn.ModuleDict(
            {
                name: nn.Conv2d(COMPACT.channels[name], VGG19.channels[TWINS[name]], 1, bias=False)
                for name in COMPACT.exits
            }
        )
        for name in COMPACT.exits:
            nn.init.dirac_(self.compact.metrics[name].weight)

    def errors(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return the relative errors of features and of Gram matrices, [exits] each, means over a batch [N, 3, H, W]."""
        with torch.no_grad():
            truth = self.teacher(image, COMPACT.exits)
        found = self.compact(image)
        features, grams = [], []
        for name in COMPACT.exits:
            mapped = self.maps[name](found[name])
            features.append(relative_error(mapped, truth[name]).mean())
            grams.append(relative_error(gram(mapped), gram(truth[name])).mean())
        return torch.stack(features), torch.stack(grams)

    @torch.no_grad()
    def finished(self) -> Perception:
        """Return the compact perception with each map M = QR folded to its R (see `Perception`)."""
        compact = Perception(COMPACT.exits, COMPACT)
        compact.features.load_state_dict(self.compact.features.state_dict())
        for name in COMPACT.exits:
            _, upper = torch.linalg.qr(self.maps[name].weight[:, :, 0, 0].double())
            compact.metrics[name].weight.copy_(upper[:, :, None, None])
        return compact


@torch.no_grad()
def prune(student: Student, batches: Iterator[Tensor]) -> None:
    """Give the student the channels of its teacher from which the rest is best rebuilt.

    Args:
        batches: pictures [N, 3, H, W] on which the teacher's channels are compared.
    """
    moments = _second_moments(student.teacher, batches)
    rebuild: Tensor | None = None  # of the layer before: [C_vgg, c + 1], the last column a constant
    for name, channels in COMPACT.channels.items():
        moment = moments[TWINS[name]]
        kept = _columns(moment[:-1, :-1], channels)
        wide, narrow = student.teacher.features[TWINS[name]], student.compact.features[name]
        weight, bias = wide.weight[kept], wide.bias[kept]
        if rebuild is not None:
            bias = bias + torch.einsum("oikl,i->o", weight, rebuild[:, -1])
            weight = torch.einsum("oikl,ij->ojkl", weight, rebuild[:, :-1])
        narrow.weight.copy_(weight)
        narrow.bias.copy_(bias)
        known = [*kept, moment.shape[0] - 1]
        rebuild = _solve(moment, known).float()
        if name in COMPACT.exits:
            student.maps[name].weight.copy_(_solve(moment, kept).float()[:, :, None, None])


def _second_moments(teacher: Perception, batches: Iterator[Tensor]) -> dict[str, Tensor]:
    """Return layer -> the mean of f f^T over all positions, where f is its features and a 1: [C + 1, C + 1]."""
    sums: dict[str, Tensor] = {}
    for image in batches:
        for name, value in teacher(image, tuple(TWINS.values())).items():
            scale = value.square().mean((1, 2, 3), keepdim=True).sqrt()  # so that no picture outweighs the others
            flat = (value / scale).transpose(0, 1).flatten(1).double()
            flat = torch.cat([flat, torch.ones_like(flat[:1])])
            sums[name] = sums.get(name, 0) + flat @ flat.T / flat.shape[1]
    return sums


def _columns(moment: Tensor, count: int) -> list[int]:
    """Return the columns from which the others are best rebuilt, taken one by one."""
    residual, chosen = moment.clone(), []
    for _ in range(count):
        gains = residual.square().sum(0) / residual.diagonal().clamp_min(1e-9)
        gains[chosen] = -1
        best = int(gains.argmax())
        chosen.append(best)
        column = residual[:, best]
        residual = residual - torch.outer(column, column) / column[best].clamp_min(1e-9)
    return sorted(chosen)


def _solve(moment: Tensor, known: list[int]) -> Tensor:
    """Return the least-squares map from the known columns to all channels: [C, len(known)]."""
    block = moment[known][:, known]
    ridge = 1e-6 * block.diagonal().mean() * torch.eye(len(known), dtype=block.dtype)
    return torch.linalg.solve(block + ridge, moment[known][:, :-1]).T

"""The distillation: a narrow network learns to see as VGG-19 sees.

After Wang et al. 2020 ("Collaborative Distillation for Ultra-Resolution Universal Style Transfer", section 3.2) the
narrow network's features are held against VGG-19's through a linear map per layer. Ours starts where pruning would
end: every layer keeps the channels of VGG-19 from which the others are best rebuilt linearly (He et al. 2017, "Channel
Pruning", section 3.1), and only then is trained.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.backbones import COMPACT, LOWRANK, VGG19, Backbone
from impasto.nn.losses import gram, relative_error
from impasto.nn.perception import Perception
from impasto.nn.precision import mixed_precision

EXITS = COMPACT.exits
# Which of VGG-19's layers each layer of the compact perception stands for: the last of a block for the last.
TWINS = {name: name for name in COMPACT.channels} | {"relu3_3": "relu3_4", "relu4_3": "relu4_4"}

_RATES = {COMPACT.name: 0.01, LOWRANK.name: 0.003}  # of each weight's root mean square, a step
_WARMUP = 50  # steps
_DECAYS = (0.9, 0.99)  # of Adam's two moments


@dataclass(frozen=True)
class Lesson:
    """A batch of pictures and what VGG-19 sees in them.

    Attributes:
        image: [N, 3, H, W].
        features: exit -> [N, C, h, w] in bf16: hundreds of lessons lie in memory together.
        grams: exit -> [N, C, C].
        energy: exit -> [N], the features' squared norm.
    """

    image: Tensor
    features: dict[str, Tensor]
    grams: dict[str, Tensor]
    energy: dict[str, Tensor]


class Student(nn.Module):
    """A perception that learns, and where it is measured the linear maps from its exits to VGG-19's features."""

    def __init__(self, teacher: Perception, backbone: Backbone) -> None:
        super().__init__()
        self.teacher = teacher
        self.network = Perception(EXITS, backbone)
        self.network.features.requires_grad_(True)
        self.maps = nn.ModuleDict(
            {
                name: nn.Conv2d(backbone.channels[name], VGG19.channels[TWINS[name]], 1, bias=False)
                if backbone.measured
                else nn.Identity()
                for name in EXITS
            }
        )
        for metric in self.network.metrics.parameters():
            nn.init.dirac_(metric)

    @torch.no_grad()
    def lesson(self, image: Tensor) -> Lesson:
        """Return what the teacher has to say of pictures [N, 3, H, W]."""
        truth = self.teacher(image, EXITS)
        return Lesson(
            image,
            features={name: value.bfloat16() for name, value in truth.items()},
            grams={name: gram(value) for name, value in truth.items()},
            energy={name: value.float().square().flatten(1).sum(1) for name, value in truth.items()},
        )

    def errors(self, lesson: Lesson) -> tuple[Tensor, Tensor]:
        """Return the relative errors of features and of Gram matrices: [exits] each, means over the batch."""
        found = self.network(lesson.image)
        features, grams = [], []
        for name in EXITS:
            mapped = self.maps[name](found[name])
            missed = (mapped - lesson.features[name]).float().square().flatten(1).sum(1)
            features.append((missed / lesson.energy[name]).mean())
            grams.append(relative_error(gram(mapped), lesson.grams[name]).mean())
        return torch.stack(features), torch.stack(grams)

    @torch.no_grad()
    def finished(self) -> Perception:
        """Return the perception that has learnt, with each map M = QR folded to its R (see `Perception`)."""
        finished = Perception(EXITS, self.network.backbone)
        finished.features.load_state_dict(self.network.features.state_dict())
        for name in finished.metrics:
            _, upper = torch.linalg.qr(_convolution(self.maps, name).weight[:, :, 0, 0].double())
            _convolution(finished.metrics, name).weight.copy_(upper[:, :, None, None])
        return finished


def learn(student: Student, lessons: list[Lesson], steps: int, on_step: Callable[[int, Tensor, Tensor], None]) -> None:
    """Lower the student's errors.

    Adam, with a rate for each weight that is a share of its root mean square (Shazeer & Stern 2018, section 8): the
    layers' weights differ a hundredfold.

    Args:
        student: pruned.
        lessons: gone through again and again, in an order of its own each time.
        steps: one lesson each.
        on_step: told the step's number and the errors of features and Gram matrices, [exits] each.
    """
    weights = [weight for weight in student.parameters() if weight.requires_grad]
    groups = [{"params": [weight], "size": weight.detach().square().mean().sqrt().item()} for weight in weights]
    rate = _RATES[student.network.name]
    optimizer = torch.optim.Adam(groups, lr=rate, betas=_DECAYS, eps=1e-20)
    for step in range(steps):
        epoch, place = divmod(step, len(lessons))
        lesson = lessons[np.random.default_rng(epoch).permutation(len(lessons))[place]]
        for group in optimizer.param_groups:
            group["lr"] = group["size"] * rate * _course(step, steps)
        with mixed_precision(lesson.image.device):
            features, grams = student.errors(lesson)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(features.sum() + 2 * grams.sum())
        optimizer.step()
        on_step(step + 1, features.detach(), grams.detach())


def _course(step: int, steps: int) -> float:
    cosine = 0.5 * (1 + math.cos(math.pi * step / steps))
    return min(1.0, (step + 1) / _WARMUP) * (0.02 + 0.98 * cosine)


def spoil(image: Tensor, seed: int) -> Tensor:
    """Return pictures [N, 3, H, W] of which some got noise, and some are mixed with another.

    A perception that is to be optimised against must see as VGG-19 does where no photo has ever been.
    """
    rng = np.random.default_rng(seed)
    kind, count, side = rng.integers(5), len(image), image.shape[-1]
    if kind <= 1:
        cell = 2 ** int(rng.integers(4))
        noise = torch.from_numpy(rng.standard_normal((count, 3, side // cell, side // cell), dtype=np.float32))
        noise *= torch.from_numpy(rng.uniform(0, 0.35, (count, 1, 1, 1)).astype(np.float32))
        noise[count // 2 :] = 0
        mode = "nearest" if kind else "bilinear"
        image = (image + F.interpolate(noise, size=(side, side), mode=mode).to(image.device)).clamp(0, 1)
    if kind == 2:
        share = torch.from_numpy(rng.random((count, 1, 1, 1), dtype=np.float32)).to(image.device)
        image = torch.lerp(image.roll(1, 0), image, share)
    return image.contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def prune(student: Student, batches: Iterable[Tensor]) -> None:
    """Give the student the channels of its teacher from which the rest is best rebuilt.

    Args:
        batches: pictures [N, 3, H, W] on which the teacher's channels are compared.
    """
    moments = _second_moments(student.teacher, batches)
    rebuild: Tensor | None = None  # of the layer before: [C_vgg, c + 1], the last column a constant
    for name, channels in COMPACT.channels.items():
        moment = moments[TWINS[name]]
        kept = _columns(moment[:-1, :-1], channels)
        wide = _convolution(student.teacher.features, TWINS[name])
        narrow = _convolution(student.network.features, name)
        assert wide.bias is not None
        assert narrow.bias is not None
        weight, bias = wide.weight[kept], wide.bias[kept]
        if rebuild is not None:
            bias = bias + torch.einsum("oikl,i->o", weight, rebuild[:, -1])
            weight = torch.einsum("oikl,ij->ojkl", weight, rebuild[:, :-1])
        narrow.weight.copy_(weight)
        narrow.bias.copy_(bias)
        known = [*kept, moment.shape[0] - 1]
        rebuild = _solve(moment, known).float()
        if name in COMPACT.exits:
            _convolution(student.maps, name).weight.copy_(_solve(moment, kept).float()[:, :, None, None])


def _second_moments(teacher: Perception, batches: Iterable[Tensor]) -> dict[str, Tensor]:
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
    residual = moment.clone()
    chosen: list[int] = []
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
    rebuilt: Tensor = torch.linalg.solve(block + ridge, moment[known][:, :-1]).T
    return rebuilt


def _convolution(modules: nn.ModuleDict, name: str) -> nn.Conv2d:
    module = modules[name]
    assert isinstance(module, nn.Conv2d)
    return module

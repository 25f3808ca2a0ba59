"""The painter: `impasto.nn.optimize`, with a device, weights and a memory budget."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import torch

from impasto.backbones import LOWRANK, VGG19, Backbone
from impasto.bundle import STARTER, load_bundle
from impasto.errors import InvalidInput, WeightsNotFound
from impasto.logs import Log
from impasto.nn.nearest import NearestStyle
from impasto.nn.optimize import Interrupted, backbone_for, optimize, perception_for
from impasto.nn.perception import WEIGHTS_VARIABLE, Perception
from impasto.optimization import Optimization
from impasto_worker.painting import Order, Painted, Picture, Stopped
from impasto_worker.resources import available_memory, cores

_SHARE_OF_MEMORY = 0.5  # the rest is for decoding, encoding, and whatever else the machine is for
_SHARE_ON_GPU = 0.9
_THREADS = "OMP_NUM_THREADS"  # torch reads it by itself
_KEPT = 4  # perceptions that stay loaded

Eyes = tuple[str, frozenset[str], str]
"""What perceptions differ in: the name of the backbone, its layers, the pooling."""


class Optimizer:
    """Paints by optimisation, on one device.

    Attributes:
        device: as torch names it.
        perception: the name of the one that jobs are painted by unless they ask for another.
    """

    def __init__(self, device: str, *, weights: Path | None, memory: int | None, log: Log) -> None:
        """Load the perception that jobs are painted by unless they ask for another.

        Args:
            device: as torch names it, or auto.
            weights: VGG-19's, if there are any.
            memory: bytes that one picture may take; None for what there is.
            log: told of what it all runs on.

        Raises:
            InvalidInput: a device that torch cannot use.
            WeightsNotFound: the file holds no weights of VGG-19.
        """
        if _THREADS not in os.environ:
            torch.set_num_threads(cores())
        self._device = _usable(device)
        self._weights = weights
        self._memory = memory
        self._perceptions: OrderedDict[Eyes, Perception] = OrderedDict()
        self.device = str(self._device)
        self.perception = self._perception(Optimization()).name
        log.info(
            "painting on",
            device=self.device,
            threads=torch.get_num_threads(),
            perception=self.perception,
            memory=self._budget(),
        )

    def __call__(
        self, order: Order, *, on_progress: Callable[[Painted], None], interrupted: Callable[[], bool]
    ) -> Picture:
        try:
            done = optimize(
                order.photo,
                order.paintings,
                order.optimization,
                perception=self._perception(order.optimization),
                working_size=order.working_size,
                memory=self._allowed(order),
                fast=lambda photo: self._nearest.paint_like(photo, order.paintings, interrupted),
                on_progress=on_progress,
                interrupted=interrupted,
                state=order.state,
            )
        except Interrupted as error:
            raise Stopped from error
        return Picture(pixels=done.pixels, working_size=done.working_size, steps=done.steps, notes=done.notes)

    def _perception(self, optimization: Optimization) -> Perception:
        """Return what a job is painted by; those that were used last are at hand.

        Raises:
            InvalidInput, WeightsNotFound: see `_backbone`.
        """
        layers = frozenset((*optimization.content_layers, *optimization.style_layers))
        eyes = self._backbone(optimization).name, layers, optimization.pooling
        if eyes not in self._perceptions:
            self._perceptions[eyes] = perception_for(optimization, self._weights, device=self._device)
        self._perceptions.move_to_end(eyes)
        while len(self._perceptions) > _KEPT:
            self._perceptions.popitem(last=False)
        return self._perceptions[eyes]

    def _backbone(self, optimization: Optimization) -> Backbone:
        """Return what a job is to be painted by, or say why it cannot be; nothing is downloaded for it."""
        if optimization.perception == VGG19.name and self._weights is None:
            raise WeightsNotFound(
                f"the perception {VGG19.name} was asked for, but this worker has no weights of it; ask for "
                f"{LOWRANK.name} or auto, or have the worker started with --vgg-weights or {WEIGHTS_VARIABLE}"
            )
        return backbone_for(optimization, self._weights)

    def _allowed(self, order: Order) -> int | None:
        """Return the bytes that an order may take; None to go on as it was begun.

        What is available changes from hour to hour, and a picture that fitted before would become another one.
        """
        if order.state is not None and order.halvings == 0 and self._memory is None:
            return None
        return self._budget() >> order.halvings

    def _budget(self) -> int:
        """Return the bytes that a picture may take; what torch keeps on a GPU for the next one counts as free."""
        if self._memory is not None:
            return self._memory
        if self._device.type != "cuda":
            return int(_SHARE_OF_MEMORY * available_memory())
        free, _ = torch.cuda.mem_get_info(self._device)
        kept = torch.cuda.memory_reserved(self._device) - torch.cuda.memory_allocated(self._device)
        return int(_SHARE_ON_GPU * (free + kept))

    @cached_property
    def _nearest(self) -> NearestStyle:
        return NearestStyle(load_bundle(STARTER), self._device)


def _usable(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:  # torch built without CUDA raises the latter
        raise InvalidInput("device", f"{name!r} cannot be used: {error}; give cpu, cuda or cuda:N") from error

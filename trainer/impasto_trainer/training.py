"""The training, from the first step to the last.

Johnson et al. 2016, section 3: a transformer learns to lower content, style and smoothness terms on many photos. With
more than one painting every photo of a batch gets a style of its own (Dumoulin et al. 2017, section 3).
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from impasto.errors import CheckpointError
from impasto.nn.checkpoint import Checkpoint
from impasto.nn.losses import CONTENT_LAYERS, content_loss, grid, style_loss, total_variation
from impasto.nn.perception import Perception
from impasto.nn.transformer import TransformerNet, new_code
from impasto_trainer.guard import Guard
from impasto_trainer.paintings import Painting, style_grams
from impasto_trainer.photos import PhotoCrops, loader
from impasto_trainer.ranks import ALONE, Ranks
from impasto_trainer.recipe import Recipe

CHECKPOINT_FILE = "checkpoint.safetensors"
TERMS = ("content", "style", "tv", "grid")
WINDOW_SHIFT = 8  # px; VGG-19 halves the picture three times before the content layer
_REMEMBER_EVERY = 100  # steps
_MAX_GRADIENT = 10.0  # norm to which a step's gradient is cut: early steps on dark crops can explode


@dataclass(frozen=True)
class Progress:
    """What one step tells.

    Attributes:
        step: how many steps are done.
        content, style, tv, grid: the unweighted terms, means over the batch.
        total: their weighted sum.
        rate: the learning rate.
        waited: s that this step waited for its photos.
        unreadable: photos that this process could not decode so far.
        wrong: what was wrong with the step, if it made the training go back to an earlier state.
    """

    step: int
    content: float
    style: float
    tv: float
    grid: float
    total: float
    rate: float
    waited: float
    unreadable: int
    wrong: str | None


class Objective(nn.Module):
    """Paints a batch and weighs the result."""

    def __init__(self, network: TransformerNet, codes: nn.Parameter, perception: Perception) -> None:
        super().__init__()
        self.network = network
        self.codes = codes
        self.perception = perception

    def forward(
        self, photos: Tensor, styles: Tensor, grams: dict[str, Tensor], window: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the content, style, smoothness and grid terms.

        Args:
            photos: [N, 3, H, W], RGB in 0..1.
            styles: [N], which of the codes paints each photo.
            grams: layer -> [S, C, C], the style targets.
            window: the rows and the columns that the perception looks at, as indices.
        """
        painted = self.network(photos, self.codes[styles])
        with torch.no_grad():
            content = self.perception(_seen(photos, window), CONTENT_LAYERS)
        features = self.perception(_seen(painted, window))
        targets = {layer: value[styles] for layer, value in grams.items()}
        return (
            content_loss(features, content).mean(),
            style_loss(features, targets).mean(),
            total_variation(painted).mean(),
            grid(painted, self.network.architecture.size_multiple).mean(),
        )


class Training:
    """One run: from a recipe, or from the checkpoint of an earlier run, to a checkpoint.

    With `frozen` the codes alone are trained, and the transformer stays as it is.

    What is random in a step is a function of the recipe's seed and the step's number, and all else that a step depends
    on is in the checkpoint: a resumed training takes the very steps that it would have taken without the pause.
    """

    def __init__(
        self,
        recipe: Recipe,
        photos: PhotoCrops,
        paintings: list[Painting],
        perception: Perception,
        *,
        device: torch.device,
        compile: bool = False,
        frozen: bool = False,
        ranks: Ranks = ALONE,
    ) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe = recipe
        self.photos = photos
        self.paintings = paintings
        self.device = device
        self.ranks = ranks
        self.share = ranks.share(recipe.batch)
        self.guard = Guard()
        self.step = 0
        self.seconds = 0.0
        self.earlier: list[dict[str, Any]] = []
        self.pending: dict[str, Any] = {}
        self.origin: dict[str, Any] = {}
        network = TransformerNet(recipe.architecture)
        network.requires_grad_(not frozen)
        codes = nn.Parameter(new_code(recipe.architecture).repeat(len(paintings), 1))
        self.objective = Objective(network, codes, perception).to(device)
        self.objective.to(memory_format=torch.channels_last)
        self.weights = torch.tensor([getattr(recipe, f"{term}_weight") for term in TERMS], device=device)
        self.parameters = [*([] if frozen else network.parameters()), self.objective.codes]
        self.optimizer = torch.optim.Adam(self.parameters, lr=recipe.learning_rate)
        self.grams = style_grams(paintings, recipe.painting_size, self.objective.perception, device)
        self.terms = torch.compile(self.objective) if compile else self.objective

    def start_from(self, weights: dict[str, Tensor], codes: Tensor) -> None:
        """Begin with a trained transformer and its codes [S, D], or with codes made from them."""
        self.objective.network.load_state_dict(weights)
        with torch.no_grad():
            self.objective.codes.copy_(codes)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint: its weights, codes, optimiser and step."""
        styles = tuple(painting.style for painting in self.paintings)
        if checkpoint.styles != styles:
            raise CheckpointError(f"the checkpoint paints {checkpoint.styles}, but the paintings given are {styles}")
        if checkpoint.architecture != self.recipe.architecture:
            raise CheckpointError(
                f"the checkpoint holds {checkpoint.architecture}, but the recipe asks for {self.recipe.architecture}"
            )
        seen_by, name = checkpoint.training["perception"]["network"], self.objective.perception.name
        if seen_by != name:
            raise CheckpointError(f"the checkpoint was trained with the perception {seen_by}, but this is {name}")
        if not checkpoint.optimizer:
            raise CheckpointError("the checkpoint is only for use: it lacks the optimiser's state; give it to --from")
        self.start_from(checkpoint.weights, checkpoint.codes)
        self.origin = checkpoint.training.get("from", {})
        self.step = int(checkpoint.training["step"])
        self.seconds = float(checkpoint.training["seconds"])
        self.earlier = _stages(checkpoint.training, self.recipe)
        self.pending = checkpoint.training.get("pending", {})
        if not _changed(checkpoint.training, self.recipe).keys() - {"steps"}:
            self.guard.restore(checkpoint.training.get("guard", self.guard.to_dict()))
        self._restore_optimizer(checkpoint.optimizer)

    def run(self, workers: int, on_step: Callable[[Progress], None]) -> None:
        """Train up to the recipe's last step, calling `on_step` after each."""
        batches = loader(
            self.photos,
            batch=self.recipe.batch,
            first=self.step,
            last=self.recipe.steps,
            workers=workers,
            share=self.share,
        )
        self._remember()
        begun = time.perf_counter()
        for photos in batches:
            waited = time.perf_counter() - begun
            progress = self._one_step(photos.to(self.device, memory_format=torch.channels_last), waited)
            self.seconds += time.perf_counter() - begun
            on_step(progress)
            begun = time.perf_counter()

    def checkpoint(self, pending: dict[str, Any] | None = None) -> Checkpoint:
        """Return the state as it is now.

        Args:
            pending: what the loss log has not written yet, JSON-ready.
        """
        if not self.guard.suspicious:
            self._remember()  # as a resumed training does, so that both would go back to the same state
        optimizer = {
            f"{index}.{name}": value
            for index, state in self.optimizer.state_dict()["state"].items()
            for name, value in state.items()
        }
        return Checkpoint(
            architecture=self.recipe.architecture,
            weights=self.objective.network.state_dict(),
            styles=tuple(painting.style for painting in self.paintings),
            codes=self.objective.codes.detach(),
            training=self._record() | {"pending": pending or {}},
            thumbnails={painting.style: painting.thumbnail() for painting in self.paintings},
            optimizer=optimizer,
        )

    def paint(self, photo: Tensor, style: int) -> Tensor:
        """Return the photo [1, 3, H, W] as the style of this index has it at the moment."""
        with torch.no_grad(), self._autocast():
            code = self.objective.codes[style : style + 1]
            painted: Tensor = self.objective.network(photo.to(self.device), code)
        return painted.float().cpu()

    def _one_step(self, photos: Tensor, waited: float) -> Progress:
        rate = self.guard.rate_factor * learning_rate(self.recipe, self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        terms, total, norm = self._gradients(photos)
        wrong = self.guard.judge(total, norm)
        if wrong:
            self._roll_back(wrong)
        else:
            self.optimizer.step()
        self.step += 1
        if self.step % _REMEMBER_EVERY == 0 and not self.guard.suspicious:
            self._remember()
        return Progress(
            step=self.step,
            **dict(zip(TERMS, terms, strict=True)),
            total=total,
            rate=rate,
            waited=waited,
            unreadable=self.photos.unreadable,
            wrong=wrong,
        )

    def _gradients(self, photos: Tensor) -> tuple[list[float], float, float]:
        """Leave this step's gradients, cut to their largest norm; return the terms, their total and the norm before."""
        places = torch.arange(self.recipe.batch, device=self.device)[self.share]
        styles = (places + self.step * self.recipe.batch) % len(self.paintings)
        with self._autocast():
            terms = torch.stack(self.terms(photos, styles, self.grams, self._window()))
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(terms @ self.weights)
        terms = terms.detach()
        self.ranks.average([terms, *(parameter.grad for parameter in self.parameters if parameter.grad is not None)])
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, _MAX_GRADIENT)
        *values, total, norm_value = torch.cat([terms, torch.stack([terms @ self.weights, norm])]).tolist()
        return values, total, norm_value

    def _remember(self) -> None:
        """Keep the state to go back to."""
        network, codes = self.objective.network.state_dict(), self.objective.codes.detach()
        self._good = copy.deepcopy((network, codes, self.optimizer.state_dict()))

    def _roll_back(self, wrong: str) -> None:
        self.guard.roll_back(wrong)
        network, codes, optimizer = copy.deepcopy(self._good)
        self.objective.network.load_state_dict(network)
        with torch.no_grad():
            self.objective.codes.copy_(codes)
        self.optimizer.load_state_dict(optimizer)

    def _window(self) -> tuple[Tensor, Tensor]:
        """Return rows and columns of a window that lies elsewhere in each step.

        VGG-19's poolings have a grid, and so has the transformer. While the two stay aligned the transformer is
        rewarded for a pattern that repeats with them, and paints a weave of 4 px into flat areas.
        """
        offsets = np.random.default_rng((self.recipe.seed, self.step, 2)).integers(WINDOW_SHIFT, size=2)
        side = torch.arange(self.recipe.crop - WINDOW_SHIFT, device=self.device)
        return side + int(offsets[0]), side + int(offsets[1])

    def _autocast(self) -> AbstractContextManager[None]:
        # bfloat16 keeps the range of VGG-19's activations (up to 18,000 in the original weights); losses stay fp32.
        if self.device.type in ("cpu", "cuda"):
            return torch.autocast(self.device.type, torch.bfloat16)
        return nullcontext()

    def _record(self) -> dict[str, Any]:
        return {
            "step": self.step,
            "seconds": round(self.seconds, 1),
            "device": self.device.type,
            "recipe": self.recipe.to_dict(),
            "from": self.origin,
            "earlier": self.earlier,
            "guard": self.guard.to_dict(),
            "photos": len(self.photos.photos),
            "unreadable": self.photos.unreadable,
            "perception": {"network": self.objective.perception.name, "layers": list(self.objective.perception.layers)},
            "paintings": {p.style: {"file": p.file, "sha256": p.sha256} for p in self.paintings},
        }

    def _restore_optimizer(self, flat: dict[str, Tensor]) -> None:
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in flat.items():
            index, kind = name.split(".", 1)
            state.setdefault(int(index), {})[kind] = _laid_out_like(self.parameters[int(index)], value)
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": state, "param_groups": groups})


def _seen(picture: Tensor, window: tuple[Tensor, Tensor]) -> Tensor:
    rows, columns = window
    return picture.index_select(2, rows).index_select(3, columns)


def _stages(record: dict[str, Any], recipe: Recipe) -> list[dict[str, Any]]:
    """Return what a resumed training did before with other recipes: up to which step, and where each differs."""
    stages = list(record.get("earlier", []))
    changed = _changed(record, recipe)
    return [*stages, {"until_step": record["step"], **changed}] if changed else stages


def _changed(record: dict[str, Any], recipe: Recipe) -> dict[str, Any]:
    """Return the values in a record's recipe that this recipe has not."""
    return {name: value for name, value in record["recipe"].items() if recipe.to_dict().get(name) != value}


def _laid_out_like(parameter: Tensor, value: Tensor) -> Tensor:
    """Return the value in the parameter's memory format: over another one torch may round differently."""
    return torch.empty_like(parameter).copy_(value) if value.shape == parameter.shape else value


def learning_rate(recipe: Recipe, step: int) -> float:
    """Return Adam's rate for a step: a linear rise, then half a cosine down to a hundredth."""
    if step < recipe.warmup:
        return recipe.learning_rate * (step + 1) / recipe.warmup
    done = (step - recipe.warmup) / max(1, recipe.steps - recipe.warmup)
    return recipe.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))

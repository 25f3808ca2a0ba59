"""The training, from the first step to the last.

Johnson et al. 2016, section 3: a transformer learns to lower content, style and smoothness terms on many photos. With
more than one painting every photo of a batch gets a style of its own (Dumoulin et al. 2017, section 3).
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from impasto import images
from impasto.backbones import CONTENT_LAYERS
from impasto.errors import CheckpointError
from impasto.nn.checkpoint import Checkpoint
from impasto.nn.losses import content_loss
from impasto.nn.perception import Perception
from impasto.nn.precision import mixed_precision
from impasto.nn.transformer import TransformerNet, new_code
from impasto_trainer.balance import Balance
from impasto_trainer.draws import draw
from impasto_trainer.guard import Guard, leads_on
from impasto_trainer.objective import TERMS, Objective
from impasto_trainer.paintings import Painting, style_grams
from impasto_trainer.photos import Crop, PhotoCrops, loader
from impasto_trainer.ranks import ALONE, Ranks
from impasto_trainer.recipe import Recipe

_REMEMBER_EVERY = 100  # steps
_BUDGET_PHOTOS = 8
_MAX_GRADIENT = 10.0  # norm to which a step's gradient is cut: early steps on dark crops can explode


@dataclass(frozen=True)
class Progress:
    """What one step tells.

    Attributes:
        step: how many steps are done.
        content, style, tv, grid, stability: the unweighted terms, means over the batch.
        total: the mean of their weighted sums.
        style_weight: the mean of the styles' weights.
        rate: the learning rate.
        waited: s that this step waited for its photos.
        unreadable: photos that this process could not decode so far.
        passed_over: steps so far that were not taken, since their gradient led nowhere.
        wrong: what was wrong with the step, if it made the training go back to an earlier state.
    """

    step: int
    content: float
    style: float
    tv: float
    grid: float
    stability: float
    total: float
    style_weight: float
    rate: float
    waited: float
    unreadable: int
    passed_over: int
    wrong: str | None


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
        identity: Tensor | None = None,
        ranks: Ranks = ALONE,
    ) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe = recipe
        self.photos = photos
        self.paintings = paintings
        self.device = device
        self.ranks = ranks
        self.guard = Guard()
        self.step = 0
        self.seconds = 0.0
        self.earlier: list[dict[str, Any]] = []
        self.pending: dict[str, Any] = {}
        self.origin: dict[str, Any] = {}
        network = TransformerNet(recipe.architecture)
        network.requires_grad_(not frozen)
        codes = nn.Parameter(new_code(recipe.architecture).repeat(len(paintings), 1))
        perception.to(device)
        grams = style_grams(paintings, recipe.painting_size, perception, device)
        self.objective = Objective(network, codes, perception, grams, identity).to(device)
        self.objective.to(memory_format=torch.channels_last)
        self.balance = Balance(recipe.style_weight, self._budgets(), len(paintings), device)
        self.parameters = [*([] if frozen else network.parameters()), self.objective.codes]
        rates = ((self.parameters[:-1], 1.0), ([codes], recipe.code_rate))
        self.optimizer = torch.optim.Adam([{"params": group, "times": times} for group, times in rates if group])
        self.terms = torch.compile(self.objective, dynamic=False) if compile else self.objective

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
        self.balance.restore([checkpoint.training["style_weights"][style] for style in styles])
        self._restore_optimizer(checkpoint.optimizer)

    def run(self, workers: int, on_step: Callable[[Progress], None]) -> None:
        """Train up to the recipe's last step, calling `on_step` after each."""
        batches = (self._crops(step) for step in range(self.step, self.recipe.steps))
        self._remember()
        begun = time.perf_counter()
        for photos in loader(self.photos, batches, workers=workers):
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
        with torch.no_grad(), mixed_precision(self.device):
            code = self.objective.codes[style : style + 1]
            painted: Tensor = self.objective.network(photo.to(self.device), code)
        return painted.float().cpu()

    def _one_step(self, photos: Tensor, waited: float) -> Progress:
        rate = self.guard.rate_factor * learning_rate(self.recipe, self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["times"]
        terms, total, norm = self._gradients(photos)
        wrong = self.guard.judge(total, norm)
        if wrong:
            self._roll_back(wrong)
        elif leads_on(norm):
            self.optimizer.step()
        self.step += 1
        if self.step % _REMEMBER_EVERY == 0 and not self.guard.suspicious:
            self._remember()
        return Progress(
            step=self.step,
            **dict(zip(TERMS, terms, strict=True)),
            total=total,
            style_weight=self.balance.weights.mean().item(),
            rate=rate,
            waited=waited,
            unreadable=self.photos.unreadable,
            passed_over=self.guard.passed_over,
            wrong=wrong,
        )

    def _gradients(self, photos: Tensor) -> tuple[list[float], float, float]:
        """Leave this step's gradients, cut to their largest norm; return the terms, their total and the norm before."""
        count, side = self._shape(self.step)
        chance = draw(
            self.recipe, self.step, photos=count, side=side, styles=len(self.paintings), device=self.device
        ).of(self.ranks.share(count))
        with mixed_precision(self.device):
            weigh = self.terms if side == self.recipe.crop else self.objective  # compiled for one size
            terms = weigh(photos, chance)
        totals = (terms * self._weights(chance.shares)).sum(1)
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(totals.mean())
        told = torch.cat([terms.detach(), totals.detach()[:, None]], dim=1).mean(0)
        self.ranks.average([told, *(weight.grad for weight in self.parameters if weight.grad is not None)])
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, _MAX_GRADIENT)
        self.balance.update(chance.shares, chance.strength, terms.detach()[:, TERMS.index("content")], self.ranks)
        *values, total, norm_value = torch.cat([told, norm[None]]).tolist()
        return values, total, norm_value

    def _weights(self, shares: Tensor) -> Tensor:
        """Return the weight of each photo's terms: [N, len(TERMS)].

        What a style weighs besides its content moves with the balance, but what both weigh together stays: the styles
        share a transformer, and one with ten times another's weight would have it to itself.
        """
        recipe, style = self.recipe, shares @ self.balance.weights
        fixed = {term: getattr(recipe, f"{term}_weight") for term in TERMS}
        columns = [style if term == "style" else torch.full_like(style, weight) for term, weight in fixed.items()]
        share = (recipe.content_weight + recipe.style_weight) / (recipe.content_weight + style).clamp_min(1e-6)
        return torch.stack(columns, dim=1) * share[:, None]

    def _shape(self, step: int) -> tuple[int, int]:
        """Return how many crops a step has on all processes together, and their side in px.

        Every so often a crop is twice as long and wide, so that large pictures are painted as well as small ones.
        """
        batch, crop, every = self.recipe.batch, self.recipe.crop, self.recipe.large_every
        if every and (step + 1) % every == 0:
            return self.ranks.count * max(1, batch // 4 // self.ranks.count), 2 * crop
        return batch, crop

    def _crops(self, step: int) -> list[Crop]:
        """Return the crops that this process paints in a step."""
        count, side = self._shape(step)
        return [Crop(step * self.recipe.batch + place, side) for place in range(count)][self.ranks.share(count)]

    @torch.no_grad()
    def _budgets(self) -> Tensor | None:
        """Return the content term that each style may cost: a share of what the painting itself would; [S]."""
        if not self.recipe.content_budget:
            return None
        perception, side = self.objective.perception, self.recipe.crop
        photos = torch.stack([self.photos[k] for k in range(_BUDGET_PHOTOS)]).to(self.device)
        before = perception(photos, CONTENT_LAYERS)
        costs = []
        for painting in self.paintings:
            other = torch.from_numpy(images.to_planes(images.resize(painting.pixels, side, side))).to(self.device)
            costs.append(content_loss(perception(other, CONTENT_LAYERS), before).mean())
        return self.recipe.content_budget * torch.stack(costs)

    def _remember(self) -> None:
        """Keep the state to go back to."""
        network, codes = self.objective.network.state_dict(), self.objective.codes.detach()
        self._good = copy.deepcopy((network, codes, self.optimizer.state_dict(), self.balance.weights))

    def _roll_back(self, wrong: str) -> None:
        self.guard.roll_back(wrong)
        network, codes, optimizer, self.balance.weights = copy.deepcopy(self._good)
        self.start_from(network, codes)
        self.optimizer.load_state_dict(optimizer)

    def _record(self) -> dict[str, Any]:
        return {
            "step": self.step,
            "seconds": round(self.seconds, 1),
            "device": self.device.type,
            "recipe": self.recipe.to_dict(),
            "from": self.origin,
            "earlier": self.earlier,
            "guard": self.guard.to_dict(),
            "style_weights": self._by_style(self.balance.weights),
            "photos": len(self.photos.photos),
            "unreadable": self.photos.unreadable,
            "perception": {"network": self.objective.perception.name, "layers": list(self.objective.perception.layers)},
            "paintings": {p.style: {"file": p.file, "sha256": p.sha256} for p in self.paintings},
        }

    def _by_style(self, values: Tensor) -> dict[str, float]:
        return {painting.style: value for painting, value in zip(self.paintings, values.tolist(), strict=True)}

    def _restore_optimizer(self, flat: dict[str, Tensor]) -> None:
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in flat.items():
            index, kind = name.split(".", 1)
            state.setdefault(int(index), {})[kind] = _laid_out_like(self.parameters[int(index)], value)
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": state, "param_groups": groups})


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

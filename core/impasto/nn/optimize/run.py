"""One picture optimised, from the photo to the result: `optimize` is where to start reading."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto import images
from impasto.errors import InvalidInput, OptimizationFailed
from impasto.images import MIN_SIDE, Pixels, Size
from impasto.nn.interruptions import interruptible
from impasto.nn.optimize import memory
from impasto.nn.optimize.adam import RATE, Adam
from impasto.nn.optimize.checks import check
from impasto.nn.optimize.colors import PALETTES, Palette, prepared
from impasto.nn.optimize.detail import enlarged
from impasto.nn.optimize.lbfgs import LBFGS, NoDescent
from impasto.nn.optimize.objective import Evaluation, Objective
from impasto.nn.optimize.results import Optimized, Progress
from impasto.nn.optimize.saved import Saved
from impasto.nn.optimize.scales import Scale, scales
from impasto.nn.perception import Perception
from impasto.nn.precision import pays
from impasto.optimization import Optimization

_SMALLER = 0.7  # of the long side, after running out of memory
_SHORTEST_PAINTING = 32  # px
_STILL = 1e-6  # of the objective: less in _PATIENCE steps is no progress
_PATIENCE = 10  # steps
_ROUGH_TRIALS = 2  # of one line search: more tell that bfloat16 has come to its end

Descent = LBFGS | Adam


def optimize(
    photo: Pixels,
    paintings: Sequence[tuple[Pixels, float]],
    optimization: Optimization,
    *,
    perception: Perception,
    working_size: int | None = None,
    memory: int | None = None,
    fast: Callable[[Pixels], Pixels] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    interrupted: Callable[[], bool] | None = None,
    state: bytes | None = None,
) -> Optimized:
    """Paint a photo in the style of paintings (Gatys et al. 2016).

    The same arguments give the same picture on one device, whether it is done at one go or from a checkpoint on.

    Args:
        photo: [H, W, 3], each side at least 16 px.
        paintings: [h, w, 3] each, and their weights: 0 or more, not all 0.
        optimization: how.
        perception: from `perception_for` the same optimization; it is only read.
        working_size: px, the long side to paint at; the photo's by default.
        memory: bytes that may be used; without it, as many as there are. What does not fit is painted smaller.
        fast: paints a photo by a trained style, for `start="fast"`.
        on_progress: called after each step; what it raises ends the optimisation.
        interrupted: asked at every layer.
        state: a checkpoint of an optimisation with the same arguments, to go on from; less memory is allowed.

    Raises:
        InvalidInput: a picture or weight that is not allowed, or with which no objective is finite.
        Interrupted: `interrupted` said so.
        OptimizationFailed: not even the smallest picture fits the memory.
        CheckpointError: a state that cannot be read, or of another perception.
    """
    check(photo, paintings, optimization, fast)
    palette = PALETTES[optimization.color]
    run = _Run(photo, paintings, optimization, perception, palette, fast, on_progress or (lambda _: None))
    run.prepare(working_size or max(photo.shape[:2]), memory, Saved.read(state) if state else None)
    # TF32 leaves the picture as it is, to the eye; an algorithm that adds up in any order does not give it twice.
    repeatable = torch.backends.cudnn.flags(benchmark=False, deterministic=True, allow_tf32=True)
    layers = [perception.features[name] for name in perception.path]
    with interruptible(layers, interrupted or (lambda: False)), repeatable:
        while not run.painted():
            run.shrink()
    return run.finish()


class _Run:
    """An optimisation under way."""

    def __init__(
        self,
        photo: Pixels,
        paintings: Sequence[tuple[Pixels, float]],
        asked: Optimization,
        perception: Perception,
        palette: Palette,
        fast: Callable[[Pixels], Pixels] | None,
        on_progress: Callable[[Progress], None],
    ) -> None:
        self.original = photo
        self.photo, looks = prepared(palette, photo, [painting for painting, _ in paintings])
        self.paintings = [(look, weight) for look, (_, weight) in zip(looks, paintings, strict=True)]
        self.asked = asked
        self.perception = perception
        self.device = perception.mean.device
        self.palette = palette
        self.fast = fast
        self.on_progress = on_progress
        self.notes: list[str] = []
        self.plan: tuple[Scale, ...] = ()
        self.scale = 0
        self.done = 0  # steps at this scale
        self.descent: Descent | None = None
        self.totals: list[float] = []  # of the last steps at this scale
        self.rough = pays(self.device)  # whether the perception still looks in bfloat16
        self.pace = 0.0  # s a pixel and step

    def prepare(self, long_side: int, budget: int | None, saved: Saved | None) -> None:
        """Plan the scales, or take up the plan where a checkpoint left it; what does not fit is planned smaller."""
        size = self.photo.shape[1], self.photo.shape[0]
        if saved:
            saved.check(self.perception.name)
            long_side = saved.long_side
            self.notes = list(saved.notes)
            self.plan = scales(size, long_side, self.asked.steps)
            self.scale, self.done = saved.scale, saved.done
            self.totals = list(saved.totals)
            self.rough = saved.rough
            self.descent = saved.descent(self.device)
        fitting = long_side if budget is None else self._fitting(long_side, budget)
        if not saved or fitting < long_side:
            steps, self.totals = self.step, []
            self.plan = scales(size, fitting, self.asked.steps)
            self.scale, self.done = self._place(steps)

    def painted(self) -> bool:
        """Go through the scales; return whether memory was enough for it."""
        try:
            while self.scale < len(self.plan):
                self._paint_scale()
                if self.scale + 1 == len(self.plan):
                    return True
                self.scale, self.done = self.scale + 1, 0
                self.totals = []
                self.rough = pays(self.device)
        except (RuntimeError, MemoryError) as error:
            if not memory.is_shortage(error):
                raise
        return False

    def shrink(self) -> None:
        """Go on with a smaller picture, from what there is."""
        long_side = max(self.plan[-1].size)
        smaller = round(long_side * _SMALLER)
        if smaller < 2 * MIN_SIDE:
            raise OptimizationFailed("there is not even memory for a picture of 32 px; give the worker more")
        steps = self.step
        self.notes.append(
            f"memory ran out at step {steps}, at {_named(self.plan[self.scale].size)} px: painted with a long side of "
            f"{smaller} px instead of {long_side}, then enlarged with the photo's detail"
        )
        self.plan = scales((self.photo.shape[1], self.photo.shape[0]), smaller, self.asked.steps)
        self.scale, self.done = self._place(steps)

    def finish(self) -> Optimized:
        size = self.plan[-1].size
        whole = enlarged(self.picture(), self.photo)
        return Optimized(self.palette.finish(whole, self.original), size, self.step, tuple(self.notes))

    @property
    def step(self) -> int:
        return sum(scale.steps for scale in self.plan[: self.scale]) + self.done

    def picture(self) -> Pixels:
        """Return the picture as it is, [h, w, 3]."""
        assert self.descent
        return images.to_pixels(self.descent.picture.detach().contiguous().cpu().numpy())

    def checkpoint(self) -> bytes:
        """Return what `prepare` takes up."""
        assert self.descent
        return Saved.of(
            self.descent,
            perception=self.perception.name,
            long_side=max(self.plan[-1].size),
            scale=self.scale,
            done=self.done,
            totals=tuple(self.totals),
            rough=self.rough,
            notes=tuple(self.notes),
        ).write()

    def _paint_scale(self) -> None:
        scale = self.plan[self.scale]
        photo = self._tensor(images.resize(self.photo, *scale.size))
        self.descent = self._begun(photo)
        paintings = [(self._tensor(self._sized(painting, scale.size)), weight) for painting, weight in self.paintings]
        objective = Objective(self.perception, photo, paintings, self.asked)
        objective.rough = self.rough
        while self.done < scale.steps and not self._is_still():
            begun = time.perf_counter()
            here = self._stepped(objective)
            self.done += 1
            self.totals = [*self.totals, here.total][-_PATIENCE - 1 :]
            self._keep_pace(time.perf_counter() - begun, scale)
            self.on_progress(self._progress(here, scale))
        self.done = scale.steps

    def _begun(self, photo: Tensor) -> Descent:
        """Return the descent at this scale's size."""
        if self.descent is None:
            start = self._start(photo)
            return Adam(start) if self.asked.optimizer == "adam" else LBFGS(start)
        if self.descent.picture.shape != photo.shape:
            self.descent.resize(self._enlarged(self.descent.picture, photo))
        return self.descent

    def _start(self, photo: Tensor) -> Tensor:
        if self.asked.start == "noise":
            generator = torch.Generator().manual_seed(self.asked.seed)
            noise = torch.rand(photo.shape, generator=generator)
            return noise.to(self.device, memory_format=torch.channels_last)
        if self.asked.start == "fast":
            assert self.fast
            painted = self.fast(images.resize(self.photo, *self.plan[-1].size))
            return self._tensor(images.resize(painted, photo.shape[3], photo.shape[2]))
        return photo.clone()

    def _enlarged(self, picture: Tensor, photo: Tensor) -> Tensor:
        """Return the picture at the next scale, with what its photo has there and had not before."""
        height, width = picture.shape[2:]
        smaller = self._tensor(images.resize(self.photo, width, height))
        resize = partial(F.interpolate, size=list(photo.shape[2:]), mode="bicubic", align_corners=False)
        return (resize(picture) + photo - resize(smaller)).contiguous(memory_format=torch.channels_last)

    def _stepped(self, objective: Objective) -> Evaluation:
        assert self.descent
        try:
            there = self.descent.step(objective)
            if self.rough and self.descent.trials > _ROUGH_TRIALS:
                self._look_closely(objective)
            return there
        except NoDescent:
            if self.rough:
                self._look_closely(objective)
                return self._stepped(objective)
            here = self.descent.here
            if isinstance(self.descent, LBFGS) and self.asked.optimizer == "auto":
                return self._with_adam(objective)
            if here is None or not math.isfinite(here.total):
                heaviest = max(
                    ("content_weight", "style_weight", "tv_weight"), key=lambda name: getattr(self.asked, name)
                )
                raise InvalidInput(
                    f"optimization.{heaviest}",
                    f"{getattr(self.asked, heaviest):g} makes an objective that is not finite; give a smaller one",
                ) from None
            self.totals = [here.total] * _PATIENCE  # nothing better is to be found at this scale
            return here

    def _look_closely(self, objective: Objective) -> None:
        """Go on in full precision; its totals are others, by some thousandths."""
        assert self.descent
        self.rough = objective.rough = False
        self.descent.here = None
        self.totals = []

    def _with_adam(self, objective: Objective) -> Evaluation:
        assert self.descent
        self.notes.append(f"L-BFGS found no way on at step {self.step}: Adam took over, at a rate of {RATE}")
        self.descent = Adam(self.descent.picture)
        return self._stepped(objective)

    def _is_still(self) -> bool:
        if len(self.totals) <= _PATIENCE:
            return False
        return self.totals[0] - min(self.totals) <= _STILL * abs(self.totals[0])

    def _keep_pace(self, seconds: float, scale: Scale) -> None:
        pace = seconds / math.prod(scale.size)
        self.pace = 0.8 * self.pace + 0.2 * pace if self.pace else pace

    def _progress(self, here: Evaluation, scale: Scale) -> Progress:
        ahead = (scale.steps - self.done) * math.prod(scale.size)
        ahead += sum(later.steps * math.prod(later.size) for later in self.plan[self.scale + 1 :])
        return Progress(
            step=self.step,
            total_steps=self.asked.steps,
            size=scale.size,
            content=here.content,
            style=here.style,
            total=here.total,
            seconds_left=ahead * self.pace,
            notes=tuple(self.notes),
            picture=self.picture,
            checkpoint=self.checkpoint,
        )

    def _fitting(self, long_side: int, budget: int) -> int:
        """Return the long side that fits into the budget, with a note if it is not the one asked for."""
        height, width = self.photo.shape[:2]
        whole = images.fit(width, height, long_side)
        fitting = memory.affordable(self.perception, budget, width * height)
        if math.prod(whole) <= fitting:
            return long_side
        smaller = max(2 * MIN_SIDE, int(long_side * math.sqrt(fitting / math.prod(whole))))
        needed = memory.estimate(self.perception, math.prod(whole), width * height) / 2**30
        self.notes.append(
            f"{_named(whole)} px would take {needed:.1f} GiB of memory, and {budget / 2**30:.1f} GiB are allowed: "
            f"painted with a long side of {smaller} px, then enlarged with the photo's detail"
        )
        return smaller

    def _place(self, steps: int) -> tuple[int, int]:
        """Return the scale of the plan, and the steps at it, that so many steps have come to."""
        for number, scale in enumerate(self.plan):
            if steps < scale.steps or number + 1 == len(self.plan):
                return number, min(steps, scale.steps - 1)
            steps -= scale.steps
        raise AssertionError("a plan has scales")

    def _sized(self, painting: Pixels, size: Size) -> Pixels:
        """Return the painting with the picture's area, times the style scale squared; never enlarged without need."""
        height, width = painting.shape[:2]
        factor = min(1.0, self.asked.style_scale * math.sqrt(math.prod(size) / (width * height)))
        factor = max(factor, _SHORTEST_PAINTING / min(width, height))
        return images.resize(painting, round(width * factor), round(height * factor))

    def _tensor(self, pixels: Pixels) -> Tensor:
        planes = torch.from_numpy(images.to_planes(pixels))
        return planes.to(self.device, memory_format=torch.channels_last)


def _named(size: Size) -> str:
    return f"{size[0]}x{size[1]}"

"""Everything that is measured of one style."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import mean, median

import numpy as np
import torch

from impasto import images
from impasto.bundle import Bundle
from impasto.codes import at_strength
from impasto.engine import Engine
from impasto.nn.losses import grid
from impasto_trainer.evaluation import probes
from impasto_trainer.evaluation.judge import Eye, Judge
from impasto_trainer.evaluation.neq import NOISE_CAP, PHOTO_CAP, Descent, Objective, Reached, Weights, noise_like
from impasto_trainer.evaluation.sample import Sample, Subject, spread
from impasto_trainer.paintings import Painting

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
PROBED = 4  # photos whose strengths, borders and stability are looked at
_MARGIN = 8  # px around a photo that is to be shifted


@dataclass(frozen=True)
class Fractions:
    """Style and content fraction, medians over so many photos."""

    style: float
    content: float
    photos: int


@dataclass(frozen=True)
class Equivalence:
    """N_eq, a median over so many photos.

    Attributes:
        iterations: of L-BFGS; infinite where most photos did not get there within `cap`.
        evaluations: of the objective and its gradient, a mean.
        cap: iterations after which a descent is given up.
        photos: how many.
    """

    iterations: float
    evaluations: float
    cap: int
    photos: int

    @classmethod
    def of(cls, reached: list[Reached], cap: int) -> Equivalence:
        iterations = median(float("inf") if one.iterations is None else one.iterations for one in reached)
        return cls(float(iterations), mean(one.evaluations for one in reached), cap, len(reached))


@dataclass(frozen=True)
class Behaviour:
    """How a style behaves at full strength; medians over the photos, pictures at the base size.

    Attributes:
        monotone: share of the photos whose style fraction falls and whose content fraction rises with the strength.
        grey, white, sky: standard deviation of the luminance of such a picture, painted; of the range 0..255.
        dark: mean luminance of photos at a tenth of their brightness, painted, less what it was; of 0..255.
        letters: content fraction of a page of print.
        border: variance in the outer frame over that of the rest, over the same of the photo.
        nyquist: share of the power at the highest frequency, painted.
        nyquist_photo: the same of the photo.
        grid: energy of a pattern that repeats with the network's own grid (`impasto.nn.losses.grid`).
        shift: RMS difference of the painted shifted photo and the shifted painted photo, 8-bit levels.
        noise: RMS difference that noise of 0.01 in the photo makes to the painted one, 8-bit levels.
    """

    monotone: float
    grey: float
    white: float
    sky: float
    dark: float
    letters: float
    border: float
    nyquist: float
    nyquist_photo: float
    grid: float
    shift: float
    noise: float


@dataclass(frozen=True)
class Figures:
    """What was measured of one style.

    Attributes:
        style: its id.
        weights: of the objective that N_eq goes by.
        fractions: px -> at full strength; None where no photo is as large.
        strengths: strength -> at the base size.
        from_noise, from_photo: px -> N_eq.
        behaviour: the rest.
        seconds: part -> how long it took.
    """

    style: str
    weights: Weights
    fractions: Mapping[int, Fractions | None]
    strengths: Mapping[float, Fractions]
    from_noise: Mapping[int, Equivalence]
    from_photo: Mapping[int, Equivalence]
    behaviour: Behaviour
    seconds: Mapping[str, float]


@dataclass
class Brush:
    """Paints as the server would: with the bundle's engine."""

    bundle: Bundle
    engine: Engine

    def planes(self, photo: images.Pixels, style: str, strength: float = 1.0) -> images.Planes:
        """Return the photo [H, W, 3], painted, as [1, 3, H, W] in 0..1."""
        code = at_strength(self.bundle.code(style), self.bundle.identity, strength)
        return self.engine.run(images.to_planes(photo), code[None])

    def paint(self, photo: images.Pixels, style: str, strength: float = 1.0) -> images.Pixels:
        """Return the photo, painted: [H, W, 3]."""
        return images.to_pixels(self.planes(photo, style, strength))


@dataclass
class Measurement:
    """Measures the styles of one bundle on one sample.

    Attributes:
        brush: what paints.
        eye: what looks at it.
        sample: the photos.
        neq: px -> how many photos N_eq is measured on.
        tell: told what is being done.
    """

    brush: Brush
    eye: Eye
    sample: Sample
    neq: Mapping[int, int]
    tell: Callable[[str], None]
    _seconds: dict[str, float] = field(default_factory=dict, init=False)

    def measure(self, style: str, painting: Painting) -> Figures:
        """Return everything about one style."""
        training = self.brush.bundle.manifest["training"]
        weights = Weights.of(training, style)
        judge = Judge(self.eye, painting.pixels, int(training["recipe"]["painting_size"]))
        self._seconds = {}
        with self._part(style, "fractions"):
            fractions = {size: self._fractions(style, judge, size) for size in self.sample.subjects}
        with self._part(style, "behaviour"):
            strengths, monotone = self._strengths(style, judge)
            behaviour = self._behaviour(style, judge, monotone)
        with self._part(style, "N_eq"):
            counted = {size: self._neq(style, judge, weights, size) for size in self.neq if self._worth(size)}
        return Figures(
            style=style,
            weights=weights,
            fractions=fractions,
            strengths=strengths,
            from_noise={size: noise for size, (noise, _) in counted.items()},
            from_photo={size: photo for size, (_, photo) in counted.items()},
            behaviour=behaviour,
            seconds=self._seconds,
        )

    @contextmanager
    def _part(self, style: str, part: str) -> Iterator[None]:
        self.tell(f"{style}: {part}")
        begun = time.perf_counter()
        yield
        self._seconds[part] = time.perf_counter() - begun

    def _worth(self, size: int) -> bool:
        return self.neq[size] > 0 and bool(self.sample.subjects.get(size))

    def _judged(self, style: str, judge: Judge, subject: Subject, strength: float = 1.0) -> tuple[float, float]:
        painted = self.brush.paint(subject.pixels, style, strength)
        return judge.fractions(subject.sight, self.eye.see(painted))

    def _fractions(self, style: str, judge: Judge, size: int) -> Fractions | None:
        pairs = [self._judged(style, judge, subject) for subject in self.sample.subjects[size]]
        return _medians(pairs) if pairs else None

    def _strengths(self, style: str, judge: Judge) -> tuple[dict[float, Fractions], float]:
        """Return the fractions at each strength, and the share of the photos for which they are monotone."""
        curves = [
            [self._judged(style, judge, subject, strength) for strength in STRENGTHS] for subject in self._probed()
        ]
        found = {
            strength: _medians(list(pairs))
            for strength, pairs in zip(STRENGTHS, zip(*curves, strict=True), strict=True)
        }
        return found, mean(_monotone(curve) for curve in curves)

    def _behaviour(self, style: str, judge: Judge, monotone: float) -> Behaviour:
        probed = self._probed()
        photos = [subject.pixels for subject in probed]
        painted = [self.brush.planes(photo, style) for photo in photos]
        pictures = [images.to_pixels(planes) for planes in painted]
        page = probes.letters(self.sample.base)
        page_painted = self.eye.see(self.brush.paint(page, style))
        period = self.brush.bundle.size_multiple
        return Behaviour(
            monotone=monotone,
            grey=self._spread_of(style, probes.flat(self.sample.base, probes.GREY)),
            white=self._spread_of(style, probes.flat(self.sample.base, probes.WHITE)),
            sky=self._spread_of(style, probes.sky(self.sample.base)),
            dark=median(self._brightening(style, probes.dark(photo)) for photo in photos),
            letters=judge.fractions(self.eye.see(page), page_painted)[1],
            border=median(probes.border_excess(*pair) for pair in zip(pictures, photos, strict=True)),
            nyquist=median(probes.nyquist_share(picture) for picture in pictures),
            nyquist_photo=median(probes.nyquist_share(photo) for photo in photos),
            grid=median(float(grid(torch.from_numpy(planes), period)) for planes in painted),
            shift=median(self._shifting(style, photo) for photo in photos),
            noise=median(
                probes.difference(picture, self.brush.paint(probes.noisy(photo), style))
                for picture, photo in zip(pictures, photos, strict=True)
            ),
        )

    def _probed(self) -> list[Subject]:
        return spread(self.sample.subjects[self.sample.base], PROBED)

    def _spread_of(self, style: str, picture: images.Pixels) -> float:
        return float(probes.luminance(self.brush.paint(picture, style)).std())

    def _brightening(self, style: str, photo: images.Pixels) -> float:
        painted = self.brush.paint(photo, style)
        return float(probes.luminance(painted).mean() - probes.luminance(photo).mean())

    def _shifting(self, style: str, photo: images.Pixels) -> float:
        """Paint two windows on one photo, the second a little further down and right, and compare where both are."""
        height, width = photo.shape[:2]
        down, right = probes.SHIFT
        larger = images.resize(photo, width + _MARGIN, height + _MARGIN)
        there = self.brush.paint(np.ascontiguousarray(larger[:height, :width]), style)
        shifted = self.brush.paint(np.ascontiguousarray(larger[down : down + height, right : right + width]), style)
        return probes.difference(there[down:, right:], shifted[:-down, :-right])

    def _neq(self, style: str, judge: Judge, weights: Weights, size: int) -> tuple[Equivalence, Equivalence]:
        """Return N_eq from noise and from the photo."""
        from_noise, from_photo = [], []
        for subject in spread(self.sample.subjects[size], self.neq[size]):
            self.tell(f"{style}: N_eq at {size} px, {subject.name}")
            objective = Objective(self.eye.perception, subject.sight.content, judge.grams, weights)
            photo = self.eye.tensor(subject.pixels)
            value = objective.value(self.eye.tensor(self.brush.paint(subject.pixels, style)))
            from_noise.append(Descent(objective, noise_like(photo)).reach(value, NOISE_CAP))
            from_photo.append(Descent(objective, photo).reach(value, PHOTO_CAP))
        return Equivalence.of(from_noise, NOISE_CAP), Equivalence.of(from_photo, PHOTO_CAP)


def _medians(pairs: list[tuple[float, float]]) -> Fractions:
    style, content = (median(values) for values in zip(*pairs, strict=True))
    return Fractions(style, content, len(pairs))


def _monotone(curve: list[tuple[float, float]]) -> bool:
    """Return whether style falls and content rises from pair to pair."""
    styles, contents = zip(*curve, strict=True)
    return list(styles) == sorted(styles, reverse=True) and list(contents) == sorted(contents)

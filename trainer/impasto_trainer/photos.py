"""Training photos: found, cropped, varied, and made in processes of their own so that no step waits for them."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import torch
from PIL import Image, ImageEnhance
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from impasto import images
from impasto.decoders import in_words
from impasto.errors import InvalidInput
from impasto_trainer.recipe import Recipe

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".avif", ".heic", ".heif"}
_JITTER = 0.25  # brightness, contrast and saturation vary by this share
_MAX_MISSES = 64  # unreadable photos in a row before the folder is given up


def find_photos(folder: Path) -> list[Path]:
    """Return the pictures under `folder`, sorted by path.

    Raises:
        InvalidInput: no such folder, or none in it.
    """
    if not folder.is_dir():
        raise InvalidInput("photos", f"{folder} is no folder; give one that holds {in_words()} pictures")
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not found:
        raise InvalidInput("photos", f"{folder} holds no picture ending in {', '.join(sorted(SUFFIXES))}")
    return found


class Crop(NamedTuple):
    """A crop's number, and its side in px."""

    number: int
    side: int


class PhotoCrops(Dataset[Tensor]):
    """Crop k of an endless sequence that the seed fixes: [3, crop, crop], RGB in 0..1.

    It has a side of `crop` px unless another is asked for, and is cut from a photo scaled to a shorter side of one to
    `zoom` times that, where the photo has the pixels. Crop k depends on k, its side and the seed alone, so any process
    can make it and a resumed training goes on where it stopped.

    Attributes:
        unreadable: how many times a photo could not be decoded and the next one took its place.
    """

    def __init__(
        self, photos: list[Path], crop: int, *, zoom: float = 1.6, flat_share: float = 0.0, seed: int = 0
    ) -> None:
        self.photos = photos
        self.crop = crop
        self.zoom = zoom
        self.flat_share = flat_share
        self.seed = seed
        self._unreadable = multiprocessing.get_context("spawn").Value(ctypes.c_long, 0)

    @classmethod
    def of(cls, photos: list[Path], recipe: Recipe) -> Self:
        """Return the crops that a recipe asks for."""
        return cls(photos, recipe.crop, zoom=recipe.zoom, flat_share=recipe.flat_share, seed=recipe.seed)

    @property
    def unreadable(self) -> int:
        return int(self._unreadable.value)

    def __getitem__(self, asked: int | Crop) -> Tensor:
        k, side = asked if isinstance(asked, Crop) else Crop(asked, self.crop)
        rng = np.random.default_rng((self.seed, k))
        if rng.random() < self.flat_share:
            return _to_tensor(flat_picture(side, rng))
        return _to_tensor(_vary(self._photo(k), side, self.zoom, rng))

    def _photo(self, k: int) -> Image.Image:
        for miss in range(_MAX_MISSES):
            path = self.photos[self.place(k + miss)]
            try:
                return Image.fromarray(images.decode(path.read_bytes(), field=path.name))
            except (InvalidInput, OSError) as error:
                with self._unreadable.get_lock():
                    self._unreadable.value += 1
                warnings.warn(f"skipped: {error}", stacklevel=2)
        raise InvalidInput("photos", f"{_MAX_MISSES} photos in a row could not be read, last {path}")

    def place(self, k: int) -> int:
        """Return which photo crop k is cut from: every photo once an epoch, in an order of its own each time."""
        epoch, place = divmod(k, len(self.photos))
        return int(np.random.default_rng((self.seed, epoch, 1)).permutation(len(self.photos))[place])


def flat_picture(side: int, rng: np.random.Generator) -> Image.Image:
    """Return a picture with little in it: one colour or a gradient of two, often dark, with a trace of noise.

    Instance norm amplifies whatever is left when a picture holds nothing; only training on such pictures calms it.
    """
    corners = rng.uniform(0, rng.choice([0.15, 1.0]), size=(2, 3))
    if rng.random() < 0.5:
        corners[1] = corners[0]
    ramp = np.linspace(0, 1, side)[:, None, None] * np.ones((1, side, 1))
    pixels = corners[0] * (1 - ramp) + corners[1] * ramp
    pixels = np.rot90(pixels, int(rng.integers(4)))
    noise = rng.normal(0, rng.uniform(0, 2 / 255), size=pixels.shape)
    return Image.fromarray(np.rint(np.clip(pixels + noise, 0, 1) * 255).astype(np.uint8))


def loader(dataset: PhotoCrops, batches: Iterable[Sequence[int] | Sequence[Crop]], *, workers: int) -> Iterator[Tensor]:
    """Yield the batches of crops, each [N, 3, side, side], made ahead of time by `workers` processes.

    Args:
        dataset: the crops.
        batches: which of them, asked for one by one; those of one batch have one side.
        workers: how many processes make them; 0: this one does.

    Raises:
        InvalidInput: too many photos in a row cannot be read.
    """
    made = DataLoader(
        dataset,
        batch_sampler=(list(batch) for batch in batches),
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        multiprocessing_context="spawn" if workers else None,
        worker_init_fn=_leave_signals_to_the_parent,
        pin_memory=torch.cuda.is_available(),
    )
    # What a process ignores, those that it starts ignore from their first instruction on.
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        return _without_traceback(iter(made))
    finally:
        signal.signal(signal.SIGINT, handler)


def _without_traceback(batches: Iterator[Tensor]) -> Iterator[Tensor]:
    """Raise a loader process's InvalidInput as itself: torch makes it a RuntimeError whose text is a traceback."""
    try:
        yield from batches
    except RuntimeError as error:
        _, found, reason = str(error).rpartition(f"{InvalidInput.__name__}: photos: ")
        if not found:
            raise
        raise InvalidInput("photos", reason.strip()) from None


def _leave_signals_to_the_parent(_: int) -> None:
    """Leave the parent's process group: Ctrl-C and `timeout` signal all of it, and the parent wants its last batch."""
    os.setpgrp()


def _to_tensor(image: Image.Image) -> Tensor:
    return torch.from_numpy(images.to_planes(np.asarray(image))[0])


def _vary(photo: Image.Image, wanted: int, zoom: float, rng: np.random.Generator) -> Image.Image:
    shorter = min(photo.size)
    longest = max(wanted, min(shorter, round(zoom * wanted)))
    side = min(shorter, wanted * shorter / float(rng.integers(wanted, longest + 1)))
    left, top = (float(rng.uniform(0, extent - side)) for extent in photo.size)
    box = (left, top, left + side, top + side)
    crop = photo.resize((wanted, wanted), Image.Resampling.LANCZOS, box=box)
    if rng.random() < 0.5:
        crop = crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        crop = enhance(crop).enhance(float(rng.uniform(1 - _JITTER, 1 + _JITTER)))
    return crop

"""Make the perceptions that ship from VGG-19."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor
from tqdm import tqdm

from impasto.backbones import BACKBONES, COMPACT, VGG19
from impasto.nn.checkpoint import write_atomically
from impasto.nn.eight_bits import pack
from impasto.nn.perception import SHIPPED, WEIGHTS_VARIABLE, load_perception
from impasto.nn.precision import mixed_precision
from impasto_trainer.commands.options import add_device_option, at_least, device
from impasto_trainer.distillation import EXITS, TWINS, Student, learn, prune, spoil
from impasto_trainer.factorization import factorize
from impasto_trainer.photos import PhotoCrops, find_photos, loader

NAME = "distill"
HELP = "make a perception that ships from VGG-19"

_CROP = 128  # px
_BATCH = 8
_BEGIN_ON = 14  # batches
_SAY_EVERY = 100  # steps
_UNSEEN = 3  # batches of validation photos
_PAINTINGS_COUNT = 10  # times as much as a photo: there are few


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("--photos", type=Path, required=True, metavar="DIR", help="photos to learn on")
    parser.add_argument("--paintings", type=Path, required=True, metavar="DIR", help="paintings to learn on")
    parser.add_argument("--validation", type=Path, required=True, metavar="DIR", help="photos to measure on")
    parser.add_argument("--perception", choices=list(SHIPPED), default=COMPACT.name, help="which [%(default)s]")
    parser.add_argument("--out", type=Path, metavar="FILE", help="[the package's own]")
    parser.add_argument("--steps", type=at_least(1), default=2400, help="[%(default)s]")
    parser.add_argument("--lessons", type=at_least(1), default=170, help=f"batches of {_BATCH} crops [%(default)s]")
    parser.add_argument("--vgg-weights", type=Path, metavar="FILE", help=f"VGG-19 [${WEIGHTS_VARIABLE}, torchvision's]")
    parser.add_argument("--workers", type=at_least(0), default=1, metavar="N", help="loaders [%(default)s]")
    add_device_option(parser)


def run(options: argparse.Namespace) -> None:
    """Take over from VGG-19, learn, measure and save."""
    pictures = find_photos(options.photos) + find_photos(options.paintings) * _PAINTINGS_COUNT
    unseen = find_photos(options.validation)
    where = device(options.device)
    teacher = load_perception(set(TWINS.values()), options.vgg_weights, name=VGG19.name)
    student = Student(teacher, BACKBONES[options.perception]).to(where)
    student.to(memory_format=torch.channels_last)

    crops = PhotoCrops(pictures, _CROP, flat_share=0.03)
    batches = (batch.to(where) for batch in _batches(crops, _BEGIN_ON + options.lessons, options.workers))
    begin = factorize if student.network.backbone.ranks else prune
    begin(student, [spoil(next(batches), seed) for seed in range(_BEGIN_ON)])
    with mixed_precision(where):
        total = tqdm(batches, total=options.lessons, desc="VGG-19 looks", unit="batch")
        lessons = [student.lesson(spoil(batch, _BEGIN_ON + seed)) for seed, batch in enumerate(total)]
        exam = [student.lesson(batch.to(where)) for batch in _batches(PhotoCrops(unseen, _CROP), _UNSEEN, 0)]

    with tqdm(total=options.steps, unit="step") as bar:

        def on_step(step: int, features: Tensor, grams: Tensor) -> None:
            bar.update()
            if step % _SAY_EVERY == 0:
                tqdm.write(f"{step}: features {_listed(features)}, Gram matrices {_listed(grams)}")

        learn(student, lessons, options.steps, on_step)
    with torch.no_grad(), mixed_precision(where):
        features, grams = (torch.stack(errors).mean(0) for errors in zip(*map(student.errors, exam), strict=True))
    print(f"relative squared errors on unseen photos, by layer ({', '.join(EXITS)}):")
    print(f"features {_listed(features)}, Gram matrices {_listed(grams)}")
    weights = {name: value.contiguous() for name, value in pack(student.finished().cpu().state_dict()).items()}
    record = {
        "features": features.tolist(),
        "grams": grams.tolist(),
        "steps": options.steps,
        "lessons": options.lessons,
    }
    out = options.out or SHIPPED[options.perception]
    write_atomically(out, save(weights, {"impasto": json.dumps(record)}))
    print(f"{out}: {out.stat().st_size / 1e6:.1f} MB")


def _batches(crops: PhotoCrops, count: int, workers: int) -> Iterator[Tensor]:
    return loader(crops, [range(_BATCH * k, _BATCH * (k + 1)) for k in range(count)], workers=workers)


def _listed(errors: Tensor) -> str:
    return " ".join(f"{error:.3f}" for error in errors.tolist())

"""What a style weight does: style and content fraction for each power of ten, on each perception, at several sizes.

    python -m benchmarks.style_weight --photos a.jpg b.jpg --paintings c.jpg d.jpg --vgg-weights vgg19.safetensors

VGG-19 judges. Its weights are also tried with all activations fifty times smaller, as another training has them: the
same picture must come out.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks.gatys import Pair, add_pictures, plain_vgg, read_pairs
from benchmarks.pages import put
from impasto import images
from impasto.machine import machine, table
from impasto.nn.optimize import optimize, perception_for
from impasto.nn.perception import Perception
from impasto.optimization import Optimization
from impasto.sheets import contact_sheet, small_jpeg
from impasto_trainer.evaluation.judge import Eye, Judge

DECADES = tuple(10.0**power for power in range(3, 9))
SCALE = 0.02  # of the activations, in the rescaled copy
_SHEET_BYTES = 160_000


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    eye = Eye(plain_vgg(Optimization(), options.vgg_weights), torch.device("cpu"))
    rows, sheet = [], []
    for size in options.sizes:
        pairs = read_pairs(options.photos, options.paintings, size)
        for name in ("vgg19", "vgg19, activations / 50", "lowrank", "compact"):
            found = [_painted(pair, name, options) for pair in pairs]
            rows.append([f"{name}, {size} px", *_fractions(pairs, found, eye)])
            print(rows[-1], file=sys.stderr, flush=True)
            if size == options.sizes[0] and "/" not in name:
                sheet += [[pair.photo, *pictures] for pair, pictures in zip(pairs, found, strict=True)]
    header = ["perception and size", *(f"{weight:.0e}".replace("e+0", "e") for weight in DECADES)]
    text = f"## What a style weight does\n\n{_about(len(options.photos), options.steps)}\n\n{table(header, rows)}"
    print(text)
    if options.page:
        picture = options.page.parent / "pictures" / "style-weight.jpg"
        labels = ["photo", *header[1:]]
        picture.write_bytes(small_jpeg(contact_sheet(sheet, labels, cell=200), _SHEET_BYTES))
        text += (
            f"\n\n![Photos at each style weight, by VGG-19 and by the perceptions that ship](pictures/{picture.name})"
        )
        put(options.page, "style-weight", options.command, text)
    return 0


def rescaled(perception: Perception, scale: float) -> Perception:
    """Make all activations of a plain perception so many times what they are."""
    with torch.no_grad():
        for name in perception.path:
            convolution = perception.features[name]
            assert isinstance(convolution, torch.nn.Conv2d)
            assert convolution.bias is not None
            if name == "relu1_1":
                convolution.weight.mul_(scale)
            convolution.bias.mul_(scale)
    return perception


def _painted(pair: Pair, name: str, options: argparse.Namespace) -> list[images.Pixels]:
    backbone, _, smaller = name.partition(",")
    pictures = []
    for weight in DECADES:
        asked = Optimization(steps=options.steps, style_weight=weight, perception=backbone)
        eye = perception_for(asked, options.vgg_weights if backbone == "vgg19" else None)
        if smaller:
            eye = rescaled(plain_vgg(asked, options.vgg_weights), SCALE)
        pictures.append(optimize(pair.photo, [(pair.painting, 1.0)], asked, perception=eye).pixels)
    return pictures


def _fractions(pairs: Sequence[Pair], found: Sequence[Sequence[images.Pixels]], eye: Eye) -> list[str]:
    cells = []
    for place in range(len(DECADES)):
        fractions = []
        for pair, pictures in zip(pairs, found, strict=True):
            judge = Judge(eye, pair.painting, min(pair.painting.shape[:2]))
            fractions.append(judge.fractions(eye.see(pair.photo), eye.see(pictures[place])))
        style, content = (statistics.median(values) for values in zip(*fractions, strict=True))
        cells.append(f"{style:.2f} / {content:.2f}")
    return cells


def _about(count: int, steps: int) -> str:
    pairs = f"{count} pair{'s' * (count > 1)}"
    return (
        f"Style / content fraction, medians over {pairs} after {steps} steps, judged by VGG-19; content weighs 1. "
        f"{machine()}."
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_pictures(parser)
    parser.add_argument("--sizes", type=int, nargs="+", default=(256, 512), metavar="PX", help="long sides [256 512]")
    parser.add_argument("--steps", type=int, default=60, help="[%(default)s]")
    parser.add_argument("--page", type=Path, metavar="FILE", help="a page to write the table into")
    parser.set_defaults(command="python -m benchmarks.style_weight --photos ... --paintings ... --vgg-weights FILE")
    return parser


if __name__ == "__main__":
    sys.exit(main())

"""The optimiser against the textbook's way: seconds to the same objective, judged by VGG-19; and its peak memory.

    python -m benchmarks.optimize --photos a.jpg b.jpg --paintings c.jpg d.jpg --vgg-weights vgg19.safetensors

For each size and pair, in one run: the textbook (`benchmarks.gatys`), and `impasto.nn.optimize` by VGG-19 and by the
two perceptions that ship. The median of the textbook's objective over its last 50 of 300 evaluations is 1.00; a row
tells when a way was within so many times of it. Judging is not counted in the time.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from benchmarks.gatys import EVALUATIONS, Judge, Moment, Pair, add_pictures, plain_vgg, read_pairs, tensor, textbook
from benchmarks.pages import put
from impasto import images
from impasto.backbones import BACKBONES
from impasto.machine import machine, table
from impasto.nn.optimize import Progress, memory, optimize, perception_for
from impasto.nn.precision import pays
from impasto.optimization import Optimization

WITHIN = (2.0, 1.5, 1.25, 1.1, 1.05, 1.0, 0.95)  # times what the textbook ends at
_LAST = 50  # evaluations, whose median is what the textbook ends at: single ones leap to twice that and more
_JUDGE_EVERY = 5  # pictures
_TEXTBOOK = "textbook, VGG-19"
_PROBE = "import sys; from benchmarks.optimize import probe; probe(*sys.argv[1:])"
_PROBED = (256, 512, 768, 1024)  # px, a square's side
_LARGE = (4000, 3000)  # px
_ALLOWED = 4 * 2**30  # bytes


@dataclass(frozen=True)
class Way:
    """How one way did on one pair.

    Attributes:
        last: its last objective over what the textbook ends at.
        reached: seconds until it was within each of WITHIN; None where it never was.
    """

    seconds: float
    last: float
    reached: tuple[float | None, ...]


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    for size in options.sizes:
        pairs = read_pairs(options.photos, options.paintings, size)
        _say(options, f"optimize-{size}", f"## An optimised picture of {size} px\n\n{_compared(pairs, options)}")
    if options.memory:
        text = f"## An optimised picture's peak memory\n\n{_machine()}\n\n{_memory(options.vgg_weights)}"
        _say(options, "optimize-memory", text)
    return 0


def probe(name: str, weights: str, width: str, height: str, budget: str) -> None:
    """Optimise a picture for a few steps in a process of its own; print estimate and peak, in MiB, and the size."""
    import re

    import numpy as np

    asked = Optimization(steps=13, perception=name)
    eye = perception_for(asked, Path(weights) if weights else None)
    size = int(width), int(height)
    photo = images.resize(np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8), *size)
    done = optimize(photo, [(photo, 1.0)], asked, perception=eye, memory=int(budget) or None)
    pixels = done.working_size[0] * done.working_size[1]
    # getrusage would count the process that this one was forked from.
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert peak
    print(*done.working_size, round(memory.estimate(eye, pixels, size[0] * size[1]) / 2**20), int(peak[1]) // 1024)


def _say(options: argparse.Namespace, name: str, text: str) -> None:
    print(text, flush=True)
    if options.page:
        put(options.page, name, options.command, text)


def _compared(pairs: Sequence[Pair], options: argparse.Namespace) -> str:
    asked = Optimization(steps=options.steps, tv_weight=0.0)
    names = []
    ways: dict[str, list[Way]] = {_TEXTBOOK: [], **{f"Impasto, {name}": [] for name in BACKBONES}}
    vgg = plain_vgg(asked, options.vgg_weights)
    for pair in pairs:
        judge = Judge(vgg, pair, asked)
        moments = list(textbook(judge, pair.photo))
        goal = statistics.median(
            judge(moment.picture) for moment in moments[EVALUATIONS - _LAST : EVALUATIONS : _JUDGE_EVERY]
        )
        if goal > judge(tensor(pair.photo)):
            names.append(f"{pair.name} (left out: the textbook ended above where it began)")
            continue
        names.append(pair.name)
        ways[_TEXTBOOK].append(_judged(moments[:EVALUATIONS], judge, goal))
        for name in BACKBONES:
            label = f"Impasto, {name}"
            ways[label].append(_judged(_optimized(pair, replace(asked, perception=name), options), judge, goal))
            print(f"{pair.name}, {label}: {ways[label][-1]}", file=sys.stderr, flush=True)
    header = [
        "way",
        "s in all",
        "objective",
        *(f"s to {times:g}x" for times in WITHIN),
        "faster to 1.5x",
        "to 1.1x",
        "to 1x",
    ]
    rows = [_row(label, found, ways[_TEXTBOOK]) for label, found in ways.items()]
    return f"{_about()}\n\nMedians over {', '.join(names)}.\n\n{table(header, rows)}"


def _optimized(pair: Pair, asked: Optimization, options: argparse.Namespace) -> list[Moment]:
    """Return what there is at each step at the full size.

    Loading weights and taking the pictures down is not counted, looking at targets is.
    """
    eye = perception_for(asked, options.vgg_weights if asked.perception == "vgg19" else None)
    moments: list[Moment] = []
    begun = time.perf_counter()

    def on_progress(at: Progress) -> None:
        nonlocal begun
        now = time.perf_counter()
        if at.size == (pair.photo.shape[1], pair.photo.shape[0]):
            moments.append(Moment(now - begun, tensor(at.picture())))
        begun += time.perf_counter() - now

    optimize(pair.photo, [(pair.painting, 1.0)], asked, perception=eye, on_progress=on_progress)
    return moments


def _judged(moments: Sequence[Moment], judge: Judge, goal: float) -> Way:
    chosen = [*moments[::_JUDGE_EVERY], moments[-1]]
    found = [(moment.seconds, judge(moment.picture) / goal) for moment in chosen]
    reached = tuple(next((seconds for seconds, times in found if times <= near + 1e-9), None) for near in WITHIN)
    return Way(moments[-1].seconds, found[-1][1], reached)


def _row(label: str, found: Sequence[Way], textbook: Sequence[Way]) -> list[str]:
    reached = [_median(way.reached[k] for way in found) for k in range(len(WITHIN))]
    whole = statistics.median(way.seconds for way in textbook)
    return [
        label,
        f"{statistics.median(way.seconds for way in found):.1f}",
        f"{statistics.median(way.last for way in found):.2f}",
        *("-" if value is None else f"{value:.1f}" for value in reached),
        *(
            "-" if value is None else f"{whole / value:.1f}"
            for value in (reached[WITHIN.index(1.5)], reached[WITHIN.index(1.1)], reached[WITHIN.index(1.0)])
        ),
    ]


def _median(values: Iterable[float | None]) -> float | None:
    """Return the median, or None if somebody never got there."""
    known = list(values)
    return None if None in known else statistics.median(value for value in known if value is not None)


def _memory(weights: Path | None) -> str:
    rows = []
    for name in BACKBONES:
        rows += [[name, *_probed(name, weights, (side, side), 0)] for side in _PROBED]
        rows.append([f"{name}, {_ALLOWED >> 30} GiB allowed", *_probed(name, weights, _LARGE, _ALLOWED)])
    return table(["perception", "photo", "painted at", "megapixels", "estimate, MiB", "peak, MiB"], rows)


def _probed(name: str, weights: Path | None, size: tuple[int, int], budget: int) -> list[str]:
    given = str(weights) if weights and name == "vgg19" else ""
    command = [sys.executable, "-c", _PROBE, name, given, *map(str, size), str(budget)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    width, height, estimate, peak = map(int, printed)
    return [f"{size[0]}x{size[1]}", f"{width}x{height}", f"{width * height / 1e6:.2f}", str(estimate), str(peak)]


def _about() -> str:
    return (
        f"{_machine()} The textbook: {EVALUATIONS} evaluations of VGG-19 from the photo by torch.optim.LBFGS at one "
        "scale. Both make the same objective small (content 1, the default style weight, no smoothness), and VGG-19 "
        f"judges both; 1 is the median over the last {_LAST} evaluations of the textbook, single ones of which leap. "
        "Faster: all of the textbook's time over the seconds to that value."
    )


def _machine() -> str:
    tiles = "with" if pays(torch.device("cpu")) else "without"
    return f"{machine()}, {tiles} AMX, torch {torch.__version__}, {torch.get_num_threads()} threads."


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_pictures(parser)
    parser.add_argument("--sizes", type=int, nargs="*", default=(256, 512), metavar="PX", help="long sides [256 512]")
    parser.add_argument("--memory", action="store_true", help="tell the peak memory too")
    parser.add_argument("--steps", type=int, default=EVALUATIONS, help="of ours [%(default)s]")
    parser.add_argument("--page", type=Path, metavar="FILE", help="a page to write the tables into")
    parser.set_defaults(command="python -m benchmarks.optimize --photos ... --paintings ... --vgg-weights FILE")
    return parser


if __name__ == "__main__":
    sys.exit(main())

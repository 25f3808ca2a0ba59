"""The textbook's pictures beside ours: every photo in the style of every painting, as a contact sheet to look at.

    python -m benchmarks.optimize_sheet --photos a.jpg b.jpg --paintings c.jpg d.jpg --vgg-weights vgg19.safetensors

A row is a photo; each painting has three columns: the textbook's 300 evaluations of VGG-19 (`benchmarks.gatys`), and
our default by VGG-19 and by the perception of low rank, which ships. What was painted is kept in --folder; a second
call goes on there.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from benchmarks.gatys import EVALUATIONS, Judge, Pair, add_pictures, read_pair, textbook
from benchmarks.pages import put
from impasto import images
from impasto.images import Format, Pixels
from impasto.nn.optimize import optimize, perception_for
from impasto.nn.perception import Perception
from impasto.optimization import Optimization
from impasto.sheets import contact_sheet, small_jpeg

WAYS = ("textbook", "vgg19", "lowrank")
_SHEET_BYTES = 450_000
_CELL = 128  # px


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    vgg = perception_for(Optimization(perception="vgg19"), options.vgg_weights)  # nothing is timed here
    pairs = [[read_pair(photo, painting, options.size) for painting in options.paintings] for photo in options.photos]
    with tqdm(total=len(pairs) * len(pairs[0]) * len(WAYS), unit="picture") as bar:
        rows = []
        for row in pairs:
            cells = [row[0].photo]
            for pair in row:
                for way in WAYS:
                    cells.append(_painted(pair, way, vgg, options))
                    bar.update()
            rows.append(cells)
    labels = ["", *WAYS * len(options.paintings)]
    top = [images.with_long_side(rows[0][0], _CELL), *(pair.painting for pair in pairs[0] for _ in WAYS)]
    sheet = small_jpeg(contact_sheet([top, *rows], labels, cell=_CELL), _SHEET_BYTES)
    (options.folder / "sheet.jpg").write_bytes(sheet)
    if options.page:
        picture = options.page.parent / "pictures" / "optimize.jpg"
        picture.write_bytes(sheet)
        text = (
            "## Optimised pictures, beside the textbook's\n\n"
            f"{options.size} px. Of each three: the textbook's, without smoothness; ours by VGG-19; ours by the "
            "perception of low rank, which ships. The paintings are on top.\n\n"
            f"![Photos in each style, three ways](pictures/{picture.name})"
        )
        put(options.page, "optimize-sheet", options.command, text)
    return 0


def _painted(pair: Pair, way: str, vgg: Perception, options: argparse.Namespace) -> Pixels:
    file = options.folder / f"{pair.name}, {way}, {options.size}.png"
    if not file.exists():
        file.write_bytes(images.encode(_paint(pair, way, vgg, options.vgg_weights), format=Format.PNG))
    return images.decode(file.read_bytes())


def _paint(pair: Pair, way: str, vgg: Perception, weights: Path | None) -> Pixels:
    if way == "textbook":
        moments = list(textbook(Judge(vgg, pair, replace(Optimization(), tv_weight=0.0)), pair.photo))
        return images.to_pixels(moments[EVALUATIONS - 1].picture.numpy())
    asked = Optimization(perception=way)
    eye = perception_for(asked, weights if way == "vgg19" else None)
    return optimize(pair.photo, [(pair.painting, 1.0)], asked, perception=eye).pixels


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_pictures(parser)
    parser.add_argument("--size", type=int, default=192, metavar="PX", help="long side [%(default)s]")
    parser.add_argument("--folder", type=Path, default=Path("optimized"), metavar="DIR", help="[%(default)s]")
    parser.add_argument("--page", type=Path, metavar="FILE", help="a page to show the sheet on")
    parser.set_defaults(command="python -m benchmarks.optimize_sheet --photos ... --paintings ... --vgg-weights FILE")
    return parser


if __name__ == "__main__":
    sys.exit(main())

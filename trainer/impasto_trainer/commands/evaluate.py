"""Measure how well a bundle paints, print the figures, and write them as a page with sheets to look at."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from tqdm import tqdm

from impasto.backbones import CONTENT_LAYERS, STYLE_LAYERS
from impasto.bundle import Bundle, load_bundle
from impasto.engine import open_engine
from impasto.errors import BundleError, InvalidInput
from impasto_trainer.commands.options import add_device_option, add_perception_options, at_least, device, perception
from impasto_trainer.evaluation import report
from impasto_trainer.evaluation.figures import Brush, Figures, Measurement
from impasto_trainer.evaluation.judge import Eye
from impasto_trainer.evaluation.neq import Weights
from impasto_trainer.evaluation.sample import make_sample, read_paintings, read_photos
from impasto_trainer.paintings import Painting
from impasto_trainer.start import or_starter

NAME = "evaluate"
HELP = "measure how well a bundle paints"

SIZES = (256, 512, 1024)  # px, long side
_NEQ_LARGER = 512  # px, where N_eq is asked for at a second size
_LEAST = 64  # px; below it the deepest features of VGG-19 are a few positions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("bundle", metavar="BUNDLE", help="a bundle's directory, or the word starter")
    parser.add_argument("--photos", type=Path, required=True, metavar="DIR", help="photos that no style was trained on")
    parser.add_argument("--paintings", type=Path, required=True, metavar="DIR", help="the files the styles come from")
    parser.add_argument("--styles", nargs="+", metavar="ID", help="[all of the bundle]")
    parser.add_argument("--count", type=at_least(1), default=12, metavar="N", help="photos [%(default)s]")
    parser.add_argument(
        "--sizes",
        type=at_least(_LEAST),
        nargs="+",
        default=SIZES,
        metavar="PX",
        help=f"long sides; a size takes photos that are as large [{' '.join(map(str, SIZES))}]",
    )
    parser.add_argument(
        "--neq-count", type=at_least(0), default=2, metavar="N", help="photos for N_eq, smallest size [%(default)s]"
    )
    parser.add_argument(
        "--neq-512", type=at_least(0), default=0, metavar="N", help="photos for N_eq at 512 px [%(default)s]"
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help=f"{report.PAGE} and {report.PICTURES}/ go here [nowhere]"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="style -> figures for its model card [nowhere]")
    add_perception_options(parser)
    add_device_option(parser)


def run(options: argparse.Namespace) -> None:
    """Check everything, then measure one style after the other."""
    bundle = load_bundle(or_starter(Path(options.bundle)))
    styles = _styles(bundle, options.styles)
    paintings = read_paintings(options.paintings, styles)
    photos = read_photos(options.photos, options.count)
    if options.neq_512 and _NEQ_LARGER not in options.sizes:
        raise InvalidInput("neq-512", f"needs {_NEQ_LARGER} px among the sizes, which are {options.sizes}; add it")
    where = device(options.device)
    eye = Eye(perception(options, {*CONTENT_LAYERS, *STYLE_LAYERS}), where)
    brush = Brush(bundle, open_engine(bundle))
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
    sample = make_sample(photos, set(options.sizes), bundle.size_multiple, eye)

    neq = {sample.base: options.neq_count, **({_NEQ_LARGER: options.neq_512} if options.neq_512 else {})}
    figures = []
    with tqdm(total=len(styles), unit="style", dynamic_ncols=True) as bar:
        measurement = Measurement(brush, eye, sample, neq, tell=bar.set_description)
        for style in styles:
            figures.append(measurement.measure(style, paintings[style]))
            bar.write(f"{report.tables(figures[-1:])}\n{report.behaviour_table(figures[-1:])}", file=sys.stdout)
            bar.update()
    print(f"judged by {eye.perception.name}; {report.seconds(figures)}")
    if options.json:
        summaries = {one.style: report.summary(one) for one in figures}
        options.json.write_text(json.dumps(summaries, indent=2) + "\n", encoding="utf-8")
    if options.out:
        print(_write(options, brush, measurement, paintings, figures))


def _styles(bundle: Bundle, wanted: list[str] | None) -> list[str]:
    """Return the styles to measure, each with all that N_eq needs to know of its training."""
    styles = list(dict.fromkeys(wanted or bundle.styles))
    training = bundle.manifest.get("training", {})
    for style in styles:
        bundle.code(style)
        Weights.of(training, style)
    if "painting_size" not in training["recipe"]:
        raise BundleError(f"{bundle.path}: the record of the training lacks painting_size; export it again")
    return styles


def _write(
    options: argparse.Namespace,
    brush: Brush,
    measurement: Measurement,
    paintings: dict[str, Painting],
    figures: list[Figures],
) -> Path:
    """Write the page and a sheet of each style."""
    bundle = brush.bundle
    places = {one.style: report.sheet_place(one.style) for one in figures}
    sheets = {
        place: report.sheet(brush, measurement.sample, style, paintings[style]) for style, place in places.items()
    }
    command = (
        f"impasto-train evaluate {options.bundle} --photos photos/ --paintings paintings/ "
        f"--count {options.count} --neq-count {options.neq_count} --neq-512 {options.neq_512} --out docs/"
    )
    text = report.page(
        f"{bundle.name}, version {bundle.version}, on {brush.engine.name}",
        figures,
        measurement.eye.perception.name,
        places,
        command,
    )
    return report.write(options.out, text, sheets)

"""Learn new styles for the transformer of a bundle: their codes alone, in minutes, and nothing else of it changes.

What comes out is a bundle beside the old one. A server that serves both opens the transformer once.
"""

from __future__ import annotations

import argparse
import shlex
import statistics
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import torch

from impasto.backbones import CONTENT_LAYERS, STYLE_LAYERS
from impasto.bundle import MANIFEST, Bundle, is_id, load_bundle, slug
from impasto.cards import About, source_told
from impasto.errors import BundleError, CheckpointError, InvalidInput
from impasto.nn.bundled import read_checkpoint
from impasto.nn.checkpoint import CHECKPOINT_FILE, Checkpoint
from impasto_trainer.commands.options import add_device_option, add_perception_options, device, perception
from impasto_trainer.commands.running import add_running_options, pays_to_compile, run_to_the_end, split_photos
from impasto_trainer.extension import write_extension
from impasto_trainer.new_style import JUDGED_AT, Comparison, Nearest, Reach
from impasto_trainer.paintings import Painting, read_paintings
from impasto_trainer.photos import PhotoCrops
from impasto_trainer.recipe import Recipe, fields_of
from impasto_trainer.start import or_starter
from impasto_trainer.training import Training

NAME = "add-style"
HELP = "learn a new style for a bundle's transformer, in minutes"

CODE_PACE = {"steps": 1500, "batch": 4, "crop": 224, "learning_rate": 0.004, "warmup": 50}
FULL_PACE = {"steps": 6000, "batch": 4, "crop": 256, "learning_rate": 0.001, "warmup": 100}
_FROM_THE_BUNDLE = ("content_budget", "style_weight", "content_weight", "painting_size", "seed")
_FACTS = ("title", "artist", "year", "source")
_FIGURE = f"style fraction of its thumbnail at {JUDGED_AT} px"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("painting", type=Path, nargs="+", metavar="PAINTING", help="one style each")
    parser.add_argument("--bundle", type=Path, required=True, metavar="DIR", help="whose transformer; or `starter`")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="the new bundle; one of that transformer is added to"
    )
    parser.add_argument("--photos", type=Path, required=True, metavar="DIR", help="photos to learn on")
    parser.add_argument("--name", help="the new bundle's name [the directory's]")
    parser.add_argument("--keep", action="store_true", help="take the bundle's own styles along")
    parser.add_argument(
        "--replace", action="store_true", help="a style that the bundle has already is learnt anew and takes its place"
    )
    parser.add_argument("--full", action="store_true", help="train the transformer too; --out is then as fit's")
    parser.add_argument("--resume", action="store_true", help="go on with a run that was stopped, with its recipe")
    add_perception_options(parser)
    add_device_option(parser)
    add_running_options(parser)
    facts = parser.add_argument_group("the painting, for the model card")
    for fact in _FACTS:
        facts.add_argument(f"--{fact}", help="of one painting; for several there is --about")
    facts.add_argument("--about", type=Path, metavar="FILE", help="TOML with titles, artists and sources")
    recipe = parser.add_argument_group("recipe")
    for item in fields(Recipe):
        if item.name in {*CODE_PACE, *_FROM_THE_BUNDLE}:
            recipe.add_argument(
                f"--{item.name.replace('_', '-')}",
                type=type(item.default),
                default=argparse.SUPPRESS,
                help=f"{item.metadata['help']} [{_default(item.name)}]",
            )


def run(options: argparse.Namespace) -> None:
    """Check everything, then learn the codes, and write the bundle."""
    if options.replace and options.full:
        raise InvalidInput("replace", "with --full no bundle is written; leave one of the two")
    base = load_bundle(or_starter(options.bundle))
    learnt = read_checkpoint(base)
    paintings = read_paintings(options.painting)
    about = _about(options, paintings)
    _name(options)
    kept = [] if options.full else _kept(options, base, paintings)
    about = _with_what_is_known(about, paintings, kept)
    work = options.out if options.full else options.out.with_name(f"{options.out.name}.training")
    earlier = _earlier(work, learnt, options) if options.resume else None
    training_photos, held_out = split_photos(options, base.size_multiple)
    where = device(options.device)
    seen_by = perception(options, {*CONTENT_LAYERS, *STYLE_LAYERS}).to(where)
    comparison = Comparison(seen_by, held_out, base.size_multiple)
    starts = [comparison.nearest(painting, base) for painting in paintings]
    for painting, start in zip(paintings, starts, strict=True):
        print(f"{painting.style}: starts from {start.style}, the nearest, at a distance of {start.distance:.2f}")
    recipe = _recipe(options, learnt, earlier, starts)
    work.mkdir(parents=True, exist_ok=True)

    crops = PhotoCrops.of(training_photos, recipe)
    training = Training(
        recipe,
        crops,
        paintings,
        seen_by,
        device=where,
        compile=pays_to_compile(options, recipe),
        frozen=not options.full,
        identity=None if options.full else torch.from_numpy(base.identity),
    )
    if earlier:
        training.restore(earlier)
    else:
        rows = [learnt.styles.index(start.style) for start in starts]
        training.start_from(learnt.weights, learnt.codes[rows])
        training.origin = {"bundle": base.name, "version": base.version, "training": learnt.training}
    run_to_the_end(training, work, held_out, options)
    if options.full:
        _tell_how_to_export(work, _name(options), about)
    else:
        _write(training, base, starts, comparison, options, about, kept)


def _write(
    training: Training,
    base: Bundle,
    starts: Sequence[Nearest],
    comparison: Comparison,
    options: argparse.Namespace,
    about: About,
    kept: Sequence[Bundle],
) -> None:
    """See how near the codes come, write their bundle, and say where the frozen transformer does not suffice."""
    rows = training.objective.codes.detach().cpu()
    codes = {painting.style: row.clone().numpy() for painting, row in zip(training.paintings, rows, strict=True)}
    reaches = comparison.reached(codes, training.paintings, base, training.objective.network)
    record = {
        **training.checkpoint().training,
        "frozen": True,
        "starts": {painting.style: asdict(start) for painting, start in zip(training.paintings, starts, strict=True)},
        "figures": {reach.style: {_FIGURE: round(reach.left, 3)} for reach in reaches},
    }
    out, name = options.out, _name(options)
    made = write_extension(out, base, codes, training.paintings, record, about, name=name, kept=kept)
    print(f"{made.path}: {', '.join(made.styles)}, painted by the transformer of {base.name}")
    for reach in reaches:
        print(_told(reach, base))


def _told(reach: Reach, base: Bundle) -> str:
    """Return a line on how near a style came, with what to do where that is not near enough."""
    figures = (
        f"{reach.left:.2f} of the photos' distance to its style is left at {JUDGED_AT} px; {base.name}'s own styles "
        f"leave {reach.worst_left:.2f} at most ({reach.worst})"
    )
    if reach.fails:
        return f"{reach.style}: the frozen transformer does not reach it: {figures}. Train it whole with --full"
    return f"{reach.style}: {figures}"


def _tell_how_to_export(out: Path, name: str, about: About) -> None:
    facts = out / "about.toml"
    facts.write_text(about.to_toml(), encoding="utf-8")
    command = ["impasto-export", str(out / CHECKPOINT_FILE), "--out", str(out / "bundle"), "--name", name]
    print(f"{out / CHECKPOINT_FILE}: trained whole; now {shlex.join([*command, '--about', str(facts)])}")


def _about(options: argparse.Namespace, paintings: Sequence[Painting]) -> About:
    """Return what the options tell of the paintings.

    Raises:
        InvalidInput: facts of one painting where there are several, or of a style that is not learnt.
    """
    about = About.read(options.about) if options.about else About()
    styles = [painting.style for painting in paintings]
    about.check(styles)
    told = {fact: getattr(options, fact) for fact in _FACTS if getattr(options, fact)}
    if told and len(styles) > 1:
        raise InvalidInput(min(told), f"{len(styles)} paintings are given, and this is of one; use --about FILE")
    return replace(about, styles={**about.styles, styles[0]: {**about.styles.get(styles[0], {}), **told}})


def _name(options: argparse.Namespace) -> str:
    name: str = options.name or slug(options.out.name)
    if not is_id(name):
        raise InvalidInput("name", f"{name!r} is no bundle name; give lower case letters, digits and hyphens")
    return name


def _with_what_is_known(about: About, paintings: Sequence[Painting], kept: Sequence[Bundle]) -> About:
    """Return what people tell, and for styles that are learnt anew what the bundles that are kept tell besides."""
    styles = dict(about.styles)
    for bundle in kept:
        for style in {painting.style for painting in paintings} & bundle.styles.keys():
            told = bundle.styles[style]
            facts = {"title": told.title, "artist": told.artist, "year": told.year, "source": source_told(told.card)}
            known = {name: value for name, value in facts.items() if value}
            styles[style] = {**known, **about.styles.get(style, {})}
    return replace(about, styles=styles)


def _kept(options: argparse.Namespace, base: Bundle, paintings: Sequence[Painting]) -> list[Bundle]:
    """Return the bundles whose styles the new one will have too.

    Raises:
        BundleError: at --out is something else than a bundle of this transformer.
        InvalidInput: one of them has a style of this id already, or none has one that is to be replaced.
    """
    kept = [base] if options.keep else []
    if options.out.exists():
        kept.append(_present(options.out, base))
    _check_replaced(options, kept, paintings)
    for bundle in kept:
        for painting in paintings:
            again = options.replace or (options.resume and bundle.path == options.out)
            if painting.style in bundle.styles and not again:
                raise InvalidInput(
                    "painting",
                    f"{bundle.path} has a style {painting.style!r} already; rename {painting.file}, or give --replace",
                )
    return kept


def _check_replaced(options: argparse.Namespace, kept: Sequence[Bundle], paintings: Sequence[Painting]) -> None:
    """Raise InvalidInput if a style should be replaced that is not there."""
    there = {style for bundle in kept for style in bundle.styles}
    for painting in paintings if options.replace else ():
        if painting.style not in there:
            has = f"has {', '.join(sorted(there))}" if there else "keeps none; give --keep"
            raise InvalidInput("replace", f"there is no style {painting.style!r} to be replaced: the new bundle {has}")


def _present(out: Path, base: Bundle) -> Bundle:
    """Return the bundle that is at `out` and will have the new styles besides its own."""
    if not (out / MANIFEST).is_file():
        raise BundleError(f"{out} exists and is no bundle; remove it, or write elsewhere")
    present = load_bundle(out)
    if present.transformer != base.transformer:
        raise BundleError(f"{out} is a bundle of another transformer than {base.name}'s; remove it, or write elsewhere")
    return present


def _earlier(work: Path, learnt: Checkpoint, options: argparse.Namespace) -> Checkpoint:
    """Return the checkpoint to go on from.

    Raises:
        CheckpointError: there is none, or it belongs to another transformer.
    """
    earlier = Checkpoint.load(work / CHECKPOINT_FILE)
    same = earlier.weights.keys() == learnt.weights.keys() and all(
        torch.equal(earlier.weights[key], value) for key, value in learnt.weights.items()
    )
    if not (same or options.full):
        raise CheckpointError(f"{work / CHECKPOINT_FILE} is of another transformer than {options.bundle}; remove it")
    return earlier


def _recipe(
    options: argparse.Namespace, learnt: Checkpoint, earlier: Checkpoint | None, starts: Sequence[Nearest]
) -> Recipe:
    """Return the recipe: what is given, over the resumed run's, or else over this command's pace and the bundle's."""
    known = {item.name for item in fields(Recipe)}
    record: dict[str, Any] = (earlier or learnt).training.get("recipe", {})
    pace = {} if earlier else _pace(options, learnt, starts)
    given = {name: getattr(options, name) for name in known if hasattr(options, name)}
    merged = {**record, **fields_of(learnt.architecture), **pace, **given}
    return Recipe(**{name: value for name, value in merged.items() if name in known})


def _pace(options: argparse.Namespace, learnt: Checkpoint, starts: Sequence[Nearest]) -> dict[str, Any]:
    """Return where this recipe differs from the bundle's: how long it runs, and the style weight it begins with."""
    pace: dict[str, Any] = FULL_PACE if options.full else CODE_PACE
    found = learnt.training.get("style_weights", {})
    weights = [found[start.style] for start in starts if start.style in found]
    return {**pace, "style_weight": statistics.mean(weights)} if weights else pace


def _default(name: str) -> str:
    if name not in CODE_PACE:
        return "the bundle's"
    code, full = CODE_PACE[name], FULL_PACE[name]
    return str(code) if code == full else f"{code}; with --full {full}"

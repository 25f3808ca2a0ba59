"""`impasto-export`: turn a checkpoint into a bundle that a server loads.

With --half it gives a bundle that there is already a graph in half precision, and changes nothing else of it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from impasto.bundle import is_id, slug
from impasto.cards import About
from impasto.errors import ImpastoError, InvalidInput
from impasto.nn.checkpoint import Checkpoint
from impasto_exporter.export import Export, export
from impasto_exporter.half_variant import add_half


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    try:
        if options.half:
            _, parity = add_half(options.half)
            print(f"{options.half}: {parity}")
        else:
            _report(_export(options))
    except ImpastoError as error:
        print(f"impasto-export: {error}", file=sys.stderr)
        return 1
    return 0


def _export(options: argparse.Namespace) -> Export:
    name = options.name or slug(options.out.name)
    if not is_id(name):
        raise InvalidInput("name", f"{name!r} is no bundle name; give lower case letters, digits and hyphens")
    about = About.read(options.about) if options.about else About()
    checkpoint = Checkpoint.load(options.checkpoint)
    if options.figures:
        figures = _figures(options.figures, checkpoint)
        checkpoint = replace(checkpoint, training={**checkpoint.training, "figures": figures})
    return export(checkpoint, options.out, name=name, version=options.bundle_version, about=about)


def _figures(path: Path, checkpoint: Checkpoint) -> dict[str, dict[str, Any]]:
    """Return what was measured of each style.

    Raises:
        InvalidInput: the file is not what `impasto-train evaluate --json` writes, or is of other styles.
    """
    try:
        figures: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
        if not all(isinstance(measured, dict) for measured in figures.values()):
            raise ValueError("a style's figures are no object")
    except (OSError, ValueError, AttributeError) as error:
        raise InvalidInput("figures", f"cannot use {path}, give what evaluate --json wrote: {error}") from error
    if unknown := figures.keys() - checkpoint.styles:
        raise InvalidInput(
            "figures", f"{path} tells of {min(unknown)!r}; the checkpoint's styles are {', '.join(checkpoint.styles)}"
        )
    return figures


def _report(done: Export) -> None:
    print(f"nodes: {', '.join(f'{count} {operator}' for operator, count in done.nodes.items())}")
    for batch, height, width, error in done.parity.cases:
        print(f"parity at {batch} x {height} x {width}: {error:.2e}")
    print(f"largest error: {done.parity.largest:.2e} ({done.parity.engine} against torch)")
    print(done.half)
    size = sum(file.stat().st_size for file in done.bundle.path.rglob("*") if file.is_file())
    print(
        f"{done.bundle.path}: {done.bundle.name} {done.bundle.version}, {len(done.bundle.styles)} styles, "
        f"{size / 1e6:.1f} MB, transformer {done.bundle.transformer[:12]}"
    )


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.half is None and (options.checkpoint is None or options.out is None):
        parser.error("give CHECKPOINT and --out BUNDLE, or --half BUNDLE")
    if options.half is not None and (options.checkpoint is not None or options.out is not None):
        parser.error("--half BUNDLE changes that bundle itself; give neither CHECKPOINT nor --out with it")
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="impasto-export", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", type=Path, nargs="?", metavar="CHECKPOINT", help="what impasto-train wrote")
    parser.add_argument("--out", type=Path, metavar="BUNDLE", help="directory to write, or to replace")
    parser.add_argument("--half", type=Path, metavar="BUNDLE", help="add its graph in half precision to a bundle")
    parser.add_argument("--name", help="the bundle's name [the directory's]")
    parser.add_argument("--bundle-version", default="1", metavar="VERSION", help="[%(default)s]")
    parser.add_argument("--about", type=Path, metavar="FILE", help="TOML with titles, artists and sources")
    parser.add_argument("--figures", type=Path, metavar="FILE", help="of impasto-train evaluate --json, for the cards")
    return parser


if __name__ == "__main__":
    sys.exit(main())

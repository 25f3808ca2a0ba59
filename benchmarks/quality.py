"""How well a bundle's styles paint: style and content fraction on photos they have never seen, and a sheet to look at.

    python -m benchmarks.quality --photos DIR --paintings DIR [--bundle DIR] [--count 20] [--sheet FILE]

The style fraction is the style loss of the painted photo over the photo's own: 0 is the painting's hand, 1 is none of
it. The content fraction is the content loss of the painted photo over that of the painting: 0 is the photo, 1 shares
nothing with it. Both with VGG-19 and the losses of `impasto.nn.losses`, the painting seen at the size that it was
learnt at (its Gram matrices) or at the photo's (its features). Medians over the photos.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.machine import machine, table
from impasto import images
from impasto.bundle import STARTER, Bundle, load_bundle
from impasto.codes import Codes, at_strength
from impasto.engine import Engine, open_engine
from impasto.nn.losses import CONTENT_LAYERS, STYLE_LAYERS, content_loss, gram, style_loss
from impasto.nn.perception import Perception, load_perception
from impasto.sheets import contact_sheet
from impasto_trainer.photos import find_photos

SIZES = (256, 512)  # px, long side
STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
SHEET_PHOTOS = 6
SHEET_STRENGTHS = (0.4, 0.7, 1.0)


class Judge:
    """Weighs painted photos against one painting."""

    def __init__(self, perception: Perception, painting: images.Pixels, learnt_at: int) -> None:
        self.perception = perception
        self.painting = painting
        seen = images.with_short_side(painting, learnt_at)
        self.grams = {layer: gram(value) for layer, value in self._features(seen, STYLE_LAYERS).items()}

    @torch.no_grad()
    def fractions(self, photo: images.Pixels, painted: images.Pixels) -> tuple[float, float]:
        """Return the style and the content fraction of a painted photo, both [H, W, 3]."""
        layers = (*CONTENT_LAYERS, *STYLE_LAYERS)
        before, after = self._features(photo, layers), self._features(painted, layers)
        other = self._features(images.resize(self.painting, photo.shape[1], photo.shape[0]), CONTENT_LAYERS)
        content = {layer: before[layer] for layer in CONTENT_LAYERS}
        style_fraction = style_loss(after, self.grams) / style_loss(before, self.grams)
        content_fraction = content_loss(after, content) / content_loss(other, content)
        return style_fraction.item(), content_fraction.item()

    @torch.no_grad()
    def _features(self, pixels: images.Pixels, layers: Sequence[str]) -> dict[str, Tensor]:
        features: dict[str, Tensor] = self.perception(torch.from_numpy(images.to_planes(pixels)), layers)
        return features


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    bundle = load_bundle(options.bundle)
    engine = open_engine(bundle)
    found = find_photos(options.photos)
    chosen = found[:: max(1, len(found) // options.count)][: options.count]
    photos = [images.decode(path.read_bytes(), field=path.name) for path in chosen]
    perception = load_perception({*CONTENT_LAYERS, *STYLE_LAYERS}, options.vgg_weights)
    print(f"{machine()}; {bundle.name} {bundle.version} on {engine.name}; medians over {len(photos)} photos\n")
    for style in bundle.styles:
        painting = _painting(bundle, style, options.paintings)
        judge = Judge(perception, painting, bundle.manifest["training"]["recipe"]["painting_size"])
        print(
            table(
                ("style", "px", "strength", "style fraction", "content fraction"),
                _rows(bundle, style, engine, judge, photos),
            )
        )
        if options.sheet:
            _write_sheet(options.sheet, bundle, style, engine, painting, photos)


def paint(engine: Engine, photo: images.Pixels, code: Codes) -> images.Pixels:
    return images.to_pixels(engine.run(images.to_planes(photo), code[None]))


def _rows(bundle: Bundle, style: str, engine: Engine, judge: Judge, photos: list[images.Pixels]) -> list[list[str]]:
    rows = []
    for size in SIZES:
        sized = [images.with_long_side(photo, size, multiple=bundle.size_multiple) for photo in photos]
        for strength in STRENGTHS if size == SIZES[0] else STRENGTHS[-1:]:
            code = at_strength(bundle.code(style), bundle.identity, strength)
            fractions = [judge.fractions(photo, paint(engine, photo, code)) for photo in sized]
            style_fraction, content_fraction = (statistics.median(values) for values in zip(*fractions, strict=True))
            rows.append([style, str(size), f"{strength:g}", f"{style_fraction:.2f}", f"{content_fraction:.2f}"])
    return rows


def _painting(bundle: Bundle, style: str, folder: Path) -> images.Pixels:
    name = bundle.manifest["training"]["paintings"][style]["file"]
    return images.decode((folder / name).read_bytes(), field=name)


def _write_sheet(
    path: Path, bundle: Bundle, style: str, engine: Engine, painting: images.Pixels, photos: list[images.Pixels]
) -> None:
    rows = []
    for photo in photos[:: max(1, len(photos) // SHEET_PHOTOS)][:SHEET_PHOTOS]:
        small = images.with_long_side(photo, SIZES[-1], multiple=bundle.size_multiple)
        codes = [at_strength(bundle.code(style), bundle.identity, strength) for strength in SHEET_STRENGTHS]
        rows.append([small, painting, *(paint(engine, small, code) for code in codes)])
    labels = ["photo", style, *(f"strength {strength:g}" for strength in SHEET_STRENGTHS)]
    path.write_bytes(images.encode(contact_sheet(rows, labels, cell=SIZES[-1]), quality=88))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quality", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=Path, required=True, metavar="DIR", help="photos that no style was trained on")
    parser.add_argument("--paintings", type=Path, required=True, metavar="DIR", help="the files the styles come from")
    parser.add_argument("--bundle", type=Path, default=STARTER, metavar="DIR", help="[the starter]")
    parser.add_argument("--count", type=int, default=20, help="how many photos [%(default)s]")
    parser.add_argument("--sheet", type=Path, metavar="FILE", help="a JPEG contact sheet to write")
    parser.add_argument("--vgg-weights", type=Path, metavar="FILE", help="VGG-19, safetensors")
    return parser


if __name__ == "__main__":
    main()

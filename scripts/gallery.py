"""Make the gallery that the README shows: four photos in every style of the bundle that comes with Impasto.

python -m scripts.gallery

The photos come with scikit-image. Under them stand two styles a line, each as its painting and the four photos in it.
"""

from __future__ import annotations

import sys
from itertools import chain
from pathlib import Path

import numpy as np
import skimage

from impasto import images
from impasto.bundle import STARTER, Bundle, load_bundle
from impasto.engine import Engine, open_engine
from impasto.sheets import contact_sheet, small_jpeg

GALLERY = Path(__file__).parents[1] / "docs" / "pictures" / "gallery.jpg"
PHOTOS = ("astronaut.png", "coffee.png", "chelsea.png", "rocket.jpg")
_SIDE = 384  # px, as it is painted
_CELL = 150  # px, as it is shown
_BYTES = 400_000
_STYLES_A_LINE = 2


def main() -> int:
    bundle = load_bundle(STARTER)
    GALLERY.write_bytes(small_jpeg(gallery(bundle, open_engine(bundle), _samples()), _BYTES))
    print(GALLERY)
    return 0


def gallery(bundle: Bundle, engine: Engine, photos: list[images.Pixels]) -> images.Pixels:
    """Return the photos, each [side, side, 3], in every style, as one picture [H, W, 3]."""
    blocks = [
        [_square(images.decode(info.thumbnail), _SIDE), *(_paint(bundle, engine, photo, style) for photo in photos)]
        for style, info in bundle.styles.items()
    ]
    across = min(_STYLES_A_LINE, len(blocks))
    paper = np.full_like(photos[0], 255)
    rows = [[paper, *photos] * across]
    rows += [[*chain(*blocks[start : start + across])] for start in range(0, len(blocks), across)]
    return contact_sheet(rows, [], cell=_CELL)


def _paint(bundle: Bundle, engine: Engine, photo: images.Pixels, style: str) -> images.Pixels:
    return images.to_pixels(engine.run(images.to_planes(photo), bundle.code(style)[None]))


def _samples() -> list[images.Pixels]:
    folder = Path(skimage.__file__).parent / "data"
    return [_square(images.decode((folder / name).read_bytes(), field=name), _SIDE) for name in PHOTOS]


def _square(picture: images.Pixels, side: int) -> images.Pixels:
    """Return the middle of a picture, square: [side, side, 3]."""
    height, width = picture.shape[:2]
    shorter = min(height, width)
    top, left = (height - shorter) // 2, (width - shorter) // 2
    return images.resize(np.ascontiguousarray(picture[top : top + shorter, left : left + shorter]), side, side)


if __name__ == "__main__":
    sys.exit(main())

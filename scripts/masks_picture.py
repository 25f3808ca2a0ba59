"""Make the picture of docs/masks.md: a photo, its mask, and what is painted around the subject and of it.

    python -m scripts.masks_picture

The photo comes with scikit-image; the mask was drawn by hand.
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image, ImageDraw

from impasto import images
from impasto.sheets import contact_sheet, small_jpeg
from impasto_client import Client, Mask
from impasto_server.local import local_server

PICTURE = Path(__file__).parents[1] / "docs" / "pictures" / "masks.jpg"
MAX_BYTES = 80_000
CELL = 300  # px
STYLE = "starry-night"
LABELS = ("the photo", "its mask", "inverted: the subject kept", "the subject painted")
# Around the person in the photo, px.
OUTLINE = [
    *((176, 124), (160, 110), (153, 88), (158, 62), (168, 44), (196, 20), (236, 14), (270, 26), (296, 58), (302, 92)),
    *((288, 120), (266, 138), (258, 168), (290, 194), (304, 230), (318, 246), (342, 262), (354, 300), (362, 338)),
    *((400, 341), (446, 352), (480, 384), (498, 430), (504, 470), (500, 511), (32, 511), (24, 470), (20, 440)),
    *((24, 376), (36, 296), (64, 240), (106, 218), (112, 188), (134, 160), (172, 149), (184, 150), (184, 130)),
]


def main() -> int:
    photo = skimage.data.astronaut()
    mask = _mask()
    with tempfile.TemporaryDirectory() as folder, local_server(Path(folder)) as server, Client(server.target) as client:
        kept, painted = (
            images.decode(client.stylize(_png(photo), STYLE, format="png", mask=each).image)
            for each in (Mask(_png(mask), feather=0.01, inverted=True), Mask(_png(mask), feather=0.01))
        )
    sheet = contact_sheet([[photo, np.dstack([mask] * 3), kept, painted]], LABELS, cell=CELL)
    PICTURE.write_bytes(small_jpeg(sheet, MAX_BYTES))
    print(PICTURE)
    return 0


def _mask() -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    image = Image.new("L", (512, 512))
    ImageDraw.Draw(image).polygon(OUTLINE, fill=255)
    return np.asarray(image)


def _png(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


if __name__ == "__main__":
    sys.exit(main())

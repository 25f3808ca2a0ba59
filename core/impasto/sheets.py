"""Contact sheets: pictures in a labelled grid, to be looked at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from impasto.images import Pixels, encode, with_long_side

_MARGIN = 8  # px, around and between pictures
_LABEL = 22  # px, height of the line above the pictures
_INK = (40, 40, 40)
_QUALITIES = range(85, 15, -5)


def contact_sheet(rows: Sequence[Sequence[Pixels]], labels: Sequence[str], *, cell: int = 256) -> Pixels:
    """Return one picture with `rows` of pictures under a line of labels.

    Args:
        rows: the pictures, each [H, W, 3]; at least one row of at least one picture; rows may differ in length.
        labels: one a column.
        cell: px, the long side that each picture is scaled to.
    """
    columns = max(len(row) for row in rows)
    thumbs = [[_scaled(picture, cell) for picture in row] for row in rows]
    heights = [max(thumb.height for thumb in row) for row in thumbs]
    width = columns * (cell + _MARGIN) + _MARGIN
    sheet = Image.new("RGB", (width, _LABEL + sum(height + _MARGIN for height in heights) + _MARGIN), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    for column, label in enumerate(labels):
        draw.text((_MARGIN + column * (cell + _MARGIN), 4), label, fill=_INK, font=font)
    top = _LABEL + _MARGIN
    for row, height in zip(thumbs, heights, strict=True):
        for column, thumb in enumerate(row):
            left = _MARGIN + column * (cell + _MARGIN)
            sheet.paste(thumb, (left + (cell - thumb.width) // 2, top + (height - thumb.height) // 2))
        top += height + _MARGIN
    return np.asarray(sheet)


def small_jpeg(picture: Pixels, size: int) -> bytes:
    """Return a picture [H, W, 3] as a JPEG of at most `size` bytes, or as small as a bearable quality makes it."""
    data = b""
    for quality in _QUALITIES:
        data = encode(picture, quality=quality)
        if len(data) <= size:
            break
    return data


def _scaled(picture: Pixels, cell: int) -> Image.Image:
    return Image.fromarray(with_long_side(picture, cell))

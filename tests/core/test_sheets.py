"""Contact sheets show every picture, whole, in its place."""

from __future__ import annotations

import numpy as np

from impasto.images import Pixels
from impasto.sheets import contact_sheet


def plain(width: int, height: int, *colour: int) -> Pixels:
    return np.full((height, width, 3), colour, np.uint8)


def count(sheet: Pixels, *colour: int) -> int:
    return int((sheet == colour).all(axis=-1).sum())


def test_every_picture_is_on_the_sheet_scaled_to_its_cell() -> None:
    wide, tall, small = plain(200, 100, 200, 0, 0), plain(100, 200, 0, 200, 0), plain(10, 10, 0, 0, 200)

    sheet = contact_sheet([[wide, tall], [small]], ["photo", "painted"], cell=64)

    assert sheet.dtype == np.uint8
    assert count(sheet, 200, 0, 0) == count(sheet, 0, 200, 0) == 64 * 32
    assert count(sheet, 0, 0, 200) == 64 * 64


def test_rows_lie_below_each_other_and_columns_beside() -> None:
    red, green, blue = plain(20, 20, 200, 0, 0), plain(20, 20, 0, 200, 0), plain(20, 20, 0, 0, 200)

    sheet = contact_sheet([[red, green], [blue]], ["", ""], cell=20)

    (red_y, red_x), (green_y, green_x), (blue_y, blue_x) = (
        np.argwhere((sheet == colour).all(axis=-1)).mean(axis=0) for colour in ((200, 0, 0), (0, 200, 0), (0, 0, 200))
    )
    assert red_y == green_y < blue_y
    assert red_x == blue_x < green_x


def test_labels_are_written_above_the_pictures() -> None:
    blank = contact_sheet([[plain(64, 64, 255, 255, 255)]], [""], cell=64)
    labelled = contact_sheet([[plain(64, 64, 255, 255, 255)]], ["Wave"], cell=64)

    assert (blank == 255).all()
    inked = np.argwhere((labelled != 255).any(axis=-1))
    assert len(inked) > 0
    assert inked[:, 0].max() < 30  # px from the top: the pictures begin there

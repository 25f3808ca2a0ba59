"""Make the pictures that the README shows, from the demo's own sheets: every style, and one at several strengths.

python -m scripts.pictures
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from impasto import images
from impasto.sheets import small_jpeg
from scripts import demo

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
WIDTH = 1600  # px
BYTES = 500_000
SHEETS = {"gallery.jpg": [], "demo.jpg": ["--style", "starry-night"]}


def main() -> int:
    for name, options in SHEETS.items():
        with tempfile.TemporaryDirectory() as scratch:
            status = demo.main(["--out", scratch, *options])
            if status:
                return status
            sheet = images.decode((Path(scratch) / "sheet.png").read_bytes())
        small = images.resize(sheet, WIDTH, round(WIDTH * sheet.shape[0] / sheet.shape[1]))
        (PICTURES / name).write_bytes(small_jpeg(small, BYTES))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Make the pictures that the README shows, from the demo's own sheet.

python -m scripts.pictures
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from impasto import images
from scripts import demo

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
WIDTH = 1600  # px


def main() -> int:
    with tempfile.TemporaryDirectory() as scratch:
        status = demo.main(["--out", scratch])
        if status:
            return status
        sheet = images.decode((Path(scratch) / "sheet.png").read_bytes())
    small = images.resize(sheet, WIDTH, round(WIDTH * sheet.shape[0] / sheet.shape[1]))
    (PICTURES / "demo.jpg").write_bytes(images.encode(small, quality=82))
    return 0


if __name__ == "__main__":
    sys.exit(main())

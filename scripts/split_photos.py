"""Lay out training and validation folders of links from the photo collection that the starter styles are trained on.

    python scripts/split_photos.py COLLECTION OUT

The last ten photos of each prefix go to validation. Of the flower pictures only every fourth is trained on: there are
many, and they are all alike.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

HELD_OUT = 10
EVERY = {"tfflower": 4}


def main() -> None:
    collection, out = (Path(argument) for argument in sys.argv[1:3])
    by_prefix: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(collection.glob("*.jpg")):
        by_prefix[path.name.split("_")[0]].append(path.resolve())
    for prefix, paths in by_prefix.items():
        link(paths[:-HELD_OUT][:: EVERY.get(prefix, 1)], out / "train")
        link(paths[-HELD_OUT:], out / "validation")


def link(paths: list[Path], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for path in paths:
        target = folder / path.name
        target.unlink(missing_ok=True)
        target.symlink_to(path)


if __name__ == "__main__":
    main()

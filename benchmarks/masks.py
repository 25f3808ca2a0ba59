"""What a mask costs: a photo read, and what was painted of it written, without a mask and with one.

    python -m benchmarks.masks [--runs N] [--page FILE]

Everything but the engine, as a codec's thread of the server does it: what would have been painted is at hand. The ways
take turns, and each time is a median of the thread's CPU time, in ms, so that what else the machine does counts for
little. Memory is the peak of a process of its own, less what it is without a mask.
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image, ImageDraw

from benchmarks.codec import filled
from benchmarks.pages import put
from benchmarks.processes import usage
from impasto import images
from impasto.images import Limits, Planes, Size
from impasto.machine import machine, table
from impasto.masks import MAX_FEATHER, Mask, Masking, Stencil
from impasto_server.bundles.library import Brush
from impasto_server.fast import pictures
from impasto_server.order import TrainedOrder

SIZES: Sequence[Size] = ((512, 384), (1280, 960), (4000, 3000), (8000, 6000))
WORKING = 1280  # px
WIDEST = Masking(MAX_FEATHER)
_CODE = np.asarray([0, 0, 0, 1, 1, 1], np.float32)
_BRUSH = Brush("ink", "test", "1", "transformer", 4, _CODE)
_PROBE = "import sys; from benchmarks.masks import probe; probe(*sys.argv[1:])"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.masks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=9, help="turns that count [%(default)s]")
    parser.add_argument("--page", type=Path, metavar="FILE", help="a page to write the table into")
    options = parser.parse_args(arguments)
    text = (
        f"## What a mask costs\n\n{machine()}, one thread. The mask is an ellipse over a third of the photo, a JPEG "
        f"painted at {WORKING} px where it is larger. Medians of CPU time, ms, without the engine's. "
        "Without a mask nothing is done that was not done before there were any.\n\n"
        f"{_times(options.runs)}"
    )
    print(text)
    if options.page:
        put(options.page, "masks", "python -m benchmarks.masks", text)
    return 0


def probe(width: str, height: str, masked: str) -> None:
    """Print the peak of this process's memory, in MiB, once it has read and written a photo."""
    size = int(width), int(height)
    file, mask, planes = _photo(size), Mask(_ellipse(size)), _planes(size)
    _paint(file, mask if masked == "masked" else None, planes)
    print(round(usage(os.getpid()).peak / 2**20))


def _times(runs: int) -> str:
    rows = []
    for size in SIZES:
        file, ellipse, planes = _photo(size), _ellipse(size), _planes(size)
        white = _png(Image.new("L", size, 255))
        ways = [None, Mask(white), Mask(ellipse), Mask(ellipse, WIDEST)]
        works = [partial(_paint, file, mask, planes) for mask in ways]
        stencil = Stencil(Mask(ellipse), size)
        times = _medians([*works, partial(Stencil, Mask(ellipse), size), partial(stencil.coverage, size)], runs)
        more = _peak(size, "masked") - _peak(size, "unmasked")
        rows.append(
            [f"{size[0]}x{size[1]} px", *(f"{ms:.1f}" if ms < 100 else f"{ms:,.0f}" for ms in times), f"{more}"]
        )
    header = ["photo", "no mask", "all white", "0.005 soft", "0.1 soft", "to read a mask", "to soften it", "MiB more"]
    return table(header, rows)


def _paint(file: bytes, mask: Mask | None, planes: Planes) -> bytes:
    order = TrainedOrder(photo=file, style="ink", mask=mask)
    photo = pictures.read(order, _BRUSH, Limits(), WORKING, b"", lambda size: size)
    return pictures.write_painted(planes, photo, order)


def _photo(size: Size) -> bytes:
    return images.encode(filled(skimage.data.astronaut(), size), quality=89)


def _planes(size: Size) -> Planes:
    """Return a picture as the engine would return it."""
    width, height = images.fit(*size, min(WORKING, max(size)))
    return images.to_planes(filled(skimage.data.astronaut()[::-1], (width, height)))


def _ellipse(size: Size) -> bytes:
    width, height = size
    image = Image.new("L", size)
    ImageDraw.Draw(image).ellipse([0.2 * width, 0.1 * height, 0.7 * width, 0.9 * height], fill=255)
    return _png(image)


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def _medians(works: Sequence[Callable[[], object]], runs: int) -> list[float]:
    """Return the ms of CPU time that each takes; they take turns."""
    times: list[list[float]] = [[] for _ in works]
    for turn in range(runs + 1):
        for taken, work in zip(times, works, strict=True):
            begun = time.thread_time()
            work()
            if turn:  # the first sets up
                taken.append(1e3 * (time.thread_time() - begun))
    return [statistics.median(taken) for taken in times]


def _peak(size: Size, way: str) -> int:
    command = [sys.executable, "-c", _PROBE, *map(str, size), way]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    sys.exit(main())

"""Reading and writing pictures: Impasto's way, Pillow, simplejpeg, OpenCV and libvips, side by side in one run.

    pip install simplejpeg opencv-python-headless "pyvips[binary]"
    python -m benchmarks.codec [--photo FILE] [--runs N] [--page FILE]

The libraries take turns, and each time is a median in ms. One that is not installed is left out. How far a picture is
from what Pillow decodes whole, and scales by Lanczos's filter, is told in dB (PSNR). No library is told to turn a
picture or to convert its colours: EXIF and ICC say whether it does so by itself. Two threads against one: how many
times as many pictures of 512 px get done. Memory is the peak of a process of its own.
"""

from __future__ import annotations

import argparse
import io
import math
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import skimage.data
from PIL import ExifTags, Image, ImageCms

from benchmarks.codec_libraries import Library, libraries, name_of
from benchmarks.pages import put
from benchmarks.processes import usage
from impasto import images
from impasto.engine.probe import decibels
from impasto.images import Pixels, Planes, Size
from impasto.machine import machine, table

SIZES = (256, 512, 1024)  # px, both sides
LARGE, HALF, WORKING = (4000, 3000), (2000, 1500), (1280, 960)  # px
VAST = (8000, 6000)  # px
_AT_ONCE, _GAIN_RUNS = 32, 5  # pictures, and how often, to see what a second thread brings
_DISPLAY_P3 = {  # the colourants of Display P3, adapted to D50
    b"rXYZ": (0.51512, 0.24120, -0.00105),
    b"gXYZ": (0.29198, 0.69225, 0.04189),
    b"bXYZ": (0.15710, 0.06657, 0.78407),
}
_PROBE = "import sys; from benchmarks.codec import probe; probe(*sys.argv[1:])"

Column = tuple[str, Callable[[Library], object]]
"""A heading, and what is timed under it."""


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    photo = images.decode(options.photo.read_bytes()) if options.photo else skimage.data.astronaut()
    found = list(libraries())
    parts = (
        _about(photo),
        _decoding(found, photo, options.runs),
        _encoding(found, photo, options.runs),
        _planes(photo, options.runs),
        _memory(photo),
    )
    text = "## Reading and writing pictures\n\n" + "\n\n".join(parts)
    print(text)
    if options.page:
        put(options.page, "codec", "python -m benchmarks.codec", text)
    return 0


def probe(file: str, way: str) -> None:
    """Print what decoding a file in this process adds to its peak memory, in MiB."""
    data = Path(file).read_bytes()
    before = _peak()
    if way == "to its size":
        images.PictureFile(data).decode(WORKING)
    elif way == "whole":
        images.resize(images.decode(data), *WORKING)
    print(round(_peak() - before))


def _about(photo: Pixels) -> str:
    height, width = photo.shape[:2]
    return (
        f"{machine()}, each library on one thread. A photo of {width}x{height} px, JPEG, quality 90, 4:4:4; of "
        f"{LARGE[0]}x{LARGE[1]} px, 4:2:0, by mirroring it rather than enlarging, so that its detail is as fine as a "
        "camera's at its best. Medians, ms."
    )


def _decoding(found: Sequence[Library], photo: Pixels, runs: int) -> str:
    files = [images.encode(images.resize(photo, side, side)) for side in SIZES]
    large = images.encode(filled(photo, LARGE), quality=89)
    columns: list[Column] = [(f"{side} px", _decodes(file)) for side, file in zip(SIZES, files, strict=True)]
    columns.append((f"{LARGE[0]} px", _decodes(large)))
    columns.append((f"{LARGE[0]} to {WORKING[0]} px", lambda library: library.decode_to(large, WORKING)))
    whole = found[0].decode(large)
    goal = images.resize(whole, *WORKING)
    facts: list[Column] = [
        ("dB", lambda library: _psnr(library.decode(large), whole)),
        (f"dB at {WORKING[0]}", lambda library: _psnr(library.decode_to(large, WORKING), goal)),
        ("EXIF", lambda library: _yes(_turns(library))),
        ("ICC", lambda library: _yes(_converts(library))),
        ("2 threads", lambda library: _gain(lambda: library.decode(files[1]))),
    ]
    return f"Decoding:\n\n{_table(found, columns, facts, runs)}"


def _encoding(found: Sequence[Library], photo: Pixels, runs: int) -> str:
    pictures = [images.resize(photo, side, side) for side in SIZES]
    half, working = filled(photo, HALF), filled(photo, WORKING)
    file, profile = images.encode(pictures[1]), display_p3()
    columns: list[Column] = [
        (f"resize {HALF[0]} to {WORKING[0]} px", lambda library: library.resize(half, WORKING)),
        (f"P3 to sRGB, {WORKING[0]} px", lambda library: library.to_srgb(working, profile)),
        *((f"encode {side} px", _encodes(picture)) for side, picture in zip(SIZES, pictures, strict=True)),
        ("512 px, q. 85, 4:2:0", lambda library: library.encode(pictures[1], 85, False)),
        (
            "decode, encode 512 px",
            lambda library: (library.decode(file), library.encode(pictures[1], 90, True)),
        ),
    ]
    facts: list[Column] = [
        ("kB", lambda library: f"{len(library.encode(pictures[1], 90, True)) / 1e3:.0f}"),
        ("2 threads", lambda library: _gain(lambda: library.encode(pictures[1], 90, True))),
    ]
    return f"Scaling, colours and encoding:\n\n{_table(found, columns, facts, runs)}"


def _planes(photo: Pixels, runs: int) -> str:
    rows = []
    for side in SIZES:
        pixels = images.resize(photo, side, side)
        planes = images.to_planes(pixels)
        works: list[Callable[[], object]] = [
            partial(images.to_planes, pixels),
            partial(images.to_pixels, planes),
            partial(_encoded_by_way_of_pixels, planes),
            partial(images.encode_planes, planes),
        ]
        rows.append([f"{side} px", *(f"{ms:.2f}" for ms in _medians(works, runs))])
    header = ["", "pixels to planes", "planes to pixels", "planes to pixels to JPEG", "planes to JPEG"]
    return f"Between pixels and what an engine takes and returns:\n\n{table(header, rows)}"


def _memory(photo: Pixels) -> str:
    image = Image.fromarray(filled(photo, VAST))
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "vast.jpg"
        for kind in ("baseline", "progressive"):
            image.save(file, "JPEG", quality=85, progressive=kind == "progressive")
            rows.append([kind, *(_probed(file, way) for way in ("whole", "to its size"))])
    header = ["JPEG", "decoded whole, then scaled, MiB", f"decoded to {WORKING[0]}x{WORKING[1]} px, MiB"]
    return f"What a JPEG of {VAST[0]}x{VAST[1]} px adds to a process's memory at its peak:\n\n{table(header, rows)}"


def display_p3() -> bytes:
    """Return the profile that phones tag their photos with: sRGB's, with other colourants."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for index in range(struct.unpack_from(">I", profile, 128)[0]):
        name, offset = struct.unpack_from(">4sI", profile, 132 + 12 * index)  # ICC.1:2010, section 7.3
        if name in _DISPLAY_P3:
            struct.pack_into(">3i", profile, offset + 8, *(round(value * 65536) for value in _DISPLAY_P3[name]))
    return bytes(profile)


def _decodes(file: bytes) -> Callable[[Library], object]:
    return lambda library: library.decode(file)


def _encoded_by_way_of_pixels(planes: Planes) -> bytes:
    return images.encode(images.to_pixels(planes))


def _encodes(picture: Pixels) -> Callable[[Library], object]:
    return lambda library: library.encode(picture, 90, True)


def _table(found: Sequence[Library], timed: Sequence[Column], facts: Sequence[Column], runs: int) -> str:
    """Return a row a library: the times, in which they take turns, and then the facts."""
    cells = {library.package: [name_of(library)] for library in found}
    for _, work in timed:
        able = [library for library in found if _can(work, library)]
        times = _medians([partial(work, library) for library in able], runs)
        found_times = dict(zip((library.package for library in able), times, strict=True))
        for library in found:
            ms = found_times.get(library.package)
            cells[library.package].append("-" if ms is None else f"{ms:.2f}" if ms < 10 else f"{ms:.1f}")
    for library in found:
        cells[library.package] += [str(fact(library)) for _, fact in facts]
    return table(["", *(heading for heading, _ in [*timed, *facts])], list(cells.values()))


def _can(work: Callable[[Library], object], library: Library) -> bool:
    try:
        work(library)
    except NotImplementedError:
        return False
    return True


def _medians(works: Sequence[Callable[[], object]], runs: int) -> list[float]:
    """Return the ms that each takes; they take turns."""
    times: list[list[float]] = [[] for _ in works]
    for turn in range(runs + 1):
        for index, work in enumerate(works):
            begun = time.perf_counter()
            work()
            if turn:  # the first sets up
                times[index].append(1e3 * (time.perf_counter() - begun))
    return [statistics.median(taken) for taken in times]


def _gain(work: Callable[[], object]) -> str:
    """Return how many times as much two threads do as one, in the same time."""

    def many(threads: ThreadPoolExecutor) -> None:
        list(threads.map(lambda _: work(), range(_AT_ONCE)))

    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(2) as two:
        alone, together = _medians([partial(many, one), partial(many, two)], _GAIN_RUNS)
    return f"{alone / together:.2f}"


def _psnr(pixels: Pixels, goal: Pixels) -> str:
    kept = decibels(*((picture / 255).astype(np.float32) for picture in (pixels, goal)))
    return "same" if math.isinf(kept) else f"{kept:.1f}"


def _turns(library: Library) -> bool:
    """Return whether it undoes the orientation that a camera stored."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    return library.decode(_tagged(np.zeros((32, 64, 3), np.uint8), exif=exif)).shape[:2] == (64, 32)


def _converts(library: Library) -> bool:
    """Return whether it converts a picture with a profile to sRGB: the green of Display P3 leaves no red in sRGB."""
    green = np.full((32, 32, 3), (60, 200, 60), np.uint8)
    return bool(library.decode(_tagged(green, icc_profile=display_p3()))[0, 0, 0] < 40)


def _tagged(pixels: Pixels, **tags: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=95, subsampling=0, **tags)
    return buffer.getvalue()


def _yes(holds: bool) -> str:
    return "yes" if holds else "no"


def filled(photo: Pixels, size: Size) -> Pixels:
    """Return a picture of this size: the photo, mirrored side by side, or a part of it."""
    width, height = size
    missing = max(0, height - photo.shape[0]), max(0, width - photo.shape[1])
    mirrored = np.pad(photo, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="symmetric")
    return np.ascontiguousarray(mirrored[:height, :width])


def _probed(file: Path, way: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", _PROBE, file, way], check=True, capture_output=True, text=True
    ).stdout.strip()


def _peak() -> float:
    """Return this process's peak, MiB; getrusage would count the process that it was forked from."""
    return usage(os.getpid()).peak / 2**20


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.codec", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photo", type=Path, metavar="FILE", help="[one that comes with scikit-image]")
    parser.add_argument("--runs", type=int, default=15, help="turns that count [%(default)s]")
    parser.add_argument("--page", type=Path, metavar="FILE", help="a page to write the tables into")
    return parser


if __name__ == "__main__":
    sys.exit(main())

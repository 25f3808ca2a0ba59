"""What pictures that were made to do harm cost a server, beside honest ones of the largest size that is allowed.

    python -m benchmarks.hostile [--only WORDS] [--page FILE]

Each file is decoded by a process of its own, as the server decodes it: to the size that it paints at, and whole, as
for a job or a strength of 0. Told are the bytes sent, what came of it, the seconds of a processor, and how far the
process's memory rose above what it held before.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import skimage.data

from benchmarks.hostile_files import Make, honest, hostile
from benchmarks.pages import put
from benchmarks.processes import forget_peak, resident, usage
from impasto import images
from impasto.errors import InvalidInput
from impasto.images import MAX_PIXELS, PictureFile, Size, fit
from impasto.machine import machine, table

SIZE: Size = (8_192, MAX_PIXELS // 8_192)  # px
WORKING_SIZE = 1280  # px, of the long side
PATIENCE = 120  # s
_PROBE = "import sys; from benchmarks.hostile import probe; probe(*sys.argv[1:])"
_TEXT = 72  # characters of an error that the table shows


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    makers = {**honest(skimage.data.coffee(), SIZE), **hostile(SIZE)}
    chosen = {name: make for name, make in makers.items() if options.only in name}
    rows = [_row(name, make) for name, make in chosen.items()]
    header = ["", "kB sent", "to its size, CPU s", "MiB", "whole, CPU s", "MiB", "outcome"]
    text = (
        f"## Hostile pictures\n\n{machine()}. Honest photos and whatever is decoded in full: {SIZE[0]}x{SIZE[1]} px; "
        f"{MAX_PIXELS:,} pixels are allowed. MiB are those above what the process held before, and "
        f"all of a HEIC's own process.\n\n{table(header, rows)}"
    )
    print(text)
    if options.page:
        put(options.page, "hostile", "python -m benchmarks.hostile", text)
    return 0


def probe(file: str, way: str) -> None:
    """Decode a file in this process, and print the seconds, the MiB and the outcome."""
    data = Path(file).read_bytes()
    for kind in images.Format:  # so that nothing is imported or set up within the measurement
        PictureFile(images.encode(skimage.data.coffee(), format=kind)).decode((64, 48))
    forget_peak(os.getpid())
    held, begun = resident(os.getpid()), time.process_time()
    outcome = _outcome(data, way)
    decoder = resource.getrusage(resource.RUSAGE_CHILDREN)  # a HEIC's, which is a process of its own
    seconds = time.process_time() - begun + decoder.ru_utime + decoder.ru_stime
    peak = usage(os.getpid()).peak - held + decoder.ru_maxrss * 1024
    print(f"{seconds:.2f}\n{peak / 2**20:.0f}\n{outcome}")


def _outcome(data: bytes, way: str) -> str:
    try:
        file = PictureFile(data)
        file.decode(fit(*file.size, WORKING_SIZE) if way == "to its size" else None)
    except InvalidInput as error:
        return error.reason[:_TEXT].replace("\n", " ")
    return "decoded"


def _row(name: str, make: Make) -> list[str]:
    print(f"{name} ...", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "picture"
        file.write_bytes(make())
        small, whole = _probed(file, "to its size"), _probed(file, "whole")
        return [name, f"{file.stat().st_size / 1e3:,.0f}", *small[:2], *whole]


def _probed(file: Path, way: str) -> list[str]:
    """Return the seconds, the MiB and the outcome of decoding a file."""
    command = [sys.executable, "-c", _PROBE, str(file), way]
    try:
        told = subprocess.run(command, check=True, capture_output=True, text=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        return [f"> {PATIENCE}", "-", "never ended"]
    return told.stdout.splitlines()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.hostile", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", metavar="WORDS", help="those whose names hold these")
    parser.add_argument("--page", type=Path, metavar="FILE", help="a page to write the table into")
    return parser


if __name__ == "__main__":
    sys.exit(main())

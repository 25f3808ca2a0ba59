"""A small training, as a command line."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.trainer.pictures import painting, photos

SMALL = ["--width", "4", "--residual-blocks", "1", "--crop", "64", "--batch", "2", "--painting-size", "64"]
QUIET = ["--workers", "0", "--compile", "off", "--device", "cpu"]


def arguments(folder: Path, *more: str) -> list[str]:
    """Return what a small training needs, its photos and painting made in `folder`."""
    if not (folder / "photos").exists():
        photos(folder / "photos")
        painting(folder / "Coarse_Strokes.jpg")
    places = ["--photos", f"{folder}/photos", "--painting", f"{folder}/Coarse_Strokes.jpg", "--out", f"{folder}/out"]
    return ["fit", *places, "--perception", "compact", *SMALL, *QUIET, *more]


def process(given: list[str], *launcher: str, program: Path | None = None) -> subprocess.Popen[bytes]:
    """Start `impasto-train` in a process group of its own; what it says on standard error can be read.

    Args:
        given: its arguments.
        launcher: the module that starts it in place of python, with its arguments.
        program: a file to run in place of `impasto-train`.
    """
    what = [str(program)] if program else ["-m", "impasto_trainer.main"]
    command = [sys.executable, *(["-m", *launcher] if launcher else []), *what, *given]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True, env=environment)


def read_until(pattern: bytes, training: subprocess.Popen[bytes]) -> None:
    """Read a training's standard error until the pattern is there."""
    assert training.stderr is not None
    seen = b""
    while not re.search(pattern, seen):
        more = os.read(training.stderr.fileno(), 4096)
        assert more, seen.decode()
        seen += more

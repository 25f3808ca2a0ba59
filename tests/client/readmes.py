"""What a client's README shows, run from top to bottom as a newcomer would, against a real server and worker."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from impasto import images
from impasto.images import Format
from impasto_server.local import LocalServer, local_server
from tests.support import gradient
from tests.worker.processes import worker

_TIMEOUT = 120  # s


@contextmanager
def painting_server(folder: Path, *options: str) -> Iterator[LocalServer]:
    """Serve the bundle that comes with Impasto, and jobs, by a worker whose painter needs no torch."""
    usual = ["--bundle-probe", "off", "--provider", "cpu", "--jobs", "on", "--workers", "0"]
    store = "--database", f"sqlite:///{folder}/state/jobs.sqlite", "--blobs", str(folder / "state" / "blobs")
    with local_server(folder, [*usual, *options]) as served, worker(folder, *store, step_seconds=0.03):
        yield served


def write_files(folder: Path) -> None:
    """Write the photos, the painting and the mask that the READMEs speak of."""
    photo = gradient(96, 64)
    for name in ("photo", "painting", "one", "two", "three"):
        (folder / f"{name}.jpg").write_bytes(images.encode(photo))
    (folder / "mask.png").write_bytes(images.encode(np.full_like(photo, 255), format=Format.PNG))


def shown(readme: Path, language: str) -> str:
    """Return all code of a language as one program."""
    return "\n".join(re.findall(rf"^```{language}\n(.*?)^```$", readme.read_text(), re.MULTILINE | re.DOTALL))


def run_in(folder: Path, *command: str) -> str:
    """Run a command there, and return what it prints."""
    environment = os.environ | {"IMPASTO_TOKEN": "impasto_token", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=_TIMEOUT, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout

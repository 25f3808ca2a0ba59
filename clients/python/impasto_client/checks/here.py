"""What is installed here, and what is not."""

from __future__ import annotations

import platform
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import impasto
from impasto import __version__, extras
from impasto.extras import DISTRIBUTION
from impasto.findings import Finding, ok, problem

EXTRAS = {
    "shell": "completion and progress bars",
    "bulk": "impasto bulk: whole folders and buckets",
    "video": "impasto_client.video: the frames of videos",
    "s3": "photos, bundles and jobs on S3",
    "tracing": "traces to an OpenTelemetry collector",
    "server": "impasto-server",
    "cpu": "painting on processors",
    "cuda": "painting on NVIDIA GPUs",
    "studio": "impasto-server --studio",
    "heif": "HEIC photos, as phones take them",
    "optimize": "jobs: painting in the style of any painting",
    "postgres": "jobs in PostgreSQL",
    "train": "impasto-train",
    "export": "impasto-export",
}
"""Extra -> what it is for."""

_MOST_LISTED = 3  # distributions that an extra lacks
_EXCLUDES = {"cpu": "onnxruntime-gpu", "cuda": "onnxruntime onnxruntime-ep-openvino"}  # one overwrites the other


def installation() -> Iterator[Finding]:
    """Tell what runs here."""
    yield ok("python", f"Python {platform.python_version()} on {platform.system()} {platform.machine()}")
    yield _impasto()
    yield _clock()
    yield from _extras()


def _impasto() -> Finding:
    folder = Path(impasto.__file__).parent
    try:
        installed = version(DISTRIBUTION)
    except PackageNotFoundError:
        return problem("impasto", f"impasto {__version__} in {folder} is not installed", "pip install impasto")
    if installed != __version__:
        return problem(
            "impasto",
            f"impasto {installed} is installed, and {__version__} in {folder} is what runs",
            "pip install --force-reinstall impasto",
        )
    return ok("impasto", f"impasto {__version__} in {folder}")


def _clock() -> Finding:
    """Tell whether the clock is before the installation: then certificates and tokens seem not to be valid yet."""
    made = Path(impasto.__file__).stat().st_mtime
    if time.time() < made:
        return problem("clock", "the clock is before the time when Impasto was installed", "timedatectl set-ntp true")
    return ok("clock", time.strftime("it is %Y-%m-%d %H:%M:%S %z"))


def _extras() -> Iterator[Finding]:
    for extra, purpose in EXTRAS.items():
        missing = extras.missing(extra)
        if not missing:
            yield ok(f"[{extra}]", f"installed, for {purpose}")
        else:
            command = extras.install(extra, instead_of=_EXCLUDES.get(extra, ""))
            yield ok(f"[{extra}]", f"not installed ({_listed(missing)}), for {purpose}", command)


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:_MOST_LISTED])
    return shown if len(names) <= _MOST_LISTED else f"{shown} and {len(names) - _MOST_LISTED} more"

"""The half of `impasto stylize` that paints in the style of any painting: by a job, which it sees through."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from impasto.optimization import Optimization
from impasto_client.client import Client
from impasto_client.commands import files
from impasto_client.commands.connecting import connect
from impasto_client.commands.following import Clock, cancel, fetch, follow
from impasto_client.commands.interrupts import interrupted_later
from impasto_client.commands.progress import Display
from impasto_client.jobs import Job
from impasto_client.paintings import Painting

_UPLOAD_TIMEOUT = 600.0  # s: files from a camera, over a slow line


def add(group: Any) -> None:
    """Add the options of a job; those of the optimisation, and their help, are made from `Optimization`."""
    group.add_argument("--detach", action="store_true", help="print the job's name, and leave it to itself")
    group.add_argument("--preview", type=Path, metavar="FILE", help="keep the picture as it is there, a small JPEG")
    group.add_argument("--priority", type=int, default=0, metavar="N", help="-100 to 100: the higher, the sooner [0]")
    for item in fields(Optimization):
        shape, default = _shape(item.metadata, item.default)
        flag = f"--{item.name.replace('_', '-')}"
        group.add_argument(flag, help=f"{item.metadata['help']} [{default}]", **shape)


def _shape(allowed: Mapping[str, Any], default: Any) -> tuple[dict[str, Any], str]:
    """Return how an option is parsed, and how its default is written."""
    if "choices" in allowed:
        return {"choices": allowed["choices"]}, default
    if "layers" in allowed:
        return {"type": lambda text: tuple(text.split(",")), "metavar": "LAYER,..."}, ",".join(default)
    return {"type": type(default), "metavar": "N" if isinstance(default, int) else "X"}, f"{default:g}"


def painting(text: str) -> tuple[Path, float]:
    """Parse `PAINTING[=WEIGHT]`; a file may have `=` in its name."""
    path, _, weight = text.rpartition("=")
    try:
        return (Path(path), float(weight)) if path and not Path(text).exists() else (Path(text), 1.0)
    except ValueError:
        return Path(text), 1.0


def optimization(options: argparse.Namespace) -> Mapping[str, Any] | None:
    """Return what was given of it; the rest is left to the server."""
    given = {item.name: getattr(options, item.name) for item in fields(Optimization)}
    return {name: value for name, value in given.items() if value is not None} or None


def paint(options: argparse.Namespace, request: Mapping[str, Any]) -> None:
    """Make the job and, unless detached, see it through; Ctrl-C cancels it."""
    paintings = [Painting(files.read(path, "--style-image"), weight) for path, weight in options.style_image]
    clock = Clock(options.timeout)
    job: Job | None = None
    with connect(options) as client, Display() as display:
        try:
            with interrupted_later(lambda: display.say("the job will be cancelled; Ctrl-C again leaves at once")):
                job = client.create_job(
                    paintings=paintings, priority=options.priority, timeout=clock.left() or _UPLOAD_TIMEOUT, **request
                )
            if options.detach:
                print(job.name)
            else:
                display.say(f"{job.name}: Ctrl-C cancels it")
                _see_through(client, job.name, options, clock, display)
        except KeyboardInterrupt:
            if job:
                with connect(options) as another:  # for a call that was just beginning may have spoilt this one
                    cancel(another, job.name, display)
            raise


def _see_through(client: Client, name: str, options: argparse.Namespace, clock: Clock, display: Display) -> None:
    job = follow(client, name, clock, display, options.preview)
    try:
        fetch(client, job, options.out, clock)
    except OSError:
        display.say(f"the result is still there: impasto jobs fetch {name} --out FILE")
        raise

"""The half of `impasto stylize` that paints in the style of any painting: by jobs, which it sees through."""

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
from impasto_client.commands.following import Clock, cancel, follow
from impasto_client.commands.interrupts import interrupted_later
from impasto_client.commands.photos import at_once
from impasto_client.commands.photos.reports import Report
from impasto_client.commands.photos.targets import Plan, Task
from impasto_client.commands.progress import Display, job_display
from impasto_client.errors import DeadlineExceeded, InvalidRequest, JobError, ServerUnavailable
from impasto_client.jobs import Job
from impasto_client.paintings import Painting
from impasto_client.results import Stylized

_UPLOAD_TIMEOUT = 600.0  # s: files from a camera, over a slow line

_OF_THE_SERVER = (DeadlineExceeded, ServerUnavailable)  # which are errors of the operating system's kind, too


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
        return (Path(path), float(weight)) if path and not files.exists(Path(text)) else (Path(text), 1.0)
    except ValueError:
        return Path(text), 1.0


def optimization(options: argparse.Namespace) -> Mapping[str, Any] | None:
    """Return what was given of it; the rest is left to the server."""
    given = {item.name: getattr(options, item.name) for item in fields(Optimization)}
    return {name: value for name, value in given.items() if value is not None} or None


def check(options: argparse.Namespace, plan: Plan) -> None:
    """Refuse what does not go together."""
    for option, given, later in (("--out", options.out, "fetch"), ("--preview", options.preview, "watch")):
        if options.detach and given is not None:
            instead = f"leave it out, and have it later: impasto jobs {later} NAME {option} FILE"
            raise InvalidRequest(option, f"is not written with --detach; {instead}")
    if options.preview is not None and plan.count > 1:
        raise InvalidRequest("--preview", "is for one photo; leave it out for several")


def paint(options: argparse.Namespace, plan: Plan, asked: Mapping[str, Any], told: Report) -> None:
    """Make a job of each photo and, unless detached, see it through before the next; Ctrl-C cancels it."""
    paintings = [Painting(files.read(path, "--style-image"), weight) for path, weight in options.style_image]
    request = {**asked, "paintings": paintings, "optimization": optimization(options), "priority": options.priority}
    with connect(options) as client, job_display(quiet=options.quiet or options.json) as display:
        jobs = _Jobs(client, options, request, display, told)
        for task in plan.tasks:
            try:
                jobs.paint(task)
            except (InvalidRequest, JobError, OSError) as error:
                if not at_once.is_to_blame(error) and (plan.count == 1 or _stops_all(error)):
                    raise
                told.failed(task, error)


def _stops_all(error: Exception) -> bool:
    return isinstance(error, _OF_THE_SERVER) or at_once.stops_all(error)


def _still_there(name: str) -> str:
    return f"the result is still there: impasto jobs fetch {name} --out FILE"


class _Jobs:
    """Makes a job of each photo.

    Args:
        client: to the server.
        options: the command line's.
        request: what is asked for beside the photo, as `Client.create_job` takes it.
        display: shows how far a job is.
        told: is told of each picture.
    """

    def __init__(
        self, client: Client, options: argparse.Namespace, request: Mapping[str, Any], display: Display, told: Report
    ) -> None:
        self._client = client
        self._options = options
        self._request = request
        self._display = display
        self._told = told
        self._clock = Clock(options.timeout)

    def paint(self, task: Task) -> None:
        """Make the job and, unless detached, see it through.

        Raises:
            ImpastoClientError, OSError: there is no picture.
        """
        job: Job | None = None
        photo = task.source.read()
        try:
            with interrupted_later(self._warn):
                job = self._client.create_job(
                    photo, timeout=self._clock.left() or _UPLOAD_TIMEOUT, format=task.format, **self._request
                )
            if self._options.detach:
                self._told.queued(task, job.name)
            else:
                self._display.say(f"{job.name}: Ctrl-C cancels it")
                self._see_through(job.name, task)
        except KeyboardInterrupt:
            if job:
                with connect(self._options) as another:  # for a call that was just beginning may have spoilt this one
                    cancel(another, job.name, self._display)
            raise

    def _see_through(self, name: str, task: Task) -> None:
        job = follow(self._client, name, self._clock, self._display, self._options.preview)
        try:
            painted = self._client.result(job.name, timeout=self._clock.left())
            self._write(name, task, painted)
        except OSError:
            self._display.say(_still_there(name))
            raise
        self._told.painted(task, painted, painted.stage_times.engine, job.name)

    def _write(self, name: str, task: Task, painted: Stylized) -> None:
        try:
            at_once.write(task, painted, overwrite=self._options.overwrite)
        except InvalidRequest as error:
            raise InvalidRequest(error.field, f"{error.reason}; {_still_there(name)}") from error

    def _warn(self) -> None:
        self._display.say("the job will be cancelled; Ctrl-C again leaves at once")

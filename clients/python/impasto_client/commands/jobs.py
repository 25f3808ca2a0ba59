"""`impasto jobs`: the jobs that paint in the style of any painting."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any

import grpc

from impasto_client.commands import files
from impasto_client.commands.connecting import connect, server_options
from impasto_client.commands.documents import add_json, print_document, print_line
from impasto_client.commands.following import Clock, fetch, follow
from impasto_client.commands.pictures import picture_facts, picture_words
from impasto_client.commands.progress import Display, NoDisplay, duration, progress_words
from impasto_client.commands.tables import print_table
from impasto_client.jobs import Job, operation_name

_LINES = "lines of JSON"

Run = Callable[[argparse.Namespace], None]


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--all", action="store_true", help="list those that have ended, too")
    add_json(parser, "a JSON list")
    parser.set_defaults(run=run_list)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    def command(name: str, run: Run, meaning: str, printed: str = "JSON") -> argparse.ArgumentParser:
        added = commands.add_parser(
            name, parents=[server_options(inherited=True)], help=meaning, description=f"{meaning.capitalize()}."
        )
        add_json(added, printed, default=argparse.SUPPRESS)
        added.set_defaults(run=run)
        return added

    show = command("show", run_show, "tell all of a job")
    watch = command(
        "watch", run_watch, "show how a job gets on, until it has ended; Ctrl-C leaves it to itself", _LINES
    )
    watch.add_argument("--preview", type=Path, metavar="FILE", help="keep the picture as it is there, a small JPEG")
    fetched = command("fetch", run_fetch, "write a job's result to a file")
    fetched.add_argument("--out", type=Path, required=True, metavar="FILE", help="where to")
    fetched.add_argument("--overwrite", action="store_true", help="replace it if it is there")
    for one in (show, watch, fetched):
        one.add_argument("name", metavar="NAME", help="as `impasto jobs` lists it")
    cancel = command("cancel", run_cancel, "cancel jobs", _LINES)
    delete = command("delete", run_delete, "delete jobs with their pictures; one that has not ended stops", _LINES)
    for several in (cancel, delete):
        several.add_argument("names", nargs="+", metavar="NAME", help="as `impasto jobs` lists it")


def run_list(options: argparse.Namespace) -> None:
    with connect(options) as client:
        found = list(client.jobs(ended=None if options.all else False))
    if options.json:
        print_document([_plain(job) for job in found])
        return
    if not found:
        print("no jobs" if options.all else "no jobs under way; --all lists those that have ended", file=sys.stderr)
        return
    rows = [(job.name, job.state.value, progress_words(job), _age(job)) for job in found]
    print_table(("NAME", "STATE", "PROGRESS", "AGE"), rows)


def run_show(options: argparse.Namespace) -> None:
    with connect(options) as client:
        job = client.job(options.name)
    if options.json:
        print_document(_plain(job))
        return
    for key, value in _facts(job):
        print(f"{key:10} {value}")


def run_watch(options: argparse.Namespace) -> None:
    if options.preview is not None:
        files.check_place(options.preview, "--preview")
    with connect(options) as client, _display(options) as display:
        name = client.job(options.name).name
        follow(client, name, Clock(options.timeout), display, options.preview).made()


def run_fetch(options: argparse.Namespace) -> None:
    files.check_place(options.out)
    files.check_free(options.out, overwrite=options.overwrite)
    with connect(options) as client, _display(options) as display:
        job = client.job(options.name)
        display.say_notes(job.notes)
        painted = fetch(client, job, options.out, Clock(options.timeout), overwrite=options.overwrite)
    seconds = painted.stage_times.engine
    if options.json:
        print_document({"out": str(options.out), "job": job.name, **picture_facts(painted, seconds)})
    else:
        print(picture_words(options.out, painted, f"painted in {duration(seconds)}"))


def run_cancel(options: argparse.Namespace) -> None:
    with connect(options) as client:
        for name in options.names:
            client.cancel(name)
            _tell(options, name, "cancelled")


def run_delete(options: argparse.Namespace) -> None:
    with connect(options) as client:
        for name in options.names:
            client.delete(name)
            _tell(options, name, "deleted")


def _display(options: argparse.Namespace) -> Display:
    return JobLines() if options.json else Display()


def _tell(options: argparse.Namespace, name: str, done: str) -> None:
    if options.json:
        print_line({"name": operation_name(name), "done": done})


def _age(job: Job) -> str:
    return duration((datetime.now(UTC) - job.created).total_seconds()) if job.created else ""


def _facts(job: Job) -> Iterator[tuple[str, object]]:
    yield "name", job.name
    yield "state", job.state.value
    yield "owner", job.owner
    for key in ("created", "started", "ended", "expires"):
        if time := getattr(job, key):
            yield key, time.astimezone().isoformat(sep=" ", timespec="seconds")
    if job.progress.total_steps:
        yield "progress", progress_words(job)
        yield "losses", f"content {job.progress.content_loss:.3g}, style {job.progress.style_loss:.3g}"
    if job.result:
        size, worked = ("{}x{} px".format(*size) for size in (job.result.size, job.result.working_size))
        yield "result", f"{job.result.format}, {size}, {job.result.byte_count:,} bytes, painted at {worked}"
        yield "painted in", duration(job.result.paint_seconds)
    if job.failure:
        yield "failed", f"{job.failure.field}: {job.failure.reason}".removeprefix(": ")
    yield "attempts", job.attempts
    for note in job.notes:
        yield "note", note


class JobLines(NoDisplay):
    """Prints each state of a job as a line of JSON."""

    def show(self, job: Job) -> None:
        print_line(_plain(job))


def _plain(job: Job) -> dict[str, Any]:
    return {key: _json(value) for key, value in asdict(job).items()}


def _json(value: Any) -> Any:
    match value:
        case dict():
            return {key: _json(item) for key, item in value.items()}
        case tuple():
            return list(value)
        case grpc.StatusCode():
            return value.name
        case Enum():
            return value.value
        case datetime():
            return value.isoformat()
        case _:
            return value

"""`impasto bulk`: paint all photos of a folder or a bucket into another."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

from impasto_client.commands import looks
from impasto_client.commands.bulk_display import Display, display
from impasto_client.commands.complaints import DONE, FAILED, SOME_FAILED, print_error, some_failed
from impasto_client.commands.connecting import connect
from impasto_client.commands.documents import add_json, print_line
from impasto_client.commands.progress import duration
from impasto_client.commands.stopping import Stop, stopped_by_signals
from impasto_client.errors import ImpastoClientError, InvalidRequest

if TYPE_CHECKING:  # which needs an extra
    from impasto_client.bulk import Progress, Report, Shard

INDEX_VARIABLE = "JOB_COMPLETION_INDEX"  # set by Kubernetes in the pods of an Indexed Job
COUNT_VARIABLE = "IMPASTO_SHARDS"


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source", metavar="IN", help="a folder, or a URL such as s3://bucket/prefix; all below is painted"
    )
    parser.add_argument("out", metavar="OUT", help="likewise, where to; a photo's picture has the same path there")
    looks.add_styles(parser.add_mutually_exclusive_group(required=True))
    looks.add(parser, "jpeg; a photo with another suffix has this one's added to it")
    parser.add_argument(
        "--include",
        action="append",
        default=[],
        metavar="GLOB",
        help="only photos whose paths match, such as '2026/*.jpg'; can be given several times",
    )
    parser.add_argument(
        "--shard",
        metavar="I/N",
        help=f"only the I-th of N parts, from 0 [${INDEX_VARIABLE} and ${COUNT_VARIABLE}, else 0/1]",
    )
    parser.add_argument("--window", type=int, metavar="N", help="photos under way on a stream [16]")
    parser.add_argument("--streams", type=int, metavar="N", help="streams to paint by: one a server [1]")
    parser.add_argument("--retry-failed", action="store_true", help="try photos again that failed in an earlier run")
    parser.add_argument(
        "--repaint", action="store_true", help="let OUT have been painted otherwise: paint anew what differs"
    )
    add_json(parser, "the outcome as JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Paint, say how it went, and return the exit status."""
    from impasto_client import bulk

    shard = _shard(options.shard, os.environ)
    chosen = {name: getattr(options, name) for name in ("format", "window", "streams", "timeout")}
    with stopped_by_signals() as stop, connect(options) as client:
        shown = display(silent=options.json)
        try:
            report = bulk.paint_folder(
                client,
                options.source,
                options.out,
                looks.style(options),
                **looks.others(options),
                **{name: value for name, value in chosen.items() if value is not None},
                shard=shard,
                include=options.include,
                retry_failed=options.retry_failed,
                repaint=options.repaint,
                stop=stop.event,
                on_progress=_Watch(shown, stop).show,
                on_lost=_Losses(shown).say,
            )
        finally:
            shown.close()
    status = stop.status if report.stopped else _status(report)
    if options.json:
        _tell_programs(report, options.out, status)
    else:
        print(_words(report, options.out))
    return status


def _tell_programs(report: Report, out: str, status: int) -> None:
    """Print the outcome and, where photos have failed, one error."""
    print_line(asdict(report))
    if status in (FAILED, SOME_FAILED):
        print_error(some_failed(_words(report, out), status))


class _Watch:
    """Shows how far the run is, and says that it stops."""

    def __init__(self, shown: Display, stop: Stop) -> None:
        self._shown = shown
        self._stop = stop
        self._said = False

    def show(self, progress: Progress) -> None:
        if self._stop.number and not self._said:
            self._said = True
            self._shown.say("stopping: what is under way is finished; once more to leave at once")
        self._shown.show(progress)


class _Losses:
    """Says that the server is away, once for each error in a row."""

    def __init__(self, shown: Display) -> None:
        self._shown = shown
        self._last = ""

    def say(self, error: ImpastoClientError) -> None:
        if str(error) != self._last:
            self._last = str(error)
            self._shown.say(f"{error}; trying again")


def _shard(text: str | None, environment: Mapping[str, str]) -> Shard:
    """Return the shard that was given, by option or by Kubernetes; all photos, where none was."""
    from impasto_client.bulk import Shard

    if text is not None:
        return Shard.parse(text)
    index, count = environment.get(INDEX_VARIABLE), environment.get(COUNT_VARIABLE)
    if index is None and count is None:
        return Shard()
    if index is None or count is None:  # or every pod of a Job would paint everything
        missing, there = (INDEX_VARIABLE, COUNT_VARIABLE) if index is None else (COUNT_VARIABLE, INDEX_VARIABLE)
        raise InvalidRequest("shard", f"${there} is set, and ${missing} is not; set both, or give --shard I/N")
    return Shard.parse(f"{index}/{count}")


def _words(report: Report, out: str) -> str:
    ended = "stopped after" if report.stopped else "in"
    parts = [f"{report.painted:,} painted {ended} {duration(report.seconds)}"]
    if report.done_before:
        parts.append(f"{report.done_before:,} had been painted before")
    if report.failed:
        parts.append(f"{report.failed:,} failed")
    if report.failed_before:
        parts.append(f"{report.failed_before:,} had failed before (--retry-failed tries them again)")
    said = f"{', '.join(parts)}\nmanifest: {report.manifest}"
    return f"{said}\nwhat failed and why: impasto bulk-status {out}" if report.failed or report.failed_before else said


def _status(report: Report) -> int:
    """Return `FAILED` where another run may do better, `SOME_FAILED` where it will not."""
    if report.unlucky:
        return FAILED
    return SOME_FAILED if report.failed or report.failed_before else DONE

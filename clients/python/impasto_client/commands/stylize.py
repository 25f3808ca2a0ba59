"""`impasto stylize`: paint photos, at once in a trained style, or by jobs in the style of any painting."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from impasto_client.commands import by_job, files, looks
from impasto_client.commands.connecting import connect
from impasto_client.commands.documents import add_json
from impasto_client.commands.photos import at_once, sources, targets
from impasto_client.commands.photos.reports import Report, report
from impasto_client.commands.photos.targets import Plan
from impasto_client.errors import InvalidRequest
from impasto_client.exchange import DEFAULT_WINDOW

NOTES = """\
Several photos, folders and patterns need a folder as --out. Names are kept, and below a folder or a pattern paths as
well; `a.heic` becomes `a.heic.jpg`, and the second `a.jpg` `a-2.jpg`. A photo is never replaced, and a picture that is
there only with --overwrite; so the same command once more paints what is missing. A photo that cannot be painted does
not stop the others. Each picture is written whole or not at all.

For more than 1,000 photos or a bucket `impasto bulk` is the better way: it keeps a manifest, notices photos that have
changed, waits for a server that is away, and can be shared out over several machines.
"""


def add(parser: argparse.ArgumentParser) -> None:
    parser.epilog = NOTES
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "photos",
        nargs="+",
        metavar="PHOTO",
        help="a picture file; a folder, for the photos in it; a pattern in quotes, such as 'photos/**/*.jpg'; or - for "
        "standard input",
    )
    style = parser.add_mutually_exclusive_group(required=True)
    looks.add_styles(style)
    style.add_argument(
        "--style-image",
        type=by_job.painting,
        action="append",
        metavar="PAINTING[=WEIGHT]",
        help="a painting to take the style from, with its weight beside others [1]; can be given several times",
    )
    parser.add_argument(
        "-o",
        "--out",
        metavar="PATH",
        help="where to: a file, a folder, or - for standard output; needed unless the photo is - or --detach is given",
    )
    parser.add_argument("-r", "--recursive", action="store_true", help="look into the folders of folders, too")
    parser.add_argument("--overwrite", action="store_true", help="replace pictures that are there; never photos")
    looks.add(parser, "from the suffix of --out; of several, from each photo's, and jpeg where that tells none")
    looks.add_mask(parser)
    parser.add_argument(
        "--window",
        type=int,
        default=DEFAULT_WINDOW,
        metavar="N",
        help=f"of several, under way at once [{DEFAULT_WINDOW}]",
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="tell only what goes wrong")
    add_json(parser, "a line of JSON for each photo")
    by_job.add(parser.add_argument_group("with --style-image"))
    parser.set_defaults(run=run, complain=parser.error)


def run(options: argparse.Namespace) -> int:
    """Check what can be checked here, have the photos painted, write them, and return the exit status."""
    plan = _plan(options)
    if options.preview is not None:
        files.check_place(options.preview, "--preview")
    _check_files_stay(options, plan)
    asked = {**looks.others(options), "mask": looks.mask(options)}
    if options.style_image:
        by_job.check(options, plan)
    elif options.detach or options.preview or options.priority:
        raise InvalidRequest("--style", "is painted at once; --detach, --preview and --priority are for --style-image")
    elif by_job.optimization(options):
        raise InvalidRequest("optimization", "is for paintings; a trained style is not optimised")
    told = report(plan, as_json=options.json, quiet=options.quiet)
    try:
        if options.style_image:
            by_job.paint(options, plan, asked, told)
        else:
            _paint_at_once(options, plan, asked, told)
    except BaseException:
        if plan.count > 1:
            told.broken_off()
        raise
    return told.end()


def _plan(options: argparse.Namespace) -> Plan:
    if options.detach and options.style_image:
        return _without_pictures(options)
    out = _out(options)
    if options.json and out == sources.STANDARD_STREAM:
        raise InvalidRequest("--json", "and the picture cannot both go to standard output; give --out FILE")
    several = len(options.photos) > 1 or files.is_folder(Path(options.photos[0]))
    leave_out = targets.folder_of(out, several)
    found = sources.find(options.photos, recursive=options.recursive, leave_out=leave_out)
    return targets.plan(found, out, options.format, overwrite=options.overwrite)


def _check_files_stay(options: argparse.Namespace, plan: Plan) -> None:
    """Refuse to write over what is read, and to write two things to one file."""
    paintings = [path for path, _ in options.style_image or ()]
    read = {path: "is read, and not replaced" for path in (*paintings, options.mask) if path is not None}
    targets.check_stays({task.out: "--out" for task in plan.tasks if task.out}, read)
    if options.preview is not None:
        tasks = (*plan.tasks, *plan.left)
        read |= {task.source.path: "is the photo, and not replaced" for task in tasks if task.source.path}
        read |= {task.out: "is where the picture goes" for task in tasks if task.out}
        targets.check_stays({options.preview: "--preview"}, read)


def _out(options: argparse.Namespace) -> str:
    if options.out is None and options.photos != [sources.STANDARD_STREAM]:
        options.complain("the following arguments are required: --out")
    return options.out or sources.STANDARD_STREAM


def _without_pictures(options: argparse.Namespace) -> Plan:
    found = sources.find(options.photos, recursive=options.recursive, leave_out=None)
    return Plan([targets.Task(source, None, options.format) for source in found.sources])


def _paint_at_once(options: argparse.Namespace, plan: Plan, asked: dict[str, Any], told: Report) -> None:
    style = looks.style(options)
    with connect(options) as client:
        if plan.count == 1 and plan.tasks:
            at_once.paint_one(client, plan.tasks[0], style, asked, told, overwrite=options.overwrite)
        elif plan.tasks:
            asked |= {"window": options.window}
            at_once.paint_several(client, plan.tasks, style, asked, told, overwrite=options.overwrite)

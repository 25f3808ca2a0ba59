"""Painting photos in a trained style: one by a call of its own, several over a stream."""

from __future__ import annotations

import errno
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from impasto_client.client import Client
from impasto_client.commands import files
from impasto_client.commands.photos.reports import Report
from impasto_client.commands.photos.targets import Task
from impasto_client.errors import (
    ImpastoClientError,
    InvalidRequest,
    PermissionDenied,
    StyleUnknown,
    Unauthenticated,
    Unimplemented,
)
from impasto_client.photos import Photo, StreamResult, TrainedStyle
from impasto_client.results import Stylized

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
# What one photo meets, every other meets; BrokenPipeError, that nobody reads what is told of them.
_FOR_ALL = (StyleUnknown, Unauthenticated, PermissionDenied, Unimplemented, BrokenPipeError)
_PHOTO = ("photo", "image")  # what we call it, and what the server does
_OPTIONS = ("style", "strength", "quality", "format", "metadata", "blend")  # fields that no photo is to blame for


def paint_one(
    client: Client,
    task: Task,
    style: TrainedStyle,
    options: Mapping[str, Any],
    report: Report,
    *,
    overwrite: bool,
) -> None:
    """Paint a photo, and write its picture, or tell what is wrong with the photo.

    Args:
        client: to the server.
        task: which photo.
        style: a trained style, or a blend.
        options: those of `Client.stylize`.
        report: is told of the photo.
        overwrite: whether a picture is replaced that has come to be there meanwhile.

    Raises:
        ImpastoClientError, OSError: there is none, and not because of the photo.
    """
    try:
        image = task.source.read()
        started = time.monotonic()
        painted = client.stylize(image, style, **options, format=task.format)
    except InvalidRequest as error:
        if not is_to_blame(error):
            raise
        report.failed(task, error)
        return
    write(task, painted, overwrite=overwrite)
    report.painted(task, painted, time.monotonic() - started)


def paint_several(
    client: Client,
    tasks: Sequence[Task],
    style: TrainedStyle,
    options: Mapping[str, Any],
    report: Report,
    *,
    overwrite: bool,
) -> None:
    """Paint photos as they are read, a few at a time, and write each picture as it comes.

    Args:
        client: to the server.
        tasks: which photos.
        style: a trained style, or a blend.
        options: those of `Client.stylize_stream`.
        report: is told of each photo; one that fails does not stop the others.
        overwrite: whether a picture is replaced that has come to be there meanwhile.

    Raises:
        ImpastoClientError, OSError: no photo could be painted, or written, after that.
    """
    unread: list[tuple[Task, InvalidRequest]] = []
    results = client.stylize_stream(_photos(tasks, unread), style, ordered=False, **options)
    try:
        for result in results:
            _tell_unread(unread, report)
            _settle(tasks[int(result.id)], result, report, overwrite)
        _tell_unread(unread, report)
    finally:
        results.close()


def write(task: Task, painted: Stylized, *, overwrite: bool) -> None:
    """Write a picture to where it goes, whole or not at all.

    Raises:
        InvalidRequest: there is something by now, and it is not to be replaced.
        OSError: with the name of the file.
    """
    if task.out is None:
        sys.stdout.buffer.write(painted.image)
        sys.stdout.buffer.flush()
    else:
        files.check_free(task.out, overwrite=overwrite)
        task.out.parent.mkdir(parents=True, exist_ok=True)
        files.write(task.out, painted.image)


def is_to_blame(error: Exception) -> bool:
    """Tell whether it is the photo that is wrong."""
    return isinstance(error, InvalidRequest) and error.field in _PHOTO


def stops_all(error: Exception) -> bool:
    """Tell whether no other photo would fare better."""
    if isinstance(error, InvalidRequest) and error.field.split("[")[0].split(".")[0] in _OPTIONS:
        return True
    return isinstance(error, _FOR_ALL) or (isinstance(error, OSError) and error.errno in _FULL)


def _photos(tasks: Sequence[Task], unread: list[tuple[Task, InvalidRequest]]) -> Iterator[Photo]:
    """Yield photos as they are asked for, from the stream's own thread; note those that cannot be read."""
    for number, task in enumerate(tasks):
        try:
            image = task.source.read()
        except InvalidRequest as error:
            unread.append((task, error))
        else:
            yield Photo(image, id=str(number), format=task.format)


def _tell_unread(unread: list[tuple[Task, InvalidRequest]], report: Report) -> None:
    while unread:
        report.failed(*unread.pop(0))


def _settle(task: Task, result: StreamResult, report: Report, overwrite: bool) -> None:
    try:
        painted = result.get()
        write(task, painted, overwrite=overwrite)
    except (ImpastoClientError, OSError) as error:
        if stops_all(error):
            raise
        report.failed(task, error)
    else:
        times = painted.stage_times
        report.painted(task, painted, times.decode + times.queue + times.engine + times.encode)

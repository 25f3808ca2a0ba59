"""What is kept of photos that could not be painted."""

from __future__ import annotations

import weakref
from pathlib import Path

from impasto_client.commands.photos.bars import NoBar
from impasto_client.commands.photos.reports import ForPeople
from impasto_client.commands.photos.sources import Source
from impasto_client.commands.photos.targets import Task
from impasto_client.errors import InvalidRequest


class Photo:
    """Stands for bytes, which cannot be watched."""


def test_a_failure_is_kept_without_the_photo() -> None:
    held: list[weakref.ref[Photo]] = []

    def refuse() -> None:
        photo = Photo()
        held.append(weakref.ref(photo))
        raise InvalidRequest("photo", "is damaged")

    told = ForPeople(2, NoBar(), quiet=True)
    try:
        refuse()
    except InvalidRequest as error:
        told.failed(Task(Source(Path("a.jpg"), Path("a.jpg")), Path("b.jpg"), "jpeg"), error)

    assert held[0]() is None
    assert told.end() == 4

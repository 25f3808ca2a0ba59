"""A database and a blob store belong together.

With a wrong one every job would seem to have lost its pictures, and sweeping would remove those of somebody else's. So
the database has an id, and the store's marker names it.
"""

from __future__ import annotations

from uuid import uuid4

from sqlalchemy import insert, select

from impasto.errors import InvalidInput, StoreUnavailable
from impasto.jobs.blobs import Blobs
from impasto.jobs.database import Database
from impasto.jobs.schema import deployment, jobs


def pair(database: Database, blobs: Blobs) -> None:
    """Mark a new blob store as the database's, or make sure that it is.

    Raises:
        InvalidInput: it is another database's.
        StoreUnavailable: it is unmarked, but the database has jobs: a disk is not mounted, or the wrong one is named.
    """
    with database.alone() as connection:
        name = connection.scalar(select(deployment.c.id))
        if name is None:
            name = uuid4().hex
            connection.execute(insert(deployment).values(id=name))
        used = connection.scalar(select(jobs.c.id).limit(1)) is not None
    marked = blobs.marker()
    if marked is None and used:
        raise StoreUnavailable(
            blobs.name,
            f"the pictures of the jobs in {database.name} are not in it; "
            "is its disk not mounted, or is it the wrong one?",
        )
    if marked not in (None, name):
        raise InvalidInput("blobs", f"in {blobs.name} lie the pictures of another database's jobs; give one of its own")
    blobs.mark(name)

"""A database and a blob store belong together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from impasto.errors import InvalidInput, StoreUnavailable
from impasto.jobs.blobs import MARKER
from tests.core.jobs.deployment import GIVEN, Deployment, create


def test_a_deployment_is_opened_again_and_again(deployment: Deployment) -> None:
    for _ in range(2):
        with deployment.opened() as one, deployment.opened() as another:
            assert one.list("anonymous", limit=9) == another.list("anonymous", limit=9)
            create(one)


def test_the_blobs_of_another_database_are_refused_and_stay(sqlite: Deployment, tmp_path: Path) -> None:
    with sqlite.opened() as jobs:
        job = create(jobs)
    intruder = replace(sqlite, database=f"sqlite:///{tmp_path}/another.sqlite")

    for _ in range(2):
        with pytest.raises(InvalidInput, match=r"lie the pictures of another database's jobs"), intruder.opened():
            pass

    assert sqlite.blobs(job) == GIVEN
    with sqlite.opened() as jobs:
        jobs.ping()


def test_an_empty_store_is_refused_while_there_are_jobs(deployment: Deployment) -> None:
    with deployment.opened() as jobs:
        create(jobs)
    unmounted = replace(deployment, folder=deployment.folder.with_name("unmounted"))

    with pytest.raises(StoreUnavailable, match=r"the pictures of the jobs in .* are not in it"), unmounted.opened():
        pass

    assert not (unmounted.folder / MARKER).exists()


def test_a_database_without_jobs_may_get_a_new_store(deployment: Deployment) -> None:
    with deployment.opened():
        pass
    moved = replace(deployment, folder=deployment.folder.with_name("moved"))

    with moved.opened() as jobs:
        assert moved.blobs(create(jobs)) == GIVEN

"""Every test of jobs that asks for a deployment runs on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from impasto.jobs import Jobs
from tests.core.jobs.deployment import Deployment
from tests.postgres import Postgres


@pytest.fixture(params=["sqlite", "postgresql"])
def deployment(request: pytest.FixtureRequest, tmp_path: Path) -> Deployment:
    """Return an empty deployment."""
    if request.param == "sqlite":
        return Deployment(f"sqlite:///{tmp_path}/state/jobs.sqlite", tmp_path / "blobs")
    server: Postgres = request.getfixturevalue("postgres")
    return Deployment(server.new_database(), tmp_path / "blobs")


@pytest.fixture
def sqlite(tmp_path: Path) -> Deployment:
    """Return an empty deployment on SQLite alone."""
    return Deployment(f"sqlite:///{tmp_path}/state/jobs.sqlite", tmp_path / "blobs")


@pytest.fixture
def jobs(deployment: Deployment) -> Iterator[Jobs]:
    """Return the jobs of the deployment."""
    with deployment.opened() as jobs:
        yield jobs

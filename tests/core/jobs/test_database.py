"""Databases by URL: what is understood, what is refused, and what is told of it."""

from __future__ import annotations

import sqlite3
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import select

from impasto.errors import InvalidInput, MissingDependency, StoreUnavailable
from impasto.jobs.database import Database
from impasto.jobs.schema import SECOND, clock, jobs
from tests.core.jobs.deployment import Deployment, create
from tests.postgres import PASSWORD, Postgres

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_the_clock_is_the_databases_in_microseconds(deployment: Deployment) -> None:
    database = Database.open(deployment.database)
    with database.read() as connection:
        now = connection.scalar(select(clock()))
    database.close()

    assert isinstance(now, int)
    assert now / SECOND == pytest.approx(time.time(), abs=2)


def test_many_may_make_the_table_at_once(deployment: Deployment) -> None:
    at_once = threading.Barrier(6)

    def open_it(_: int) -> str:
        at_once.wait()
        database = Database.open(deployment.database)
        with database.read() as connection:
            connection.execute(select(jobs)).all()
        database.close()
        return database.name

    with ThreadPoolExecutor(6) as threads:
        assert len(list(threads.map(open_it, range(6)))) == 6


def test_sqlite_keeps_a_write_ahead_log_in_a_folder_of_its_owner(sqlite: Deployment, tmp_path: Path) -> None:
    Database.open(sqlite.database).close()

    with sqlite3.connect(tmp_path / "state" / "jobs.sqlite") as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "state" / "jobs.sqlite").stat().st_mode & 0o777 == 0o600


def test_a_file_in_a_folder_with_an_odd_name_is_used(tmp_path: Path) -> None:
    database = Database.open(f"sqlite:///{tmp_path}/a folder#1/jobs 100%.sqlite")
    database.close()

    assert (tmp_path / "a folder#1" / "jobs 100%.sqlite").stat().st_size > 0


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "is no URL of a database"),
        ("/var/lib/jobs.sqlite", "is no URL of a database"),
        ("postgresql://user:secret@host:port/database", "is no URL of a database"),
        ("mysql://user:secret@host/database", "'mysql' is not supported"),
        ("postgresql+asyncpg://user:secret@host/database", "'postgresql+asyncpg' is not supported"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
    ],
)
def test_a_url_that_cannot_be_understood_says_what_to_give(url: str, reason: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Database.open(url)

    assert (
        str(caught.value)
        == f"database: {reason}; give sqlite:////folder/jobs.sqlite or postgresql://user@host/database"
    )
    assert caught.value.__cause__ is None


def test_a_missing_driver_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)

    with pytest.raises(MissingDependency, match=r"psycopg is not installed; run: pip install 'impasto\[postgres\]'"):
        Database.open("postgresql://user@host/database")


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StoreUnavailable, match=r"file/state/jobs\.sqlite cannot be used: Not a directory"):
        Database.open(f"sqlite:///{tmp_path}/file/state/jobs.sqlite")


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "jobs.sqlite").write_bytes(b"something else altogether" * 100)

    with pytest.raises(StoreUnavailable, match="file is not a database"):
        Database.open(f"sqlite:///{tmp_path}/jobs.sqlite")


def test_a_table_of_another_version_is_said_to_be_one(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "jobs.sqlite")
    connection.execute("CREATE TABLE impasto_jobs (id TEXT PRIMARY KEY)")
    connection.close()

    with pytest.raises(
        StoreUnavailable, match="another version of Impasto made the table impasto_jobs; it lacks attempts"
    ):
        Database.open(f"sqlite:///{tmp_path}/jobs.sqlite")


def test_a_table_of_an_earlier_version_gets_the_columns_that_it_lacks_and_keeps_its_rows(
    deployment: Deployment,
) -> None:
    with deployment.opened() as jobs:
        job = create(jobs)
    database = Database.open(deployment.database)
    with database.alone() as connection:
        connection.exec_driver_sql("ALTER TABLE impasto_jobs DROP COLUMN traceparent")
    database.close()

    with deployment.opened() as jobs:
        assert jobs.get(job.id, job.owner) == job
        assert create(jobs, traceparent=TRACEPARENT).traceparent == TRACEPARENT


def test_a_password_is_never_told(postgres: Postgres) -> None:
    url = postgres.new_database()
    wrong = url.replace(url.split(":")[2].split("@")[0], "wr0ng")
    elsewhere = url.replace(url.rsplit("/", 1)[1], "nowhere")
    in_query = f"{url.split('//')[0]}//127.0.0.1:1/x?user=u&password={PASSWORD.split('/')[0]}"

    for each, reason in (
        (wrong, "password authentication failed"),
        (elsewhere, "does not exist"),
        (in_query, "refused"),
    ):
        with pytest.raises(StoreUnavailable, match=reason) as caught:
            Database.open(each)
        for secret in (PASSWORD, PASSWORD.split("/")[0], "wr0ng"):
            assert secret not in str(caught.value)
        assert "***" in caught.value.store


def test_a_server_that_does_not_answer_is_given_up_soon() -> None:
    from socket import create_server

    with create_server(("127.0.0.1", 0), backlog=1) as silent:
        url = f"postgresql://user@127.0.0.1:{silent.getsockname()[1]}/database?connect_timeout=2"
        with pytest.raises(StoreUnavailable, match="timeout"):
            Database.open(url)

"""The database that jobs are kept in: SQLite or PostgreSQL, by URL."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Connection, Engine, create_engine, event, func, inspect, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, DisconnectionError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import QueuePool

from impasto.errors import InvalidInput, MissingDependency, StoreUnavailable
from impasto.jobs.schema import ADDED, jobs, metadata

_URLS = "give sqlite:////folder/jobs.sqlite or postgresql://user@host/database"
_OLDEST_SQLITE = (3, 35)  # has RETURNING
_BUSY_SECONDS = 10.0  # that a writer waits for another one
_FORGET_MILLISECONDS = 500  # that emptying the log waits for those who read it; it is tried again at every sweep
_POOL: dict[str, Any] = {"pool_size": 5, "max_overflow": 25, "pool_timeout": 10.0, "hide_parameters": True}
_POSTGRESQL = {  # so that a host that went away without a word is noticed in seconds, not in a quarter of an hour
    "connect_timeout": 5,  # s
    "tcp_user_timeout": 10_000,  # ms
    "keepalives_idle": 10,  # s
    "keepalives_interval": 5,  # s
    "keepalives_count": 2,
}
_FROZEN_SECONDS = 15.0  # after which a transaction that does nothing is ended: its process is stopped or gone
_LOCK = 0x696D706173746F  # "impasto": PostgreSQL's advisory locks are numbers
_WRITES = "impasto_writes"


class Database:
    """Transactions on the table of jobs. All of it raises StoreUnavailable when the database cannot be used.

    Attributes:
        name: its URL, without a password.
    """

    def __init__(self, engine: Engine, url: URL) -> None:
        self.name = _without_password(url)
        self._engine = engine
        self._password = url.password

    @classmethod
    def open(cls, url: str) -> Database:
        """Reach the database, and make the tables if they are missing; several processes may do so at once.

        Raises:
            InvalidInput: not a URL of a database that this can use.
            MissingDependency: of PostgreSQL's driver.
            StoreUnavailable: out of reach, not permitted, or made by another version.
        """
        parsed = _parse(url)
        sqlite = parsed.get_backend_name() == "sqlite"
        database = cls(_sqlite(parsed) if sqlite else _postgresql(parsed), parsed)
        try:
            if sqlite:
                database._use_write_ahead_log()
            database._make_tables()
        except BaseException:
            database.close()
            raise
        return database

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Enter a transaction that only reads."""
        with self._translated(), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Enter a transaction that writes; on SQLite the only one at a time."""
        with self._translated(), self._engine.connect() as connection:
            connection.execution_options(**{_WRITES: True})
            with connection.begin():
                yield connection

    @contextmanager
    def alone(self) -> Iterator[Connection]:
        """Enter a transaction that writes, of which there is one at a time on PostgreSQL too."""
        with self.write() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
            yield connection

    def forget(self) -> None:
        """Have what was deleted leave the write-ahead log of a SQLite file, too; while somebody reads, it stays.

        PostgreSQL does that by itself: what was deleted goes with the next vacuum.
        """
        if self._engine.dialect.name == "sqlite":
            self._run_alone(f"PRAGMA busy_timeout = {_FORGET_MILLISECONDS}", "PRAGMA wal_checkpoint(TRUNCATE)")

    def rewrite(self) -> None:
        """Write a SQLite file anew, without what deleted rows may have left in it, and forget.

        They are overwritten when they are deleted, but SQLite moves rows from page to page, and where one lay before
        it may have left a copy. Meanwhile others wait.
        """
        if self._engine.dialect.name == "sqlite":
            self._run_alone("VACUUM")
            self.forget()

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (IntegrityError, DataError):  # ours to mend, not the database's
            raise
        except (DBAPIError, PoolTimeout) as error:
            reason = str(error.orig if isinstance(error, DBAPIError) else error).strip()
            if self._password:
                reason = reason.replace(self._password, "***")
            raise StoreUnavailable(self.name, reason) from error

    def _make_tables(self) -> None:
        with self.alone() as connection:
            metadata.create_all(connection)
            present = {column["name"] for column in inspect(connection).get_columns(jobs.name)}
            missing = [column for column in jobs.columns if column.name not in present]
            if all(column.name in ADDED for column in missing):
                for column in missing:
                    _add(connection, column)
                return
        lacks = f"it lacks {', '.join(sorted(column.name for column in missing))}"
        raise StoreUnavailable(self.name, f"another version of Impasto made the table {jobs.name}; {lacks}")

    def _use_write_ahead_log(self) -> None:
        """Let readers and the writer of a SQLite file not wait for each other; the file remembers it.

        The switch fails at once while another process makes it, busy timeout or not.
        """
        deadline = time.monotonic() + _BUSY_SECONDS
        while True:
            try:
                self._run_alone("PRAGMA journal_mode = WAL")
                return
            except StoreUnavailable as error:
                if "locked" not in error.reason or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def _run_alone(self, *statements: str) -> None:
        """Run statements of SQLite's outside of any transaction, on a connection of their own."""
        try:
            connection = self._engine.raw_connection()
            try:
                for statement in statements:
                    connection.cursor().execute(statement).fetchall()
            finally:
                connection.invalidate()  # it may have settings now that others should not get
        except (sqlite3.Error, DBAPIError, PoolTimeout) as error:
            raise StoreUnavailable(self.name, str(error)) from error


def _add(connection: Connection, column: Column[Any]) -> None:
    """Add a column to the table that an earlier version made; its rows have nothing there."""
    kind = column.type.compile(connection.dialect)
    connection.exec_driver_sql(f"ALTER TABLE {jobs.name} ADD COLUMN {column.name} {kind}")


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # their messages quote parts of it, which may be the password
        raise InvalidInput("database", f"is no URL of a database; {_URLS}") from None
    if parsed.drivername in ("postgres", "postgresql"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername not in ("sqlite", "postgresql+psycopg"):
        raise InvalidInput("database", f"{parsed.drivername!r} is not supported; {_URLS}")
    if parsed.drivername == "sqlite" and (not parsed.database or parsed.database == ":memory:" or parsed.query):
        raise InvalidInput("database", f"names no file; {_URLS}")
    return parsed


def _without_password(url: URL) -> str:
    shown = url.set(drivername=url.get_backend_name())  # as it was given, without the driver
    return re.sub(r"(password=)[^&]*", r"\1***", shown.render_as_string(hide_password=True))


def _sqlite(url: URL) -> Engine:
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        oldest = ".".join(map(str, _OLDEST_SQLITE))
        raise StoreUnavailable(str(url), f"it needs SQLite {oldest}, and this is {sqlite3.sqlite_version}")
    assert url.database
    path = Path(url.database).expanduser().absolute()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
    except OSError as error:
        raise StoreUnavailable(str(url), error.strerror or str(error)) from error
    uri = f"{path.as_uri()}?mode=rw"  # a file that vanished must not come back empty

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)

    engine = create_engine("sqlite://", creator=connect, poolclass=QueuePool, **_POOL)

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, record: Any) -> None:
        connection.execute("PRAGMA synchronous = FULL")  # what was acknowledged survives a power cut
        connection.execute("PRAGMA secure_delete = ON")  # what is deleted is overwritten
        connection.execute("PRAGMA temp_store = MEMORY")  # nothing of it goes to a folder for temporary files
        record.info["file"] = _identity(path)

    @event.listens_for(engine, "checkout")
    def _check(_: sqlite3.Connection, record: Any, __: Any) -> None:
        if record.info["file"] != _identity(path):  # SQLite would go on writing into a deleted file
            raise DisconnectionError

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _postgresql(url: URL) -> Engine:
    connect = {key: value for key, value in _POSTGRESQL.items() if key not in url.query}
    try:
        engine = create_engine(
            url,
            # A pooler between may give each transaction another connection, which has not prepared the statement.
            connect_args={**connect, "prepare_threshold": None},
            isolation_level="READ COMMITTED",
            pool_pre_ping=True,
            **_POOL,
        )
    except ImportError as error:
        raise MissingDependency("psycopg", "postgres") from error

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # Not by the connection's options, which poolers refuse. A worker that freezes in mid-transaction holds its row.
        milliseconds = round(_FROZEN_SECONDS * 1e3)
        connection.exec_driver_sql(f"SET LOCAL idle_in_transaction_session_timeout = {milliseconds}")

    return engine

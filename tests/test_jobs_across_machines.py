"""Servers and workers on several machines: each a process of its own, that share PostgreSQL and S3 and nothing else."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest

from impasto import images
from impasto.images import Format, Pixels
from impasto.optimization import Optimization
from impasto_client import Client, Job, JobState, Painting
from impasto_worker.slow import stirred
from tests.postgres import Postgres
from tests.programs import Program
from tests.s3 import BUCKET, S3
from tests.server.starting import starting
from tests.support import fake_bundle, gradient
from tests.worker.processes import WorkerProcess, worker

WAIT = 120.0  # s, far more than anything here takes
STEPS = 40
PHOTO = gradient(48, 32)
FILE = images.encode(PHOTO, format=Format.PNG)
QUICK = ("--lease-seconds", "2", "--checkpoint-seconds", "0.2")
SERVERS_CONNECTIONS, WORKERS_CONNECTIONS = 8, 2


@dataclass(frozen=True)
class Site:
    """Machines that share a database and a bucket.

    Attributes:
        folder: of this moment's workers.
        servers: two, neither of which runs workers.
        store: the options that name both stores.
    """

    folder: Path
    postgres: Postgres
    s3: S3
    database: str
    servers: tuple[Program, Program]
    store: tuple[str, ...]

    @contextmanager
    def client(self, number: int) -> Iterator[Client]:
        """Return a client of one of the servers."""
        with Client(f"127.0.0.1:{self.servers[number].port('grpc')}", timeout=WAIT) as client:
            yield client

    @contextmanager
    def workers(self, *options: str, count: int = 2, **settings: Any) -> Iterator[list[WorkerProcess]]:
        """Run workers that are ready."""
        with ExitStack() as stack:
            made = [stack.enter_context(worker(self.folder, *self.store, *options, **settings)) for _ in range(count)]
            for each in made:
                each.wait_for("ready")
            yield made

    def connections(self) -> int:
        """Return how many connections to the database there are, without the one that asks."""
        with psycopg.connect(self.database) as connection:
            query = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
            row = connection.execute(query).fetchone()
        assert row
        return int(row[0]) - 1


@pytest.fixture(scope="module")
def bucket(s3_server: S3) -> Iterator[str]:
    """Return the URL of an empty folder in S3, which this process and those that it starts can reach."""
    with pytest.MonkeyPatch.context() as patch:
        s3_server.new_bucket(patch)
        yield f"s3://{BUCKET}/jobs"


@pytest.fixture(scope="module")
def site(
    postgres: Postgres, s3_server: S3, bucket: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[Path], Site]]:
    """Return what makes a site of the two servers, which are started while the database is away."""
    folder, database = tmp_path_factory.mktemp("site"), postgres.new_database()
    store = ("--database", database, "--blobs", bucket)
    bundle = fake_bundle(folder / "bundle").path
    options = ("--bundle", str(bundle), "--jobs", "on", "--workers", "0", *store)
    postgres.stop()
    with ExitStack() as stack:
        try:
            servers = [stack.enter_context(starting(folder, *options)) for _ in range(2)]
            for server in servers:
                server.wait_for_page("/readyz", 200, "ok")
                server.wait_for("job store away")
        finally:
            postgres.start()
        yield lambda path: Site(path, postgres, s3_server, database, (servers[0], servers[1]), store)


@pytest.fixture
def here(site: Callable[[Path], Site], tmp_path: Path) -> Site:
    """Return the site, with a folder for this test's workers."""
    return site(tmp_path)


def create(client: Client, steps: int = STEPS) -> str:
    return client.create_job(FILE, Painting(FILE), optimization={"steps": steps}, format="png", strength=1.0).name


def until_at(client: Client, name: str, step: int) -> None:
    for update in client.watch(name, timeout=WAIT):
        if update.job.progress.step >= step:
            return
    raise AssertionError(f"{name} ended before step {step}")


def ended(client: Client, name: str) -> Job:
    return client.wait(name, timeout=WAIT)


def picture(client: Client, name: str) -> Pixels:
    return images.decode(client.result(name, timeout=WAIT).image)


def expected(steps: int = STEPS) -> Pixels:
    return stirred(PHOTO, Optimization(steps=steps))


def id_of(name: str) -> str:
    return name.removeprefix("operations/")


def endings(workers: list[WorkerProcess]) -> list[tuple[str, str]]:
    """Return job and outcome of each attempt that the workers have ended."""
    return [(line["job"], line["outcome"]) for each in workers for line in each.lines("job")]


def at_work(name: str, workers: list[WorkerProcess]) -> tuple[WorkerProcess, WorkerProcess]:
    """Return of two workers first the one that has made steps of a job."""
    first, second = sorted(workers, key=lambda each: -len([s for s in each.lines("step") if s["job"] == id_of(name)]))
    return first, second


def test_servers_that_started_before_their_database_take_jobs_since_it_is_there(here: Site) -> None:
    for server in here.servers:
        server.wait_for("job store back")
        assert "Connection refused" in server.lines("job store away")[0]["reason"]
        assert len(server.lines("job store away")) == 1


def test_what_one_server_was_asked_for_is_watched_and_read_at_the_other_and_done_once(here: Site) -> None:
    with here.client(0) as one, here.client(1) as another, here.workers(step_seconds=0.01) as workers:
        names = [create(client, steps=20) for _ in range(4) for client in (one, another)]
        *_, last = another.watch(names[0], timeout=WAIT)
        assert last.job.state is JobState.SUCCEEDED
        np.testing.assert_array_equal(picture(another, names[0]), expected(20))
        assert {ended(one, name).state for name in names} == {JobState.SUCCEEDED}
        for each in workers:
            each.wait_for("job")  # both had some of them
        assert here.connections() <= 2 * SERVERS_CONNECTIONS + 2 * WORKERS_CONNECTIONS
        one.cancel(create(another, steps=1000))
        assert {each.end() for each in workers} == {0}
    done = [job for job, outcome in endings(workers) if outcome == "succeeded"]
    assert sorted(done) == sorted(map(id_of, names))


def test_a_worker_and_a_server_are_killed_and_the_job_ends_with_the_same_picture(here: Site, tmp_path: Path) -> None:
    bundle = str(fake_bundle(tmp_path / "bundle").path)
    doomed_server = starting(tmp_path, "--bundle", bundle, "--jobs", "on", "--workers", "0", *here.store)
    with here.client(1) as client, here.workers(*QUICK) as workers:
        with doomed_server as doomed, Client(f"127.0.0.1:{doomed.port('grpc')}", timeout=WAIT) as first:
            doomed.wait_for_page("/readyz", 200, "ok")
            name = create(first)
            doomed.end(signal.SIGKILL)
        until_at(client, name, STEPS // 2)
        victim, heir = at_work(name, workers)
        victim.wait_for("checkpoint")
        victim.end(signal.SIGKILL)
        assert ended(client, name).state is JobState.SUCCEEDED
        np.testing.assert_array_equal(picture(client, name), expected())
    assert heir.steps[0] > 1
    assert (id_of(name), "succeeded") in endings([heir])


def test_the_database_is_restarted_under_two_workers_and_no_step_is_lost_or_made_twice(here: Site) -> None:
    with here.client(0) as client, here.workers("--http", "127.0.0.1:0", *QUICK) as workers:
        names = [create(client) for _ in workers]
        for name in names:
            until_at(client, name, 3)
        here.postgres.stop()
        try:
            for each in workers:
                each.wait_for_page("/readyz", 503, "the store cannot be reached: postgresql://impasto:***@127.0.0.1")
        finally:
            here.postgres.start()
        assert {ended(client, name).state for name in names} == {JobState.SUCCEEDED}
        for name in names:
            np.testing.assert_array_equal(picture(client, name), expected())
        for each in workers:
            each.wait_for_page("/readyz", 200, "ok")
            assert each.steps == list(range(1, STEPS + 1))


def test_the_bucket_is_away_for_a_while_and_the_job_ends_once_it_is_back(here: Site) -> None:
    with here.client(0) as client, here.workers(*QUICK, count=1) as (only,):
        name = create(client)
        until_at(client, name, 3)
        here.s3.stop()
        try:
            only.wait_for_any("not saved, painting on", "the end of the job is not taken; trying again")
        finally:
            here.s3.start()
        assert ended(client, name).state is JobState.SUCCEEDED
        np.testing.assert_array_equal(picture(client, name), expected())
        assert only.steps == list(range(1, STEPS + 1))


def test_a_worker_whose_clock_goes_wrong_takes_nobodys_job(here: Site) -> None:
    """Leases are by the database's clock: one that is an hour ahead would find every lease lapsed by its own."""
    with here.client(0) as client, here.workers(*QUICK, count=1) as (steady,):
        name = create(client)
        until_at(client, name, 1)
        with here.workers(*QUICK, count=2, clock_ahead=3600) as ahead:
            assert ended(client, name).state is JobState.SUCCEEDED
            assert [line["job"] for each in ahead for line in each.lines("step")] == []
        assert steady.steps == list(range(1, STEPS + 1))


def test_a_worker_with_the_pictures_of_other_jobs_ends_with_a_word_and_one_without_any_waits(
    here: Site, tmp_path: Path
) -> None:
    with here.client(0) as client, here.workers(count=1, step_seconds=0.001):
        assert ended(client, create(client, steps=1)).state is JobState.SUCCEEDED
    other = ("--database", f"sqlite:///{tmp_path}/other.sqlite", "--blobs", str(tmp_path / "others"))
    with worker(tmp_path, *other) as owner:
        owner.wait_for("ready")
    database = ("--database", here.database)
    with worker(tmp_path, *database, "--blobs", str(tmp_path / "others")) as wrong:
        assert wrong.ended() == 1
        assert wrong.lines("cannot start")[0]["reason"] == (
            f"blobs: in {tmp_path}/others lie the pictures of another database's jobs; give one of its own"
        )
    with worker(tmp_path, *database, "--blobs", str(tmp_path / "empty"), "--http", "127.0.0.1:0") as waiting:
        waiting.wait_for_page("/readyz", 503, "are not in it; is its disk not mounted, or is it the wrong one?")
        assert waiting.end() == 0


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"--database": ("s3cret%2Fw%40rd", "wr0ng")}, 'password authentication failed for user "impasto"'),
        ({"--database": ("/postgres?", "/nowhere?")}, 'database "nowhere" does not exist'),
        ({"--blobs": (BUCKET, "no-such-bucket")}, "The specified bucket does not exist"),
        ({"AWS_ACCESS_KEY_ID": ("", "")}, "Unable to locate credentials"),
    ],
    ids=["password", "database", "bucket", "credentials"],
)
def test_a_worker_waits_for_what_is_missing_of_its_stores_and_says_what(
    here: Site, tmp_path: Path, change: dict[str, tuple[str, str]], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = list(here.store)
    if "--blobs" in change:
        options[options.index(here.database)] = here.postgres.new_database()  # of which no pictures can be missing
    for key, (old, new) in change.items():
        if key in options:
            where = options.index(key) + 1
            assert old in options[where]
            options[where] = options[where].replace(old, new)
        else:
            monkeypatch.delenv(key)
            monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with worker(tmp_path, *options, "--http", "127.0.0.1:0") as process:
        process.wait_for_page("/readyz", 503, reason)
        assert process.page("/livez") == (200, "ok\n")
        assert process.end() == 0
        (line,) = process.lines("the store cannot be reached; trying again")
        assert reason in line["reason"]
        assert "wr0ng" not in process.log.read_text()


def test_a_real_optimisation_goes_on_at_another_worker_from_the_checkpoint_in_the_bucket(here: Site) -> None:
    pytest.importorskip("torch")
    photo = images.encode(gradient(128, 96), format=Format.PNG)
    real: dict[str, Any] = {"module": "impasto_worker.main", "omp_num_threads": 1}
    with here.client(0) as client, here.workers(*QUICK, **real) as workers:
        name = client.create_job(photo, Painting(photo), optimization={"steps": 60}, working_size=128).name
        until_at(client, name, 1)
        victim, heir = at_work(name, workers)
        victim.wait_for("checkpoint", nth=2)
        victim.end(signal.SIGKILL)
        done = ended(client, name)
    assert (done.state, done.notes) == (JobState.SUCCEEDED, ())
    assert 1 < heir.steps[0] <= victim.steps[-1] + 1
    assert heir.steps == list(range(heir.steps[0], 61))

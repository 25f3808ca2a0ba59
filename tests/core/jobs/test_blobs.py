"""Blobs behave the same in a folder, in S3 and elsewhere."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

from impasto.errors import InvalidInput, MissingDependency, StoreUnavailable
from impasto.jobs import Jobs, State
from impasto.jobs.blobs import Blobs
from tests.core.jobs.deployment import COMMISSION, FILE, PAINTINGS, PHOTO, PROGRESS, RESULT, again, claimed, create
from tests.s3 import S3

JOB = "0123456789abcdef0123456789abcdef"


def opened(url: str) -> Blobs:
    blobs = Blobs.open(url)
    blobs.mark("the tests")
    return blobs


@pytest.fixture(params=["folder", "s3", "memory"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty store of each kind."""
    if request.param == "s3":
        found: str = request.getfixturevalue("s3")
        return found
    return str(tmp_path / "blobs") if request.param == "folder" else f"memory://{tmp_path}"


def test_what_is_written_is_read(url: str) -> None:
    blobs = opened(url)

    blobs.write(f"{JOB}/photo", PHOTO)
    blobs.write(f"{JOB}/empty", b"")
    blobs.write(f"{JOB}/photo", FILE)

    assert blobs.read(f"{JOB}/photo") == FILE
    assert blobs.read(f"{JOB}/empty") == b""
    assert sorted(blobs.list(JOB)) == [f"{JOB}/empty", f"{JOB}/photo"]
    pieces = blobs.stream(f"{JOB}/photo", 100, 4096)
    assert pieces is not None
    assert b"".join(pieces) == FILE[100:]
    assert opened(url).read(f"{JOB}/photo") == FILE


def test_a_store_says_whose_it_is(url: str) -> None:
    assert Blobs.open(url).marker() is None

    Blobs.open(url).mark("ours")

    assert Blobs.open(url).marker() == "ours"


def test_what_another_process_writes_is_seen(url: str) -> None:
    here, there = opened(url), opened(url)
    assert here.read(f"{JOB}/photo") is None
    assert here.list(JOB) == []

    there.write(f"{JOB}/photo", PHOTO)

    assert here.read(f"{JOB}/photo") == PHOTO
    assert here.list(JOB) == [f"{JOB}/photo"]


def test_what_is_not_there_is_none(url: str) -> None:
    blobs = opened(url)

    assert blobs.read(f"{JOB}/photo") is None
    assert blobs.stream(f"{JOB}/photo", 0, 10) is None
    assert blobs.list(JOB) == []
    blobs.remove(f"{JOB}/photo")
    blobs.remove_job(JOB)


def test_what_is_removed_is_gone(url: str) -> None:
    blobs = opened(url)
    for name in ("photo", "painting-0", "result-1"):
        blobs.write(f"{JOB}/{name}", PHOTO)
    blobs.write("another/photo", PHOTO)

    blobs.remove(f"{JOB}/photo", f"{JOB}/nothing")
    assert sorted(blobs.list(JOB)) == [f"{JOB}/painting-0", f"{JOB}/result-1"]
    blobs.remove_job(JOB)

    assert blobs.list(JOB) == []
    assert set(blobs.ages()) == {"another"}


def test_the_age_of_a_job_is_that_of_its_newest_blob(url: str) -> None:
    blobs = opened(url)
    blobs.write(f"{JOB}/photo", PHOTO)

    assert -2 < blobs.ages()[JOB] < 60


def test_the_age_of_a_job_is_told_by_the_stores_clock_whatever_ours_says(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = opened(url)
    blobs.write(f"{JOB}/photo", PHOTO)
    monkeypatch.setattr("time.time", lambda: 2e9)

    assert -2 < blobs.ages()[JOB] < 60


def test_a_blob_in_a_folder_is_whole_or_not_there_while_it_is_written(tmp_path: Path) -> None:
    blobs = opened(str(tmp_path))
    versions = [bytes([k]) * 300_000 for k in range(20)]
    done = threading.Event()

    def write() -> None:
        for version in versions:
            blobs.write(f"{JOB}/photo", version)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = {blobs.read(f"{JOB}/photo") for _ in iter(done.is_set, True)}
    writer.join()

    assert seen <= {None, *versions}
    assert blobs.list(JOB) == [f"{JOB}/photo"]


def test_a_folder_survives_jobs_that_are_written_and_removed_at_once(tmp_path: Path) -> None:
    blobs = opened(str(tmp_path))

    def write(name: str) -> None:
        for _ in range(50):
            blobs.write(f"{JOB}/{name}", PHOTO)

    writers = [threading.Thread(target=write, args=(name,)) for name in ("photo", "painting-0")]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        blobs.remove_job(JOB)
    blobs.remove_job(JOB)

    assert [path.name for path in tmp_path.iterdir()] == ["impasto-blobs"]


def test_pictures_in_a_folder_are_their_owners_alone(tmp_path: Path) -> None:
    opened(str(tmp_path / "state" / "blobs"))

    assert (tmp_path / "state" / "blobs").stat().st_mode & 0o777 == 0o700


# URLs


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "blobs: is empty; give a folder, or a URL such as s3://bucket/prefix"),
        ("nonsense://x", "blobs: fsspec does not know 'nonsense://x'"),
        ("gcs://bucket/x", "blobs: 'gcs://bucket/x' needs a package that is not installed"),
    ],
)
def test_a_url_that_cannot_be_understood_is_named(url: str, reason: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        opened(url)
    assert str(caught.value).startswith(reason)


def test_a_missing_s3fs_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    for protocol in ("s3", "s3a"):
        monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, protocol, raising=False)

    with pytest.raises(MissingDependency, match=r"s3fs is not installed; run: pip install 'impasto\[s3\]'"):
        opened("s3://bucket/prefix")


@pytest.mark.parametrize("url", ["file://{}/blobs", "local://{}/blobs", "{}/blobs"])
def test_a_folder_may_be_given_as_a_url(tmp_path: Path, url: str) -> None:
    opened(url.format(tmp_path)).write(f"{JOB}/photo", PHOTO)

    assert (tmp_path / "blobs" / JOB / "photo").read_bytes() == PHOTO


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StoreUnavailable, match="file/blobs cannot be used: Not a directory"):
        opened(str(tmp_path / "file" / "blobs"))


# S3


def test_a_whole_life_on_s3(s3: str, tmp_path: Path) -> None:
    jobs = Jobs.open(f"sqlite:///{tmp_path}/jobs.sqlite", s3)
    job = create(jobs)
    claim = claimed(jobs)
    assert (claim.photo(), claim.paintings(), claim.checkpoint()) == (PHOTO, PAINTINGS, None)
    claim.report(PROGRESS, preview=b"preview")
    assert jobs.preview(job) == b"preview"
    claim.save_checkpoint(b"first", PROGRESS)
    claim.save_checkpoint(b"second", PROGRESS)
    assert claim.checkpoint() == b"second"
    claim.succeed(FILE, RESULT)
    assert b"".join(jobs.read_result(again(jobs, job), 5, 1000)) == FILE[5:]

    blobs = Blobs.open(s3)
    assert blobs.list(job.id) == [f"{job.id}/result-1"]
    jobs.sweep()
    jobs.delete(job.id, job.owner)
    assert blobs.list(job.id) == []
    jobs.close()


def test_s3_that_goes_away_is_missed_and_then_used_again(s3: str, s3_server: S3, tmp_path: Path) -> None:
    jobs = Jobs.open(f"sqlite:///{tmp_path}/jobs.sqlite", s3)
    create(jobs)
    claim = claimed(jobs)

    s3_server.stop()
    try:
        with pytest.raises(StoreUnavailable, match=f"{s3} cannot be used"):
            jobs.create(COMMISSION, PHOTO, PAINTINGS)
        with pytest.raises(StoreUnavailable, match=f"{s3} cannot be used"):
            claim.photo()
    finally:
        s3_server.start()

    assert claim.photo() == PHOTO
    assert jobs.counts() == dict.fromkeys(State, 0) | {State.RUNNING: 1}
    jobs.close()


def test_a_bucket_that_is_not_there_is_named(s3: str) -> None:
    with pytest.raises(StoreUnavailable, match="s3://nowhere/prefix cannot be used"):
        opened("s3://nowhere/prefix")


def test_credentials_in_a_url_are_not_told(s3: str) -> None:
    with pytest.raises(StoreUnavailable) as caught:
        opened("s3://key:secret@nowhere/prefix")
    assert "secret" not in str(caught.value)

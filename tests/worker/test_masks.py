"""Jobs that paint a part of the photo: previews and result, by whichever worker."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from impasto import images
from impasto.images import Format, Pixels
from impasto.jobs import ANONYMOUS, Job, Jobs, State
from impasto.jobs.schema import to_commission, to_document
from impasto.masks import Masking
from impasto_worker.attempt import Outcome
from impasto_worker.reporting import Pace
from impasto_worker.slow import SlowPaint
from tests.core.masks import flat, left_half, png
from tests.worker.support import PHOTO, Bench, add_job, commission, is_at, now, open_store, result, wait_for

SHARP = Masking(feather=0)
SIZE = (48, 32)
HALF = png(left_half(*SIZE))


def add(jobs: Jobs, mask: bytes, masking: Masking = SHARP, **others: Any) -> Job:
    return add_job(jobs, mask_file=mask, mask=masking, **others)


def file(jobs: Jobs, job: Job) -> bytes:
    return b"".join(jobs.read_result(now(jobs, job)))


def unmasked(jobs: Jobs, **others: Any) -> Pixels:
    """Return what all of the photo is painted as."""
    job = add_job(jobs, **others)
    assert Bench(jobs).attempt() is Outcome.SUCCEEDED
    return result(jobs, job)


@pytest.mark.parametrize("strength", [1.0, 0.5])
def test_white_is_painted_and_black_is_the_photo(strength: float, tmp_path: Path) -> None:
    jobs = open_store(tmp_path)
    job = add(jobs, HALF, strength=strength)
    assert Bench(jobs).attempt() is Outcome.SUCCEEDED
    masked, whole = result(jobs, job), unmasked(jobs, strength=strength)
    jobs.close()

    np.testing.assert_array_equal(masked, np.where(left_half(*SIZE)[:, :, None] == 255, whole, PHOTO))
    assert not (whole == PHOTO).all()


def test_what_is_kept_is_the_photo_at_the_size_of_the_result(tmp_path: Path) -> None:
    jobs = open_store(tmp_path)
    job = add(jobs, HALF, output_size=(96, 64))
    assert Bench(jobs).attempt() is Outcome.SUCCEEDED
    masked, whole = result(jobs, job), unmasked(jobs, output_size=(96, 64))
    jobs.close()

    np.testing.assert_array_equal(masked[:, :46], whole[:, :46])
    np.testing.assert_array_equal(masked[:, 50:], images.resize(PHOTO, 96, 64)[:, 50:])


def test_previews_are_masked_too(tmp_path: Path) -> None:
    jobs = open_store(tmp_path)
    job = add(jobs, HALF, steps=10_000)
    bench = Bench(jobs, paint=SlowPaint(step_seconds=0.01), pace=Pace(preview_seconds=0.01))
    with bench.attempting():
        seen = wait_for(jobs, job, lambda job: job.progress.preview > 0)
        preview = jobs.preview(seen)
        jobs.cancel(job.id, ANONYMOUS)
    jobs.close()

    assert preview is not None
    difference = np.abs(images.decode(preview).astype(int) - images.decode(images.encode(PHOTO, quality=80)))
    assert difference[:, 32:].max() < 12  # two JPEGs, whose left halves differ
    assert difference[:, :16].max() > 40


def test_a_job_that_another_worker_goes_on_with_ends_with_the_same_bytes(tmp_path: Path) -> None:
    jobs = open_store(tmp_path)
    options: dict[str, Any] = {"masking": Masking(0.05, inverted=True), "steps": 60, "format": Format.JPEG}
    job, straight = add(jobs, HALF, **options), add(jobs, HALF, **options)
    first = Bench(jobs, paint=SlowPaint(step_seconds=0.02), pace=Pace(checkpoint_seconds=0.01))
    with first.attempting() as outcome:
        wait_for(jobs, job, is_at(5))
        first.stop.ask("a test")
    assert outcome == [Outcome.RELEASED]

    others = Bench(jobs)
    assert [others.attempt(), others.attempt()] == [Outcome.SUCCEEDED] * 2
    assert now(jobs, job).attempts == 2
    assert file(jobs, job) == file(jobs, straight)
    jobs.close()


def test_a_mask_that_is_all_white_changes_no_byte(tmp_path: Path) -> None:
    jobs = open_store(tmp_path)
    white, none = add(jobs, flat(SIZE, 255)), add_job(jobs)
    bench = Bench(jobs)
    assert [bench.attempt(), bench.attempt()] == [Outcome.SUCCEEDED] * 2
    assert file(jobs, white) == file(jobs, none)
    jobs.close()


def test_a_mask_that_is_all_black_gives_the_photo_back_unmarked(tmp_path: Path) -> None:
    jobs = open_store(tmp_path)
    job, half = add(jobs, flat(SIZE, 0)), add(jobs, HALF)
    bench = Bench(jobs)
    assert [bench.attempt(), bench.attempt()] == [Outcome.SUCCEEDED] * 2
    np.testing.assert_array_equal(result(jobs, job), PHOTO)
    assert b"DigitalSourceType" not in file(jobs, job)
    assert b"DigitalSourceType" in file(jobs, half)
    jobs.close()


def test_with_the_jobs_end_its_mask_goes(tmp_path: Path) -> None:
    jobs = open_store(tmp_path)
    job = add(jobs, HALF)
    assert (tmp_path / "blobs" / job.id / "mask").read_bytes() == HALF
    assert Bench(jobs).attempt() is Outcome.SUCCEEDED
    jobs.close()

    assert [path.name for path in (tmp_path / "blobs" / job.id).iterdir()] == ["result-1"]


def test_a_job_whose_mask_is_gone_fails_and_says_so(tmp_path: Path) -> None:
    jobs = open_store(tmp_path)
    job = add(jobs, HALF)
    (tmp_path / "blobs" / job.id / "mask").unlink()
    assert Bench(jobs).attempt() is Outcome.FAILED
    ended = now(jobs, job)
    jobs.close()

    assert ended.state is State.FAILED
    assert ended.failure is not None
    assert "mask" in ended.failure.message


def test_without_a_mask_a_job_is_stored_as_before_there_were_masks() -> None:
    plain, masked = commission(), commission(mask=Masking(0.02, inverted=True))
    assert "mask" not in json.loads(to_document(plain))
    assert to_commission(to_document(plain)) == plain
    assert to_commission(to_document(masked)) == masked

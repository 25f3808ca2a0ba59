"""What a job's result carries of its photo, and that it says how it was made."""

from __future__ import annotations

import io
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from PIL import ExifTags, Image

from impasto.images import Format
from impasto.jobs import Jobs
from impasto.metadata import MARK, MetadataPolicy
from impasto_worker.attempt import Outcome
from impasto_worker.options import load
from impasto_worker.reporting import Pace
from impasto_worker.slow import SlowPaint
from tests.core.exifs import phone, photo
from tests.worker.support import WAIT, Bench, add_job, now, open_store

STORE = ["--database", "sqlite:////jobs.sqlite", "--blobs", "/blobs"]


def made(jobs: Jobs, **others: Any) -> bytes:
    """Return the file that a job makes of a phone's photo."""
    job = add_job(jobs, photo=photo(phone()), **{"output_size": (48, 64), **others})
    assert Bench(jobs).attempt() is Outcome.SUCCEEDED
    return b"".join(jobs.read_result(now(jobs, job)))


def facts(file: bytes) -> tuple[Any, Any, Any]:
    """Return artist, latitude and width as a file's EXIF tells them."""
    block = Image.open(io.BytesIO(file)).getexif()
    taken, place = block.get_ifd(ExifTags.IFD.Exif), block.get_ifd(ExifTags.IFD.GPSInfo)
    return block.get(ExifTags.Base.Artist), place.get(2), taken.get(ExifTags.Base.ExifImageWidth)


@pytest.mark.parametrize("format", list(Format), ids=lambda each: each.value)
def test_a_result_carries_what_was_asked_for_and_is_marked(format: Format, tmp_path: Path) -> None:
    jobs = open_store(tmp_path)
    usual = made(jobs, format=format)
    whole = made(jobs, format=format, metadata=MetadataPolicy.ALL, output_size=(24, 32))
    bare = made(jobs, format=format, metadata=MetadataPolicy.NONE)
    jobs.close()

    assert facts(usual) == ("Ada Lovelace", None, 48)
    assert facts(whole) == ("Ada Lovelace", (52, 31, 12.5), 24)
    assert facts(bare) == (None, None, None)
    assert all(MARK in file for file in (usual, whole, bare))


def test_a_result_without_paint_is_not_marked(tmp_path: Path) -> None:
    jobs = open_store(tmp_path)
    file = made(jobs, strength=0.0)
    jobs.close()

    assert b"DigitalSourceType" not in file
    assert facts(file) == ("Ada Lovelace", None, 48)


def test_previews_and_checkpoints_carry_nothing(tmp_path: Path) -> None:
    jobs = open_store(tmp_path)
    add_job(jobs, 400, photo=photo(phone()), metadata=MetadataPolicy.ALL)
    bench = Bench(jobs, paint=SlowPaint(step_seconds=0.01), pace=Pace(preview_seconds=0.01, checkpoint_seconds=0.01))
    with bench.attempting():
        files = _saved(tmp_path, "preview") + _saved(tmp_path, "checkpoint")
        bench.stop.ask("enough was seen")
    jobs.close()

    assert not [file for file in files if b"Exif" in file or b"Ada Lovelace" in file or b"xmpmeta" in file]


def _saved(folder: Path, kind: str) -> list[bytes]:
    """Return a job's blobs of this kind, once there are any; each is soon replaced by the next."""
    deadline = time.monotonic() + WAIT
    while time.monotonic() < deadline:
        with suppress(FileNotFoundError):
            if found := [path.read_bytes() for path in (folder / "blobs").glob(f"*/{kind}-*")]:
                return found
    raise AssertionError(f"waited {WAIT:g} s for a {kind}")


@pytest.mark.parametrize(("given", "marks"), [([], True), (["--mark-results", "false"], False)])
def test_marking_is_an_option(given: list[str], marks: bool) -> None:
    assert load([*STORE, *given], {}).mark_results is marks


@pytest.mark.parametrize(("value", "marks"), [("1", True), ("True", True), ("off", False), ("0", False)])
def test_marking_can_be_set_in_the_environment_as_for_the_server(value: str, marks: bool) -> None:
    assert load(STORE, {"IMPASTO_MARK_RESULTS": value}).mark_results is marks


def test_anything_else_for_it_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        load([*STORE, "--mark-results", "perhaps"], {})

    assert "'perhaps' is neither true nor false" in capsys.readouterr().err

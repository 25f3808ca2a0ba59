"""What is told of a place that has been painted into."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from impasto_client import Client
from impasto_client.bulk import Shard, paint_folder, status
from impasto_client.cli import main
from tests.client.bulk.support import put


def painted_half(folder: Path, client: Client) -> Path:
    """Return a place of which one shard of two is painted, but for a photo that is none."""
    photos = put(folder / "photos", *(f"{number:02}.jpg" for number in range(12)))
    number = 0 if Shard(0, 2).has("bad.jpg") else 1
    (photos / "bad.jpg").write_text("no photo")
    paint_folder(client, str(photos), str(folder / "out"), "ink", shard=Shard(number, 2))
    return folder / "out"


def test_each_shard_is_told_of(tmp_path: Path, client: Client) -> None:
    told = status(str(painted_half(tmp_path, client)))

    begun, other = sorted(told.shards, key=lambda shard: shard.state)
    assert (begun.state, begun.failed, begun.left) == ("done", 1, 0)
    assert begun.photos == begun.done + 1
    assert (other.state, other.photos, other.done, other.left) == ("not begun", None, 0, None)
    assert (told.source, told.options) == (str(tmp_path / "photos"), {"style": "ink", "format": "jpeg"})


def test_after_another_number_of_shards_it_is_told_by_that(tmp_path: Path, client: Client) -> None:
    out = painted_half(tmp_path, client)
    paint_folder(client, str(tmp_path / "photos"), str(out), "ink")

    (shard,) = status(str(out)).shards

    assert (shard.photos, shard.done, shard.failed, shard.left) == (13, 12, 1, 0)


def test_the_program_prints_a_table_and_what_failed(
    tmp_path: Path, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    out = painted_half(tmp_path, client)

    assert main(["bulk-status", str(out)]) == 0
    about, _, header, *rows, _, count, failure = capsys.readouterr().out.splitlines()

    assert about == f'{out} from {tmp_path / "photos"}: {{"style": "ink", "format": "jpeg"}}'
    assert header.split() == ["SHARD", "STATE", "PHOTOS", "DONE", "FAILED", "LEFT", "UPDATED"]
    assert [row.split()[0] for row in rows] == ["0/2", "1/2", "all"]
    assert count == "1 failed:"
    assert failure.startswith("  bad.jpg: image: starts with b'no photo'")


def test_the_program_prints_json(tmp_path: Path, client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    out = painted_half(tmp_path, client)

    assert main(["bulk-status", str(out), "--json"]) == 0

    told = json.loads(capsys.readouterr().out)
    assert sorted(shard["state"] for shard in told["shards"]) == ["done", "not begun"]
    assert [(failure["source"], failure["again"]) for failure in told["failures"]] == [("bad.jpg", False)]


def test_a_place_that_was_not_painted_into_is_a_wrong_argument(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bulk-status", str(tmp_path)]) == 2
    assert "has no manifest" in capsys.readouterr().err


def test_an_entry_that_was_cut_off_is_passed_over(tmp_path: Path, client: Client) -> None:
    """As a machine that lost its power may leave it."""
    out = painted_half(tmp_path, client)
    (part,) = out.glob("_impasto/shards/*/*.jsonl")
    whole = sum(shard.done + shard.failed for shard in status(str(out)).shards)
    part.write_bytes(part.read_bytes()[:-10])

    assert sum(shard.done + shard.failed for shard in status(str(out)).shards) == whole - 1

"""Folders, painted by a real server."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from impasto import images
from impasto_client import Client, InvalidRequest, StyleUnknown
from impasto_client.bulk import Progress, Shard, paint_folder
from impasto_client.bulk.names import is_photo, is_sound, output_of
from impasto_client.cli import main
from tests.client.bulk.support import entries, pictures, put
from tests.client.stream_servers import negative
from tests.support import gradient


def test_every_photo_is_painted_to_its_own_path(tmp_path: Path, client: Client) -> None:
    photos = put(
        tmp_path / "photos", "a.png", "2026/may/B.PNG", "2026/c.jpg", "2026/d.webp", ".hidden.png", ".trash/e.png"
    )
    (photos / "notes.txt").write_text("no photo")
    seen: list[Progress] = []

    report = paint_folder(client, str(photos), str(tmp_path / "out"), "ink", format="png", on_progress=seen.append)

    assert pictures(tmp_path / "out") == {"a.png", "2026/may/B.PNG", "2026/c.jpg.png", "2026/d.webp.png"}
    assert (images.decode((tmp_path / "out" / "a.png").read_bytes()) == negative()).all()
    assert (report.painted, report.failed, report.done_before, report.stopped) == (4, 0, 0, False)
    assert (seen[-1].photos, seen[-1].counted, seen[-1].left, seen[-1].painted) == (4, True, 4, 4)


def test_the_manifest_has_an_entry_for_each(tmp_path: Path, client: Client) -> None:
    photos, out = put(tmp_path / "photos", "may/a.png"), tmp_path / "out"

    report = paint_folder(client, str(photos), str(out), "ink", width=32)

    (entry,) = entries(out)
    written = (out / "may/a.png.jpg").read_bytes()
    assert {key: entry[key] for key in ("source", "output", "state", "width", "height", "bytes", "bundle")} == {
        "source": "may/a.png", "output": "may/a.png.jpg", "state": "done", "width": 32, "height": 24,
        "bytes": len(written), "bundle": "test@1",
    }  # fmt: skip
    assert entry["size"] == (photos / "may/a.png").stat().st_size
    assert entry["modified"] == (photos / "may/a.png").stat().st_mtime
    assert entry["seconds"] > 0
    summary = json.loads((Path(report.manifest) / "summary.json").read_text())
    assert (summary["state"], summary["photos"], summary["painted"], summary["failed"]) == ("done", 1, 1, 0)
    assert summary["options"] == {"style": "ink", "format": "jpeg", "width": 32}


@pytest.mark.parametrize(
    ("path", "format", "output"),
    [
        ("a.jpg", "jpeg", "a.jpg"),
        ("a.JPEG", "jpeg", "a.JPEG"),
        ("a.png", "jpeg", "a.png.jpg"),
        ("a.png.jpg", "jpeg", "a.png.jpg.jpg"),
        ("a.png.jpg.jpg", "jpeg", "a.png.jpg.jpg.jpg"),
        ("a.jpg.jpg", "jpeg", "a.jpg.jpg"),
        ("b/a.jpg", "webp", "b/a.jpg.webp"),
    ],
)
def test_no_two_photos_have_the_same_picture(path: str, format: str, output: str) -> None:
    assert output_of(path, format) == output


def test_what_is_a_photo_and_what_is_a_sound_path() -> None:
    assert [path for path in ("a.jpg", "b/c.WebP", "d.gif", "jpg", ".a.jpg", "_impasto/a.jpg") if is_photo(path)] == [
        "a.jpg",
        "b/c.WebP",
    ]
    assert [path for path in ("a.jpg", "b/c.jpg", "../a.jpg", "b//c.jpg", "./a.jpg", "a\0.jpg") if is_sound(path)] == [
        "a.jpg",
        "b/c.jpg",
    ]


def test_shards_together_paint_everything_once(tmp_path: Path, client: Client) -> None:
    photos = put(tmp_path / "photos", *(f"{number:02}.jpg" for number in range(30)))

    reports = [paint_folder(client, str(photos), str(tmp_path / "out"), "ink", shard=Shard(n, 3)) for n in range(3)]

    assert all(report.painted for report in reports)
    assert sorted(entry["source"] for entry in entries(tmp_path / "out")) == sorted(pictures(photos))
    again = paint_folder(client, str(photos), str(tmp_path / "out"), "ink", shard=Shard(0, 2))
    assert again.painted == 0
    assert 0 < again.done_before < 30


def test_several_streams_share_the_work(tmp_path: Path, client: Client) -> None:
    photos = put(tmp_path / "photos", *(f"{number:02}.jpg" for number in range(20)))

    report = paint_folder(client, str(photos), str(tmp_path / "out"), {"ink": 1, "gold": 2}, streams=3, window=2)

    assert report.painted == 20
    assert len(list(entries(tmp_path / "out"))) == 20


def test_a_second_run_paints_what_is_new_or_has_changed(tmp_path: Path, client: Client) -> None:
    photos, out = put(tmp_path / "photos", "a.jpg", "b.jpg", "c.jpg"), tmp_path / "out"
    paint_folder(client, str(photos), str(out), "ink")
    put(photos, "b.jpg", width=80)
    put(photos, "d.jpg")
    os.utime(photos / "c.jpg", (1, 1))

    report = paint_folder(client, str(photos), str(out), "ink")

    assert (report.painted, report.done_before) == (3, 1)
    assert images.decode((out / "b.jpg").read_bytes()).shape == (48, 80, 3)
    assert paint_folder(client, str(photos), str(out), "ink").done_before == 4


def test_other_options_are_refused_unless_the_difference_may_be_painted_again(tmp_path: Path, client: Client) -> None:
    photos, out = put(tmp_path / "photos", "a.png"), tmp_path / "out"
    paint_folder(client, str(photos), str(out), "ink", format="png")

    with pytest.raises(InvalidRequest, match='strength left out, not 0.0; style "ink", not "gold"'.replace("; ", ", ")):
        paint_folder(client, str(photos), str(out), "gold", format="png", strength=0.0)

    assert (images.decode((out / "a.png").read_bytes()) == negative()).all()
    report = paint_folder(client, str(photos), str(out), "gold", format="png", strength=0.0, repaint=True)
    assert report.painted == 1
    assert (images.decode((out / "a.png").read_bytes()) == gradient()).all()
    assert paint_folder(client, str(photos), str(out), "gold", format="png", strength=0.0).done_before == 1


def test_photos_of_another_place_are_other_options(tmp_path: Path, client: Client) -> None:
    paint_folder(client, str(put(tmp_path / "one", "a.jpg")), str(tmp_path / "out"), "ink")

    with pytest.raises(InvalidRequest, match="was painted with source"):
        paint_folder(client, str(put(tmp_path / "two", "b.jpg")), str(tmp_path / "out"), "ink")


def test_pictures_may_go_below_the_photos_and_are_no_photos_then(tmp_path: Path, client: Client) -> None:
    photos = put(tmp_path / "photos", "a.jpg", "b/c.jpg")

    for _ in range(2):
        paint_folder(client, str(photos), str(photos / "painted"), "ink")

    assert pictures(photos / "painted") == {"a.jpg", "b/c.jpg"}


@pytest.mark.parametrize("out", ["photos", ".", "photos/../photos"])
def test_pictures_cannot_take_the_place_of_photos(out: str, tmp_path: Path, client: Client) -> None:
    photos = put(tmp_path / "photos", "a.jpg")
    before = (photos / "a.jpg").read_bytes()

    with pytest.raises(InvalidRequest, match="is source, or has it in itself"):
        paint_folder(client, str(photos), str(tmp_path / out), "ink")

    assert (photos / "a.jpg").read_bytes() == before


def test_patterns_choose(tmp_path: Path, client: Client) -> None:
    photos = put(tmp_path / "photos", "2025/a.jpg", "2026/b.jpg", "2026/may/c.png")

    paint_folder(client, str(photos), str(tmp_path / "out"), "ink", include=["2025/*", "*.png"])

    assert pictures(tmp_path / "out") == {"2025/a.jpg", "2026/may/c.png.jpg"}


@pytest.mark.parametrize(
    ("source", "options", "error", "said"),
    [
        ("missing", {}, InvalidRequest, "there is no folder or bucket .*missing"),
        ("empty", {}, InvalidRequest, "holds no photo"),
        ("photos", {"include": ["*.gif"]}, InvalidRequest, r"holds no photo that matches \*.gif"),
        ("photos", {"style": "inc"}, StyleUnknown, "did you mean 'ink'"),
        ("photos", {"style": {"ink": 1, "inc": 1}}, StyleUnknown, "no style 'inc'"),
        ("photos", {"strength": 2.0}, InvalidRequest, "strength"),
        ("photos", {"format": "gif"}, InvalidRequest, "format"),
        ("photos", {"window": 0}, InvalidRequest, "window"),
        ("photos", {"streams": 0}, InvalidRequest, "streams"),
        ("photos", {"timeout": 0}, InvalidRequest, "timeout"),
        ("what://photos", {}, InvalidRequest, "fsspec does not know 'what://photos'"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_written(
    source: str, options: dict[str, object], error: type[Exception], said: str, tmp_path: Path, client: Client
) -> None:
    put(tmp_path / "photos", "a.jpg")
    (tmp_path / "empty").mkdir()
    place = source if "://" in source else str(tmp_path / source)

    with pytest.raises(error, match=said):
        paint_folder(client, place, str(tmp_path / "out"), **{"style": "ink", **options})  # type: ignore[arg-type]

    assert not (tmp_path / "out").exists()


def test_the_program_tells_the_outcome(
    tmp_path: Path, target: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    photos, out = put(tmp_path / "photos", "a.jpg", "b.jpg"), tmp_path / "out"
    monkeypatch.setenv("IMPASTO_SERVER", target)

    assert main(["bulk", str(photos), str(out), "--blend", "ink=1", "gold=1", "--shard", "0/1"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("2 painted in ")
    assert second == f"manifest: {out}/_impasto/shards/0-of-1"

    assert main(["bulk", str(photos), str(out), "--blend", "gold=1", "ink=1", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["painted"], report["done_before"], report["failed"]) == (0, 2, 0)


def test_programs_are_told_of_failures_in_one_error(
    tmp_path: Path, target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = put(tmp_path / "photos", "a.jpg")
    (photos / "letter.jpg").write_text("Dear Sir or Madam")

    assert main(["bulk", str(photos), str(tmp_path / "out"), "--style", "ink", "--json", "--server", target]) == 4

    printed = capsys.readouterr()
    report, told = json.loads(printed.out), json.loads(printed.err)
    assert (report["painted"], report["failed"]) == (1, 1)
    assert (told["error"]["kind"], told["error"]["exit_status"]) == ("SomeFailed", 4)


@pytest.mark.parametrize(
    ("environment", "arguments", "said"),
    [
        ({"JOB_COMPLETION_INDEX": "0"}, [], "$IMPASTO_SHARDS is not"),
        ({"IMPASTO_SHARDS": "4"}, [], "$JOB_COMPLETION_INDEX is not"),
        ({"IMPASTO_SHARDS": "4", "JOB_COMPLETION_INDEX": "4"}, [], "4/4 is none"),
        ({}, ["--shard", "1"], "'1' is none"),
        ({}, ["--shard", "0/0"], "0/0 is none"),
    ],
)
def test_a_shard_that_is_none_is_refused(
    environment: dict[str, str],
    arguments: list[str],
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert main(["bulk", str(tmp_path), str(tmp_path / "out"), "--style", "ink", *arguments]) == 2
    assert said in capsys.readouterr().err

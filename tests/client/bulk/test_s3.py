"""Buckets, on an S3 of the tests' own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fsspec
import pytest

from impasto import images
from impasto_client import Client, InvalidRequest
from impasto_client.bulk import Shard, paint_folder, status
from impasto_client.cli import main
from tests.client.bulk.processes import bulk, ended, until
from tests.client.bulk.support import Pausing, entries, pictures, put, put_many
from tests.client.servers import serving
from tests.client.stream_servers import photo


def files() -> Any:
    return fsspec.filesystem("s3", skip_instance_cache=True, use_listings_cache=False)


def fill(url: str, *paths: str, width: int = 64) -> None:
    files().pipe({f"{url}/{path}": photo(width) for path in paths})


def found(url: str) -> set[str]:
    """Return the paths of the pictures below a URL."""
    root = url.removeprefix("s3://")
    paths = {path.removeprefix(f"{root}/") for path in files().find(root)}
    return {path for path in paths if not path.startswith("_impasto/")}


def test_a_bucket_is_painted_into_another_place_by_shards(s3: str, client: Client) -> None:
    source, out = f"{s3}/photos", f"{s3}/painted"
    fill(source, "a.png", "2026/b.png", "2026/may/c.png", "d.png")
    files().pipe(f"{source}/text.jpg", b"no photo")

    reports = [paint_folder(client, source, out, "ink", shard=Shard(number, 2)) for number in range(2)]

    assert found(out) == {"a.png.jpg", "2026/b.png.jpg", "2026/may/c.png.jpg", "d.png.jpg"}
    assert sum(report.painted for report in reports) == 4
    told = status(out)
    assert [(shard.state, shard.left) for shard in told.shards] == [("done", 0)] * 2
    assert sum(shard.done for shard in told.shards) == 4
    assert [failure.source for failure in told.failures] == ["text.jpg"]
    assert paint_folder(client, source, out, "ink").done_before == 4


def test_what_has_changed_in_a_bucket_is_painted_again(s3: str, client: Client) -> None:
    source, out = f"{s3}/photos", f"{s3}/painted"
    fill(source, "a.png", "b.png")
    paint_folder(client, source, out, "ink")
    fill(source, "b.png", width=80)

    report = paint_folder(client, source, out, "ink")

    assert (report.painted, report.done_before) == (1, 1)
    assert images.decode(files().cat_file(f"{out}/b.png.jpg")).shape == (48, 80, 3)


def test_a_bucket_is_painted_into_a_folder_and_a_folder_into_a_bucket(s3: str, client: Client, tmp_path: Path) -> None:
    fill(s3, "may/a.png")
    paint_folder(client, s3, str(tmp_path / "out"), "ink", format="png")
    (entry,) = entries(tmp_path / "out")
    assert len(entry["etag"]) == 32
    assert pictures(tmp_path / "out") == {"may/a.png"}

    paint_folder(client, str(put(tmp_path / "photos", "b.jpg")), f"{s3}/painted", "ink")
    assert found(f"{s3}/painted") == {"b.jpg"}


def test_pictures_may_go_below_the_photos_of_a_bucket(s3: str, client: Client) -> None:
    fill(s3, "a.png")
    for _ in range(2):
        paint_folder(client, s3, f"{s3}/painted/", "ink")
    assert found(f"{s3}/painted") == {"a.png.jpg"}

    with pytest.raises(InvalidRequest, match="is source, or has it in itself"):
        paint_folder(client, s3, s3.rsplit("/", 1)[0], "ink")


def test_names_that_would_leave_a_folder_are_told_and_not_followed(s3: str, client: Client, tmp_path: Path) -> None:
    fill(s3, "good.png", "a/../../../evil.png", "b//c.png")

    report = paint_folder(client, s3, str(tmp_path / "deep" / "out"), "ink")

    assert (report.painted, report.failed) == (1, 2)
    assert {path.split("/")[0] for path in pictures(tmp_path)} == {"deep"}
    assert pictures(tmp_path / "deep" / "out") == {"good.png.jpg"}


def test_a_process_that_is_killed_leaves_whole_pictures_and_the_next_paints_the_rest(
    s3: str, target: str, tmp_path: Path
) -> None:
    photos = put_many(tmp_path / "photos", 40)
    arguments = ("bulk", photos, s3, "--style", "ink", "--server")
    with serving(Pausing(11)) as server, bulk(*arguments, server.target) as process:
        until(lambda: len(found(s3)) == 10)
        process.kill()
        process.wait()

    with bulk(*arguments, target, "--json") as process:
        code, output, _ = ended(process)

    assert code == 0
    report = json.loads(output)
    assert report["painted"] + report["done_before"] == 40
    assert len(found(s3)) == 40
    assert all(images.decode(data).size for data in files().cat([f"{s3}/{path}" for path in found(s3)]).values())


@pytest.mark.parametrize("url", ["s3://missing/photos", "s3://tests/some/prefix/none"])
def test_a_bucket_or_a_prefix_that_is_not_there_is_a_wrong_argument(
    url: str, s3: str, target: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bulk", url, str(tmp_path / "out"), "--style", "ink", "--server", target]) == 2
    assert url in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_credentials_in_a_url_are_never_told(tmp_path: Path, target: str, capsys: pytest.CaptureFixture[str]) -> None:
    photos = put(tmp_path / "photos", "a.jpg")
    url = "ftp://user:hush-hush@127.0.0.1:1/out"

    assert main(["bulk", str(photos), url, "--style", "ink", "--server", target]) == 1

    said = capsys.readouterr().err
    assert "hush" not in said
    assert "user" not in said

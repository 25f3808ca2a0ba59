"""Bundles are copied whole and verified, or not at all."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from impasto.bundle import MANIFEST, load_bundle, sha256
from impasto.errors import InvalidInput
from impasto_server.bundles.fetching import Cache
from impasto_server.errors import BundleDamaged, BundleUnreachable, FolderUnusable
from tests.server.hot_support import upload
from tests.support import fake_bundle, files_no_larger_than


def change_manifest(bundle: Path, change: Callable[[dict[str, Any]], None]) -> None:
    manifest = json.loads((bundle / MANIFEST).read_text())
    change(manifest)
    (bundle / MANIFEST).write_text(json.dumps(manifest))


def test_a_copy_is_the_bundle_under_the_digest_of_its_manifest(tmp_path: Path) -> None:
    bundle = fake_bundle(tmp_path / "bundle")
    copy = Cache(tmp_path / "cache").fetch(str(bundle.path))
    assert copy.path == tmp_path / "cache" / sha256((bundle.path / MANIFEST).read_bytes())
    assert copy.manifest == bundle.manifest == load_bundle(copy.path).manifest
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [copy.path.name]


def test_what_is_there_is_not_copied_again(s3: str, tmp_path: Path) -> None:
    bundle = fake_bundle(tmp_path / "bundle")
    upload(bundle.path, f"{s3}/mine")
    cache = Cache(tmp_path / "cache")
    copy = cache.fetch(f"{s3}/mine")
    before = {path: path.stat().st_mtime_ns for path in copy.path.rglob("*")}
    assert cache.fetch(f"{s3}/mine").path == copy.path
    assert cache.fetch(str(bundle.path)).path == copy.path
    assert {path: path.stat().st_mtime_ns for path in copy.path.rglob("*")} == before


@pytest.mark.parametrize("file", [MANIFEST, "transformer.safetensors"])
def test_a_copy_that_a_disk_has_spoilt_is_made_anew(tmp_path: Path, file: str) -> None:
    bundle, cache = fake_bundle(tmp_path / "bundle"), Cache(tmp_path / "cache")
    copy = cache.fetch(str(bundle.path))
    (copy.path / file).write_bytes(b"spoilt")
    cache.fetch(str(bundle.path))
    assert (copy.path / file).read_bytes() == (bundle.path / file).read_bytes()


def test_several_that_fetch_at_once_get_one_copy(tmp_path: Path) -> None:
    bundle, found = fake_bundle(tmp_path / "bundle"), []
    threads = [
        threading.Thread(target=lambda: found.append(Cache(tmp_path / "cache").fetch(str(bundle.path)).path))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert list((tmp_path / "cache").iterdir()) == [found[0]]


@pytest.mark.parametrize("name", ["../outside", "/etc/outside", "styles/../../outside", "nul\0byte"])
def test_a_manifest_that_leads_outside_is_refused_and_nothing_is_written(tmp_path: Path, name: str) -> None:
    bundle = fake_bundle(tmp_path / "bundle").path
    change_manifest(bundle, lambda manifest: manifest["files"].update({name: "0" * 64}))
    with pytest.raises(BundleDamaged, match="lies outside the bundle; do not trust it"):
        Cache(tmp_path / "cache").fetch(str(bundle))
    assert not (tmp_path / "cache").exists()


def test_a_bundle_larger_than_one_may_be_is_refused_on_the_way(tmp_path: Path) -> None:
    bundle = fake_bundle(tmp_path / "bundle").path
    size = sum(path.stat().st_size for path in bundle.rglob("*") if path.is_file() and path.name != MANIFEST)
    assert Cache(tmp_path / "large", most_bytes=size).fetch(str(bundle))
    with pytest.raises(BundleDamaged, match="makes it larger than a bundle may be"):
        Cache(tmp_path / "small", most_bytes=size - 1).fetch(str(bundle))
    assert list((tmp_path / "small").iterdir()) == []


def test_a_bundle_of_too_many_files_is_refused(tmp_path: Path) -> None:
    bundle = fake_bundle(tmp_path / "bundle")
    count = len(bundle.manifest["files"])
    with pytest.raises(BundleDamaged, match=f"lists {count} files.*{count - 1} of 200 are the most"):
        Cache(tmp_path / "cache", most_files=count - 1).fetch(str(bundle.path))


def test_a_file_that_is_a_folder_as_well_is_refused(tmp_path: Path) -> None:
    bundle = fake_bundle(tmp_path / "bundle").path
    change_manifest(bundle, lambda manifest: manifest["files"].update({"transformer.onnx/more": "0" * 64}))
    with pytest.raises(BundleDamaged, match="as a file and as a folder"):
        Cache(tmp_path / "cache").fetch(str(bundle))


@pytest.mark.parametrize("file", [MANIFEST, "transformer.onnx"])
def test_a_pipe_is_no_file_and_not_waited_for(tmp_path: Path, file: str) -> None:
    bundle = fake_bundle(tmp_path / "bundle").path
    (bundle / file).unlink()
    os.mkfifo(bundle / file)
    with pytest.raises(BundleDamaged, match=f"{file} is no file"):
        Cache(tmp_path / "cache").fetch(str(bundle))


def test_errors_say_where_a_bundle_came_from_and_not_where_it_was_copied_to(tmp_path: Path) -> None:
    bundle = fake_bundle(tmp_path / "bundle").path
    (bundle / "transformer.onnx").write_bytes(b"altered")
    with pytest.raises(BundleDamaged) as caught:
        Cache(tmp_path / "cache").fetch(str(bundle))
    assert str(caught.value).startswith(f"{bundle}: transformer.onnx has SHA-256 ")
    assert str(tmp_path / "cache") not in str(caught.value)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("", "source: is empty"),
        ("nonsense://place", "source: fsspec does not know 'nonsense://place'"),
        ("s3:///mine", "source: 's3:///mine' names no bucket; give s3://bucket/prefix"),
        ("s3://no bucket!/mine", "source: 's3://no bucket!/mine' names no bucket"),
        ("gs://bucket/mine", "source: 'gs://bucket/mine' needs a package that is not installed"),
        ("{folder}/nowhere", "source: there is no bundle.json in .*nowhere; give a bundle's folder"),
        ("memory://nowhere", "source: there is no bundle.json in memory://nowhere"),
    ],
)
def test_a_source_that_holds_no_bundle_is_the_callers_mistake(tmp_path: Path, source: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        Cache(tmp_path / "cache").fetch(source.format(folder=tmp_path))


def test_a_full_disk_leaves_nothing_behind_and_may_be_tried_again(tmp_path: Path) -> None:
    bundle, cache = fake_bundle(tmp_path / "bundle").path, Cache(tmp_path / "cache")
    with files_no_larger_than(100), pytest.raises(BundleUnreachable, match=r"its copy in .*cache"):
        cache.fetch(str(bundle))
    assert list((tmp_path / "cache").iterdir()) == []
    assert cache.fetch(str(bundle))


def test_what_a_killed_process_left_is_removed_after_a_day(tmp_path: Path) -> None:
    cache, bundle = Cache(tmp_path / "cache"), fake_bundle(tmp_path / "bundle")
    copy = cache.fetch(str(bundle.path)).path
    old, new = tmp_path / "cache" / ".draft-old", tmp_path / "cache" / ".draft-new"
    for draft in (old, new):
        draft.mkdir()
    os.utime(old, (0, 0))
    cache.tidy()
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == sorted([copy.name, ".draft-new"])


@pytest.mark.parametrize(
    ("status", "error"), [(404, InvalidInput), (503, BundleUnreachable), (None, BundleUnreachable)]
)
def test_a_web_server_that_is_away_or_at_a_loss_is_told_from_one_that_has_no_bundle(
    tmp_path: Path, status: int | None, error: type[Exception]
) -> None:
    with _web_server(status) as port, pytest.raises(error):
        Cache(tmp_path / "cache").fetch(f"http://127.0.0.1:{port}/mine")


def test_a_folder_for_copies_in_whose_place_there_is_a_file_is_told_of_at_once(
    tmp_path: Path,
) -> None:
    Cache(tmp_path / "cache").check()
    assert list((tmp_path / "cache").iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(FolderUnusable, match="file/cache cannot be written to: Not a directory; mount a folder"):
        Cache(tmp_path / "file" / "cache").check()


@contextmanager
def _web_server(status: int | None) -> Iterator[int]:
    """Answer every request with this status; with None, be nowhere. Yields the port."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status or 0)
            self.end_headers()

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        if status is None:
            server.server_close()
            yield server.server_port
            return
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()

"""What is missing at the start: what may come is waited for, what was configured wrongly ends it with one line."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from impasto.bundle import GRAPH
from impasto.v1 import stylizer_pb2 as pb
from impasto.v1.stylizer_pb2_grpc import StylizerStub
from tests.programs import Program
from tests.s3 import S3
from tests.server.hot_support import upload
from tests.server.starting import REAL, mounted, starting
from tests.server.support import photo, reason
from tests.support import fake_bundle


@contextmanager
def away(s3_server: S3) -> Iterator[None]:
    s3_server.stop()
    try:
        yield
    finally:
        s3_server.start()


def refusals(server: Program) -> list[Any]:
    """Return what a server answers to calls that need bundles, when it answers with errors."""
    errors = []
    with grpc.insecure_channel(f"127.0.0.1:{server.port('grpc')}") as channel:
        stub: Any = StylizerStub(channel)  # type: ignore[no-untyped-call]
        for call, request in (
            (stub.Stylize, pb.StylizeRequest(image=photo(), style_id="ink")),
            (stub.ListStyles, pb.ListStylesRequest()),
            (stub.GetStyle, pb.GetStyleRequest(name="bundles/test/styles/ink")),
        ):
            with pytest.raises(grpc.RpcError) as caught:
                call(request, timeout=60)
            errors.append(caught.value)
    return errors


def last_words(server: Program) -> str:
    """Return why a program could not start, from its one critical line, which is its last."""
    assert server.ended() == 1
    *others, last = server.logged()
    assert (last["level"], last["event"]) == ("critical", "cannot start")
    assert "critical" not in [line["level"] for line in others]
    assert "Traceback" not in server.log.read_text()
    said: str = last["reason"]
    return said


# What may come


def test_a_bundle_whose_store_is_away_is_waited_for_by_a_server_that_lives_and_says_why(
    s3: str, s3_server: S3, tmp_path: Path
) -> None:
    url = f"{s3}/mine"
    upload(fake_bundle(tmp_path / "bundle").path, url)
    with away(s3_server), starting(tmp_path, "--bundle", url) as server:
        why = f"warming up; waiting for a bundle: {url} cannot be had now: Could not connect"
        server.wait_for_page("/readyz", 503, why)
        assert server.page("/livez") == (200, "ok\n")
        assert [reason(error) for error in refusals(server)] == ["impasto/NOT_READY"] * 3
        s3_server.start()
        server.wait_for_page("/readyz", 200, "ok")
        (begun,), (over,) = server.lines("bundle away"), server.lines("bundle back")
        assert (begun["source"], over["source"]) == (url, url)
        s3_server.stop()


def test_a_server_that_waits_for_a_store_which_does_not_answer_can_be_stopped_at_once(s3: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with starting(tmp_path, "--bundle", f"{s3}/mine", aws_endpoint_url=endpoint) as server:
            connection, _ = silent.accept()
            with connection:
                assert server.page("/readyz") == (503, "warming up\n")
                assert server.end() == 0
        assert [line["event"] for line in server.logged()][-2:] == ["shutting down", "stopped"]


def test_a_full_disk_under_the_copies_of_bundles_is_waited_for(tmp_path: Path) -> None:
    bundle = fake_bundle(tmp_path / "bundle").path
    with mounted(tmp_path / "disk", "size=4m") as disk:
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(4 * 2**20 - 4096))
        options = ("--bundle", f"file://{bundle}", "--bundle-cache", str(disk / "copies"))
        with starting(tmp_path, *options) as server:
            server.wait_for_page("/readyz", 503, "No space left on device")
            ballast.unlink()
            server.wait_for_page("/readyz", 200, "ok")


def test_a_store_without_bundles_is_waited_for_with_the_reason_of_each_moment(tmp_path: Path) -> None:
    store = tmp_path / "store"
    options = ("--bundle-store", str(store), "--bundle-poll-seconds", "0.1")
    with starting(tmp_path, *options) as server:
        server.wait_for_page("/readyz", 503, f"waiting for a bundle: {store} cannot be had now: No such file")
        store.mkdir()
        server.wait_for_page("/readyz", 503, "waiting for a bundle: none is given, and the store has none")
        (fake_bundle(store / "bad", name="bad").path / GRAPH).write_bytes(b"altered")
        server.wait_for_page("/readyz", 503, f"waiting for a bundle: {store}/bad is refused: ")
        fake_bundle(store / "good")
        server.wait_for_page("/readyz", 200, "ok")


# What was configured wrongly


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--bundle", "s4://bucket/mine"], "bundles: fsspec does not know 's4://bucket/mine'; give a folder or s3://"),
        (["--bundle", "FOLDER/nowhere"], "FOLDER/nowhere is no bundle: cannot read bundle.json: No such file"),
        (["--provider", "cuda"], "provider 'cuda' is not available here; available: "),
        (
            ["--tls-cert", "FOLDER/tls.crt", "--tls-key", "FOLDER/tls.key"],
            "TLS: FOLDER/tls.crt cannot be read: No such",
        ),
        (["--callers-file", "FOLDER/callers.toml"], "callers_file: FOLDER/callers.toml cannot be read: No such file"),
        (["--jobs", "on", "--database", "mongodb://host/jobs"], "database: 'mongodb' is not supported; give sqlite://"),
        (["--http", "127.0.0.1:TAKEN"], "cannot listen for HTTP on 127.0.0.1:TAKEN: "),
    ],
    ids=["scheme", "folder", "GPU", "certificate", "callers", "database", "port"],
)
def test_it_ends_with_status_1_and_one_critical_line(tmp_path: Path, options: list[str], says: str) -> None:
    bundle = () if options[0] == "--bundle" else ("--bundle", str(fake_bundle(tmp_path / "bundle").path))
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = str(other.getsockname()[1])
        given = [option.replace("FOLDER", str(tmp_path)).replace("TAKEN", taken) for option in options]
        with starting(tmp_path, *bundle, *given, module=REAL) as server:
            assert last_words(server).startswith(says.replace("FOLDER", str(tmp_path)).replace("TAKEN", taken))


def test_a_bundle_in_a_bucket_that_there_is_not_ends_the_start(s3: str, tmp_path: Path) -> None:
    url = "s3://no-such-bucket/mine"
    with starting(tmp_path, "--bundle", url) as server:
        assert last_words(server) == f"bundles: there is no bundle.json in {url}; give a bundle's folder"


def test_a_damaged_bundle_in_a_store_ends_the_start(s3: str, tmp_path: Path) -> None:
    bundle = fake_bundle(tmp_path / "bundle").path
    (bundle / GRAPH).write_bytes(b"altered")
    upload(bundle, f"{s3}/mine")
    with starting(tmp_path, "--bundle", f"{s3}/mine") as server:
        assert last_words(server).startswith(f"{s3}/mine: {GRAPH} has SHA-256 ")


def test_a_state_folder_that_cannot_be_written_to_ends_the_start_where_bundles_are_to_be_copied_to_it(
    tmp_path: Path,
) -> None:
    url = f"file://{fake_bundle(tmp_path / 'bundle').path}"
    with (
        mounted(tmp_path / "disk", "ro") as disk,
        starting(tmp_path, "--bundle", url, "--state-dir", str(disk)) as server,
    ):
        assert last_words(server) == (
            f"bundle_cache: {disk}/bundles cannot be written to: Read-only file system; mount a folder there that can, "
            "or give one with --bundle-cache or --state-dir"
        )

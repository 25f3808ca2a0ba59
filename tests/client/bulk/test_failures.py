"""Photos that cannot be painted, and what ends a run."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from google.rpc.code_pb2 import INTERNAL
from google.rpc.status_pb2 import Status
from grpc import StatusCode

from benchmarks.many_keys import URL, many_keys
from impasto.errors import StoreUnavailable
from impasto.v1 import stylizer_pb2 as pb
from impasto_client import Client, ServerFault, ServerUnavailable
from impasto_client.bulk import paint_folder, status
from impasto_client.cli import main
from tests.client.bulk.support import echo, entries, items, pictures, put, reasons, style
from tests.client.servers import Call, serving
from tests.client.stream_servers import echoed, photo

NOBODY = 65534  # a user's number


def test_a_photo_that_cannot_be_painted_is_told_with_the_reason_and_the_others_go_on(
    tmp_path: Path, client: Client
) -> None:
    photos, out = put(tmp_path / "photos", "good.jpg", "cut.jpg", "x" * 250 + ".png"), tmp_path / "out"
    (photos / "empty.jpg").touch()
    (photos / "text.png").write_text("no photo")
    (photos / "cut.jpg").write_bytes((photos / "good.jpg").read_bytes()[:100])
    (photos / "lost.jpg").symlink_to("nowhere")
    os.mkfifo(photos / "pipe.jpg")
    with (photos / "huge.jpg").open("wb") as file:
        file.truncate(300 * 2**20)
    with (photos / "large.jpg").open("wb") as file:
        file.truncate(2 * 2**20)  # the server takes half of that

    report = paint_folder(client, str(photos), str(out), "ink")

    assert pictures(out) == {"good.jpg"}
    assert (report.painted, report.failed, report.unlucky) == (1, 7, 0)
    said = reasons(out)
    assert said["empty.jpg"] == "the file is empty"
    assert "is no JPEG, PNG, WebP" in said["text.png"]
    assert "is a damaged picture" in said["cut.jpg"]
    assert said["pipe.jpg"] == "is no file, but a pipe, socket or device"
    assert "314,572,800 bytes" in said["huge.jpg"]
    assert "a message is over the limit" in said["large.jpg"]
    assert said["x" * 250 + ".png"] == "its picture cannot be written: File name too long"


def test_it_is_tried_again_when_it_has_changed_or_when_that_is_asked_for(tmp_path: Path, client: Client) -> None:
    photos, out = put(tmp_path / "photos", "good.jpg"), tmp_path / "out"
    (photos / "a.jpg").write_text("no photo")
    (photos / "b.jpg").write_text("no photo")
    paint_folder(client, str(photos), str(out), "ink")
    put(photos, "a.jpg")

    report = paint_folder(client, str(photos), str(out), "ink")
    assert (report.painted, report.failed, report.failed_before, report.done_before) == (1, 0, 1, 1)

    report = paint_folder(client, str(photos), str(out), "ink", retry_failed=True)
    assert (report.painted, report.failed, report.failed_before, report.done_before) == (0, 1, 0, 2)
    assert [failure.source for failure in status(str(out)).failures] == ["b.jpg"]


def test_the_program_ends_with_4_when_all_is_done_but_for_photos_that_cannot_be_painted(
    tmp_path: Path, target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = put(tmp_path / "photos", "good.jpg")
    (photos / "bad.jpg").write_text("no photo")
    arguments = ["bulk", str(photos), str(tmp_path / "out"), "--style", "ink", "--server", target]

    assert [main(arguments), main(arguments), main([*arguments, "--retry-failed"])] == [4, 4, 4]
    told = capsys.readouterr().out
    assert "1 had failed before (--retry-failed tries them again)" in told
    assert f"what failed and why: impasto bulk-status {tmp_path / 'out'}" in told


def test_photos_that_may_not_be_read_or_are_gone_since_they_were_listed_are_told(
    tmp_path: Path, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    with many_keys(6, photo(), {1: 403, 4: 404}) as bucket:
        for name, value in bucket.environment.items():
            monkeypatch.setenv(name, value)
        report = paint_folder(client, URL, str(tmp_path / "out"), "ink")

    assert (report.painted, report.failed, report.unlucky) == (4, 2, 0)
    assert reasons(tmp_path / "out") == {
        "0000001.png": "it may not be read: AccessDenied",
        "0000004.png": "it was listed, and was gone when it was to be read",
    }


@contextmanager
def unprivileged() -> Iterator[None]:
    """Let permissions count in the block: root's work as nobody, and anybody else as themselves."""
    if os.geteuid():
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_folder_that_may_not_be_listed_is_told_until_it_may(client: Client) -> None:
    with TemporaryDirectory() as folder:
        photos, out = put(Path(folder) / "photos", "good.jpg", "closed/a.jpg", "secret.jpg"), Path(folder) / "out"
        paint_folder(client, str(photos), str(out), "ink", include=["good.jpg"])  # loads what nobody may not
        for path in (Path(folder), *out.rglob("*"), out):
            path.chmod(0o777)
        for path in (photos / "closed", photos / "secret.jpg"):
            path.chmod(0)

        with unprivileged():
            report = paint_folder(client, str(photos), str(out), "ink")
        assert (report.failed, report.unlucky, report.done_before) == (2, 1, 1)
        assert {failure.source: failure.reason for failure in status(str(out)).failures} == {
            "closed/": "the folder cannot be listed: Permission denied",
            "secret.jpg": "it may not be read: Permission denied",
        }

        (photos / "closed").chmod(0o777)
        report = paint_folder(client, str(photos), str(out), "ink")
        assert (report.painted, report.failed, report.failed_before) == (1, 0, 1)
        assert [failure.source for failure in status(str(out)).failures] == ["secret.jpg"]


def failing(call: Call) -> Any:
    """Fail for photos of 32 px, of which the server says that it is to blame."""
    return style() if call.method == "GetStyle" else map(_failed_if_small, items(call))


def _failed_if_small(request: pb.StylizeStreamRequest) -> pb.StylizeStreamResponse:
    if request.item.request.image == photo(32):
        return pb.StylizeStreamResponse(id=request.item.id, error=Status(code=INTERNAL, message="engine fault"))
    return echoed(request)


def put_raw(folder: Path, **photos: bytes) -> Path:
    folder.mkdir()
    for name, data in photos.items():
        (folder / f"{name}.png").write_bytes(data)
    return folder


def test_what_the_server_is_to_blame_for_is_tried_again_by_the_next_run(tmp_path: Path) -> None:
    photos, out = put_raw(tmp_path / "photos", a=photo(), b=photo(32)), tmp_path / "out"
    with serving(failing) as server:
        assert main(["bulk", str(photos), str(out), "--style", "ink", "--server", server.target]) == 1
    assert [failure.again for failure in status(str(out)).failures] == [True]

    with serving(echo) as server:
        assert main(["bulk", str(photos), str(out), "--style", "ink", "--server", server.target]) == 0
    assert pictures(out) == {"a.png.jpg", "b.png.jpg"}
    assert status(str(out)).failures == ()


def test_a_server_that_fails_for_photo_after_photo_ends_the_run(tmp_path: Path) -> None:
    photos = put_raw(tmp_path / "photos", **{f"p{number:03}": photo(32) for number in range(100)})

    with serving(failing) as server, Client(server.target) as client, pytest.raises(ServerFault, match="engine fault"):
        paint_folder(client, str(photos), str(tmp_path / "out"), "ink", window=4)

    (shard,) = status(str(tmp_path / "out")).shards
    assert shard.state == "failed"
    assert "engine fault" in shard.error
    assert 20 <= shard.failed < 40


def test_a_server_that_is_away_is_waited_for_so_long_and_the_run_goes_on_with_the_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = put(tmp_path / "photos", "a.jpg")
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        target = f"127.0.0.1:{reserved.getsockname()[1]}"
        arguments = ["bulk", str(photos), str(tmp_path / "out"), "--style", "ink", "--server", target]
        assert main([*arguments, "--timeout", "0.5"]) == 1

    said = capsys.readouterr().err.splitlines()
    assert [line.endswith("; trying again") for line in said] == [True, False]
    assert not (tmp_path / "out").exists()


def test_a_stream_that_breaks_loses_no_photo(tmp_path: Path) -> None:
    photos = put(tmp_path / "photos", *(f"{number}.jpg" for number in range(20)))

    def breaking(call: Call) -> Any:
        if call.method == "GetStyle":
            return style()
        return _some_of(call) if len([one for one in server.calls if one.method == call.method]) < 3 else echo(call)

    with serving(breaking) as server, Client(server.target) as client:
        lost: list[Exception] = []
        report = paint_folder(client, str(photos), str(tmp_path / "out"), "ink", on_lost=lost.append)

    assert report.painted == 20
    assert sorted(entry["source"] for entry in entries(tmp_path / "out")) == sorted(pictures(photos))
    assert [type(error) for error in lost] == [ServerUnavailable] * 2


def _some_of(call: Call) -> Iterator[pb.StylizeStreamResponse]:
    for number, request in enumerate(items(call)):
        if number == 4:
            call.context.abort(StatusCode.UNAVAILABLE, "going away")
        yield echoed(request)


def test_a_place_that_cannot_be_written_to_is_told(
    tmp_path: Path, client: Client, target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = put(tmp_path / "photos", "a.jpg")
    (tmp_path / "out").write_text("a file")

    with pytest.raises(StoreUnavailable):
        paint_folder(client, str(photos), str(tmp_path / "out"), "ink")
    assert main(["bulk", str(photos), str(tmp_path / "out"), "--style", "ink", "--server", target]) == 1

    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith(f"impasto: {tmp_path / 'out'} cannot be used: ")


def test_a_store_whose_photos_cannot_be_read_ends_the_run(
    tmp_path: Path, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    with many_keys(40, photo(), dict.fromkeys(range(40), 500)) as bucket:
        for name, value in bucket.environment.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(StoreUnavailable, match="InternalError"):
            paint_folder(client, URL, str(tmp_path / "out"), "ink")

    assert all(failure.again for failure in status(str(tmp_path / "out")).failures)

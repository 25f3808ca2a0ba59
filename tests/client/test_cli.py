"""The program `impasto`."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
from grpc import StatusCode

from impasto import __version__
from impasto.v1 import stylizer_pb2 as pb
from impasto_client.cli import main
from tests.client.servers import Call, echo, error_info, serving


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"photo")
    return path


def two_styles(call: Call) -> pb.ListStylesResponse:
    ink = pb.Style(name="bundles/test/styles/ink", style_id="test/ink", title="Ink", artist="A. Painter", year="1889")
    return pb.ListStylesResponse(styles=[ink, pb.Style(style_id="test/gold", thumbnail=b"jpeg")])


def test_stylize_writes_the_picture(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = photo.with_name("painted.png")

    with serving(echo) as server:
        status = main(
            ["stylize", str(photo), "--style", "ink", "--strength", "0.5", "--out", str(out), "--server", server.target]
        )

    assert status == 0
    assert out.read_bytes() == b"photo"
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{out}: 64x48 px, 5 bytes, ")
    assert server.calls[0].request == pb.StylizeRequest(
        image=b"photo", style_id="ink", strength=0.5, format=pb.IMAGE_FORMAT_PNG
    )
    assert sorted(path.name for path in out.parent.iterdir()) == ["painted.png", "photo.jpg"]


def test_stylize_takes_a_blend_and_the_server_of_the_environment(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(echo) as server:
        monkeypatch.setenv("IMPASTO_SERVER", server.target)
        status = main(["stylize", str(photo), "--blend", "ink=2", "gold=1", "--out", str(photo.with_suffix(".webp"))])

    assert status == 0
    request = server.calls[0].request
    assert [(part.style_id, part.weight) for part in request.blend.parts] == [("ink", 2), ("gold", 1)]
    assert request.format == pb.IMAGE_FORMAT_WEBP


@pytest.mark.parametrize(
    ("given", "policy"),
    [
        ([], pb.METADATA_POLICY_UNSPECIFIED),
        (["--metadata", "none"], pb.METADATA_POLICY_NONE),
        (["--metadata", "without_location"], pb.METADATA_POLICY_WITHOUT_LOCATION),
        (["--metadata", "all"], pb.METADATA_POLICY_ALL),
    ],
)
def test_the_metadata_to_carry_is_the_servers_choice_unless_given(
    photo: Path, given: list[str], policy: pb.MetadataPolicy
) -> None:
    with serving(echo) as server:
        arguments = ["stylize", str(photo), "--style", "ink", "--out", str(photo.with_name("p.jpg"))]
        assert main([*arguments, *given, "--server", server.target]) == 0

    assert server.calls[0].request.metadata == policy


def test_the_format_given_wins_over_the_suffix(photo: Path) -> None:
    out = photo.with_name("painted")

    with serving(echo) as server:
        status = main(
            ["stylize", str(photo), "--style", "ink", "--format", "png", "--out", str(out), "--server", server.target]
        )

    assert status == 0
    assert server.calls[0].request.format == pb.IMAGE_FORMAT_PNG


def test_styles_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(two_styles) as server:
        status = main(["styles", "--server", server.target])

    assert status == 0
    header, ink, gold = capsys.readouterr().out.splitlines()
    assert header.split() == ["STYLE", "TITLE", "ARTIST", "YEAR"]
    assert ink == "test/ink   Ink    A. Painter  1889"
    assert gold == "test/gold"


def test_styles_as_json_is_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(two_styles) as server:
        status = main(["styles", "--json", "--server", server.target])

    assert status == 0
    listed = json.loads(capsys.readouterr().out)
    assert listed[0] == {
        "id": "test/ink",
        "name": "bundles/test/styles/ink",
        "title": "Ink",
        "artist": "A. Painter",
        "year": "1889",
        "bundle_version": "",
        "transformer_digest": "",
    }
    assert [style["id"] for style in listed] == ["test/ink", "test/gold"]


def test_an_unknown_style_is_told_with_those_there_are(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def missing(call: Call) -> None:
        message = "no style 'inc'; did you mean 'ink'? Available: gold, ink"
        call.fail(StatusCode.NOT_FOUND, message, error_info("STYLE_NOT_FOUND", available="gold,ink"))

    out = photo.with_name("painted.jpg")
    with serving(missing) as server:
        status = main(["stylize", str(photo), "--style", "inc", "--out", str(out), "--server", server.target])

    assert status == 2
    assert capsys.readouterr().err == "impasto: style: no style 'inc'; did you mean 'ink'? Available: gold, ink\n"
    assert not out.exists()


def test_a_server_that_is_down_is_told_in_one_line(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as reserved:  # bound, so that nobody else takes the port, but not listening
        reserved.bind(("127.0.0.1", 0))
        target = f"127.0.0.1:{reserved.getsockname()[1]}"
        status = main(
            ["stylize", str(photo), "--style", "ink", "--out", str(photo.with_suffix(".png")), "--server", target]
        )

    assert status == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"impasto: {target} is unavailable: ")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["missing.jpg", "--style", "ink", "--out", "painted.jpg"], "cannot read missing.jpg"),
        ([f"{'n' * 300}.jpg", "--style", "ink", "--out", "painted.jpg"], "n.jpg: File name too long"),
        (["photo.jpg", "--style", "ink", "--out", "painted"], "--out: painted tells no format"),
        (["photo.jpg", "--style", "ink", "--out", "painted.gif"], "--out: painted.gif tells no format"),
        (["photo.jpg", "--style", "ink", "--out", "missing/painted.jpg"], "--out: there is no folder missing"),
        (["photo.jpg", "--style", "ink", "--out", "."], "--out: photo.jpg is a photo itself, and is not replaced"),
        (["photo.jpg", "--style", "ink", "--out", "photo.jpg", "--overwrite"], "--out: photo.jpg is a photo itself"),
        (["photo.jpg", "--blend", "ink=1", "ink=2", "--out", "painted.jpg"], "--blend: a style is given twice"),
        (["photo.jpg", "--style", "ink", "--out", "painted.jpg", "--timeout", "0"], "timeout: 0.0 is out of range"),
    ],
)
def test_what_cannot_work_is_refused_before_the_call(
    arguments: list[str],
    complaint: str,
    photo: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(photo.parent)

    with serving(echo) as server:
        status = main(["stylize", *arguments, "--server", server.target])

    assert status == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("impasto: ")
    assert complaint in line
    assert server.calls == []


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["stylize", "photo.jpg", "--out", "painted.jpg"],
        ["stylize", "photo.jpg", "--style", "ink"],
        ["stylize", "photo.jpg", "--style", "ink", "--blend", "ink=1", "--out", "painted.jpg"],
        ["stylize", "photo.jpg", "--blend", "ink", "--out", "painted.jpg"],
        ["stylize", "photo.jpg", "--style", "ink", "--out", "painted.jpg", "--format", "gif"],
        ["stylize", "photo.jpg", "--style", "ink", "--out", "painted.jpg", "--overw"],
    ],
)
def test_wrong_usage_ends_with_status_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)

    assert ended.value.code == 2
    assert "usage: impasto" in capsys.readouterr().err


def test_a_picture_that_cannot_be_written_leaves_the_old_one(
    photo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = photo.with_name("painted.jpg")
    out.write_bytes(b"old")

    def full(path: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with serving(echo) as server:
        monkeypatch.setattr(Path, "write_bytes", full)
        arguments = ["stylize", str(photo), "--style", "ink", "--out", str(out), "--overwrite"]
        status = main([*arguments, "--server", server.target])

    assert status == 1
    assert capsys.readouterr().err == f"impasto: {out}: No space left on device\n"
    assert out.read_bytes() == b"old"
    assert len(list(out.parent.iterdir())) == 2


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])

    assert ended.value.code == 0
    assert capsys.readouterr().out == f"impasto {__version__}\n"

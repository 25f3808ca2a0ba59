"""The program `impasto` against the program `impasto-server`: from a user's file to ONNX Runtime nothing is faked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from impasto import images
from impasto.images import Format
from impasto_client import Client, MessageTooLarge
from impasto_client.cli import main
from impasto_server.local import LocalServer, local_server
from tests.core.graphs import gate_bundle
from tests.core.pngs import RGB, png
from tests.support import gradient

MAX_MESSAGE = 100_000  # bytes

PHOTO = images.encode(gradient(97, 61), format=Format.PNG)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """Serve styles that paint a photo's negative."""
    folder = tmp_path_factory.mktemp("server")
    bundle = gate_bundle(folder / "bundle")
    options = ["--bundle", str(bundle.path), "--bundle-probe", "off", "--provider", "cpu"]
    options += ["--max-message-bytes", str(MAX_MESSAGE)]
    with local_server(folder, options) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: LocalServer) -> Path:
    """Return the current folder, and let the program find the server."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMPASTO_SERVER", server.target)
    return tmp_path


def stylize(folder: Path, photo: bytes, *options: str) -> int:
    (folder / "photo.jpg").write_bytes(photo)
    style = () if "--style" in options or "--blend" in options else ("--style", "ink")
    return main(["stylize", "photo.jpg", *style, "--out", "painted.png", *options])


def test_a_photo_is_painted(folder: Path) -> None:
    """The photo is a PNG called photo.jpg: what a file is, is read from its content."""
    assert stylize(folder, PHOTO) == 0
    assert (images.decode((folder / "painted.png").read_bytes()) == 255 - gradient(97, 61)).all()


def test_strength_0_returns_the_photo(folder: Path) -> None:
    assert stylize(folder, PHOTO, "--strength", "0") == 0
    assert (images.decode((folder / "painted.png").read_bytes()) == gradient(97, 61)).all()


@pytest.mark.parametrize(
    ("photo", "complaint"),
    [
        (b"", "photo: is empty"),
        (b"Dear Sir or Madam", "image: starts with b'Dear Sir or ', which is no JPEG, PNG, WebP"),
        (PHOTO[: len(PHOTO) // 2], "image: is a damaged picture"),
        (png(50_000, 50_000, 8, RGB, b""), "image: 50000x50000 px is 2,500,000,000 pixels"),
        (images.encode(np.zeros((1, 1, 3), np.uint8)), "image: 1x1 px is too small"),
        (images.encode(np.zeros((5000, 1, 3), np.uint8)), "image: 1x5000 px is too small"),
        (
            np.random.default_rng(0).bytes(MAX_MESSAGE),
            "photo: a message is over the limit (SERVER: Received message larger than max",
        ),
    ],
    ids=["empty", "text", "truncated", "bomb", "1x1", "1x5000", "over the limit"],
)
def test_a_photo_that_cannot_be_painted_is_told_in_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], photo: bytes, complaint: str
) -> None:
    assert stylize(folder, photo) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"impasto: photo.jpg: {complaint}")
    assert not (folder / "painted.png").exists()
    assert stylize(folder, PHOTO) == 0


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--strength=-0.1"], "strength: -0.1 is out of range; give 0 (the photo) to 1 (all paint)"),
        (["--strength", "1.1"], "strength: 1.1 is out of range"),
        (["--strength", "nan"], "strength: nan is out of range"),
        (["--style", "inc"], "style: no style 'inc'; did you mean 'ink'? Available: gold, ink"),
        (["--blend", "ink=nan"], "blend.parts[0].weight: nan is no weight"),
        (["--blend", "ink=1", "gold=-1"], "blend.parts[1].weight: -1 is no weight"),
        (["--blend", "ink=0", "gold=0"], "blend.parts: all weights are 0"),
        (["--blend", "ink=1", "inc=1"], "style: no style 'inc'"),
        (["--width", "0"], "output_size.width: 0 px is out of range"),
        (["--height", "2000000000"], "output_size.height: 1x2000000000 px is 2,000,000,000 pixels"),
        (["--quality", "0"], "quality: 0 is out of range; give 1 to 100"),
        (["--working-size", "0"], "working_size: 0 px is out of range"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_value_that_is_not_allowed_is_told_in_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], options: list[str], complaint: str
) -> None:
    assert stylize(folder, PHOTO, *options) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"impasto: {complaint}")
    assert not (folder / "painted.png").exists()
    assert stylize(folder, PHOTO) == 0


def test_a_photo_over_the_limit_is_an_error_of_its_own_kind(server: LocalServer) -> None:
    with Client(server.target) as client:
        with pytest.raises(MessageTooLarge):
            client.stylize(bytes(MAX_MESSAGE), "ink")
        assert client.stylize(PHOTO, "ink").image


def test_the_styles_are_listed_for_programs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["styles", "--json"]) == 0
    assert '"id": "test/ink"' in capsys.readouterr().out

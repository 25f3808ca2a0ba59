"""The demo, on a real server with the starter bundle."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from impasto import images
from impasto.bundle import STARTER, load_bundle
from scripts import demo
from tests.support import gradient


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """Return the list of the processes that the demo starts."""
    processes: list[subprocess.Popen[bytes]] = []

    class Recorded(subprocess.Popen[bytes]):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            processes.append(self)

    monkeypatch.setattr(subprocess, "Popen", Recorded)
    return processes


def test_the_demo_paints_every_style_and_ends_its_server(
    tmp_path: Path, started: list[subprocess.Popen[bytes]], capsys: pytest.CaptureFixture[str]
) -> None:
    photo, out = tmp_path / "garden.jpg", tmp_path / "demo"
    photo.write_bytes(images.encode(gradient(96, 64)))
    styles = load_bundle(STARTER).styles

    status = demo.main(["--photo", str(photo), "--out", str(out)])

    printed = capsys.readouterr()
    assert status == 0, printed.err
    assert [server.returncode for server in started] == [0]
    pictures = [out / f"garden-{style}-1.jpg" for style in styles]
    assert all(images.decode(picture.read_bytes()).shape == (64, 96, 3) for picture in pictures)
    assert printed.out.count("garden") == len(styles)
    assert images.decode((out / "sheet.png").read_bytes()).shape[1] > 2 * demo.CELL
    assert str(out / "sheet.png") in printed.out


def test_the_demo_paints_one_style_at_several_strengths(
    tmp_path: Path, started: list[subprocess.Popen[bytes]], capsys: pytest.CaptureFixture[str]
) -> None:
    photo, out = tmp_path / "garden.jpg", tmp_path / "demo"
    photo.write_bytes(images.encode(gradient(96, 64)))

    status = demo.main(["--photo", str(photo), "--style", "starry-night", "--out", str(out)])

    printed = capsys.readouterr()
    assert status == 0, printed.err
    sheet = images.decode((out / "sheet.png").read_bytes())
    assert sheet.shape[1] > 5 * demo.CELL
    pictures = [out / f"garden-starry-night-{strength:g}.jpg" for strength in demo.STRENGTHS]
    assert all(images.decode(picture.read_bytes()).shape == (64, 96, 3) for picture in pictures)
    assert printed.out.count("garden") == len(demo.STRENGTHS)


def test_a_style_that_the_server_lacks_still_ends_the_server(
    tmp_path: Path, started: list[subprocess.Popen[bytes]], capsys: pytest.CaptureFixture[str]
) -> None:
    photo = tmp_path / "garden.jpg"
    photo.write_bytes(images.encode(gradient(96, 64)))

    status = demo.main(["--photo", str(photo), "--style", "no-such", "--out", str(tmp_path / "demo")])

    assert status == 1
    assert "starry-night" in capsys.readouterr().err
    assert [server.returncode for server in started] == [0]


def test_a_bundle_that_is_not_there_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = demo.main(["--bundle", str(tmp_path / "missing"), "--out", str(tmp_path / "demo")])

    assert status == 1
    error = capsys.readouterr().err
    assert error.startswith("demo: the server ended with status ")
    assert "missing" in error


@pytest.mark.parametrize("contents", [None, b"no picture"])
def test_an_unreadable_photo_is_told_before_a_server_starts(
    tmp_path: Path,
    contents: bytes | None,
    started: list[subprocess.Popen[bytes]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    photo = tmp_path / "garden.jpg"
    if contents is not None:
        photo.write_bytes(contents)
    monkeypatch.setenv("PHOTO", str(photo))

    status = demo.main(["--out", str(tmp_path / "demo")])

    assert status == 1
    assert capsys.readouterr().err.startswith("demo: PHOTO")
    assert started == []


def test_the_samples_come_with_scikit_image() -> None:
    photos = demo.read_photos(None)

    assert [photo.name for photo in photos] == ["astronaut", "coffee", "chelsea"]
    assert all(min(photo.pixels.shape[:2]) >= 300 for photo in photos)

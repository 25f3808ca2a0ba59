"""The demo, on a real server with the starter bundle."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from impasto import images
from impasto.bundle import STARTER, load_bundle
from scripts import demo, studio
from tests.support import gradient

ROOT = Path(__file__).parents[2]


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


def shows(link: str) -> bool:
    """Return whether a page is served there."""
    try:
        with urllib.request.urlopen(link, timeout=30) as response:
            return b"<html" in response.read()
    except urllib.error.URLError:
        return False


def test_the_studio_outlives_the_demo_and_gives_way_to_the_next_which_leaves_none_if_it_fails(
    tmp_path: Path, started: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMPASTO_JOBS", "off")  # or a worker would be started
    photo, out = tmp_path / "garden.jpg", tmp_path / "demo"
    photo.write_bytes(images.encode(gradient(96, 64)))
    options = ["--studio", "--photo", str(photo), "--style", "starry-night", "--out", str(out)]
    try:
        command = [sys.executable, "-m", "scripts.demo", *options]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)

        assert done.returncode == 0, done.stderr  # and nobody holds the pipe
        link = done.stdout.splitlines()[-1]
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", link)
        assert shows(link)

        with suppress(OSError), studio.left_running(out) as server:
            assert not shows(link)
            link = f"http://127.0.0.1:{server.studio}/"
            assert shows(link)
            raise OSError("the next demo fails")
        assert started[-1].returncode == 0
        assert not shows(link)
    finally:
        assert not studio.stop(out)


def test_the_studio_ends_by_itself(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "scripts.studio", "serve", "--out", str(tmp_path), "--minutes", "0.01"]
    with (tmp_path / "log").open("wb") as log:
        ended = subprocess.run(command, cwd=ROOT, stdout=log, stderr=log, timeout=120, check=False)
    assert ended.returncode in (0, -signal.SIGTERM)  # before it could even begin
    assert studio.main(["stop", "--out", str(tmp_path)]) == 0  # though there is none


def test_the_samples_come_with_scikit_image() -> None:
    photos = demo.read_photos(None)

    assert [photo.name for photo in photos] == ["astronaut", "coffee", "chelsea"]
    assert all(min(photo.pixels.shape[:2]) >= 300 for photo in photos)

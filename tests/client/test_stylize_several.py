"""`impasto stylize` on files, folders, patterns and standard input, against a real server in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from impasto import images
from impasto.images import Format
from impasto_client.cli import main
from impasto_server.local import local_server
from tests.core.graphs import gate_bundle
from tests.support import gradient

LONG = 60.0  # s; no test should take so long

Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve styles that paint a photo's negative."""
    folder = tmp_path_factory.mktemp("server")
    bundle = gate_bundle(folder / "bundle")
    with local_server(folder, ["--bundle", str(bundle.path), "--bundle-probe", "off", "--provider", "cpu"]) as server:
        yield server.target


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str) -> Path:
    """Return the current folder, and let the program find the server."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMPASTO_SERVER", target)
    return tmp_path


def put(path: str, width: int = 64) -> None:
    """Write a photo of this width, whose content is a PNG whatever its name is."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_bytes(images.encode(gradient(width, 48), format=Format.PNG))


def stylize(*arguments: str) -> int:
    return main(["stylize", *arguments, "--style", "ink"])


def painted(folder: str) -> dict[str, int]:
    """Return the pictures below a folder, by path, and their widths."""
    files = (path for path in Path(folder).rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): images.decode(path.read_bytes()).shape[1] for path in files}


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_of_a_folder_each_photo_is_painted_under_its_name(here: Path, capsys: Captured) -> None:
    for name, width in (("a.png", 60), ("b.JPG", 64), ("c.webp", 68), ("d.heic", 72)):
        put(f"photos/{name}", width)
    put("photos/.hidden.jpg")
    put("photos/deeper/e.jpg")
    Path("photos/notes.txt").write_text("not a photo")

    assert stylize("photos", "--out", "painted") == 0

    assert painted("painted") == {"a.png": 60, "b.JPG": 64, "c.webp": 68, "d.heic.jpg": 72}
    assert (images.decode(Path("painted/a.png").read_bytes()) == 255 - gradient(60, 48)).all()
    printed = capsys.readouterr()
    assert sorted(line.split(":")[0] for line in printed.out.splitlines()) == [
        "painted/a.png",
        "painted/b.JPG",
        "painted/c.webp",
        "painted/d.heic.jpg",
    ]
    assert printed.err.startswith("impasto: 4 of 4 painted in ")


def test_recursive_keeps_the_paths_below_the_folder_and_leaves_out_where_the_pictures_go(here: Path) -> None:
    put("a.png")
    put("2026/spring/b.png")
    put("painted/old.png")

    assert stylize(".", "--recursive", "--out", "painted/new") == 0
    assert stylize(".", "-r", "--out", "painted") == 0

    assert set(painted("painted/new")) == {"a.png", "2026/spring/b.png", "painted/old.png"}
    assert {"a.png", "2026/spring/b.png", "old.png"} <= set(painted("painted"))
    assert not Path("painted/painted").exists()


def test_a_pattern_in_quotes_is_expanded_and_files_are_taken_as_they_are(here: Path) -> None:
    put("2026/spring/a.jpg")
    put("2026/autumn/b.jpg")
    put("2026/autumn/c.png")
    put("odd[1].jpg")
    put("elsewhere/without_suffix")

    assert stylize("2026/**/*.jpg", "odd[1].jpg", "elsewhere/without_suffix", "--out", "painted") == 0

    assert set(painted("painted")) == {"spring/a.jpg", "autumn/b.jpg", "odd[1].jpg", "without_suffix.jpg"}


def test_photos_of_the_same_name_get_numbers_and_one_given_twice_is_painted_once(here: Path) -> None:
    put("one/a.jpg", 60)
    put("two/A.jpg", 64)
    put("three/a-2.jpg", 68)

    assert stylize("one/a.jpg", "two/A.jpg", "three/a-2.jpg", "one/../one/a.jpg", "--out", "painted") == 0

    assert painted("painted") == {"a.jpg": 60, "A-2.jpg": 64, "a-2-2.jpg": 68}


def test_what_is_there_is_left_and_said_unless_it_is_to_be_overwritten(here: Path, capsys: Captured) -> None:
    put("photos/a.png")
    put("photos/b.png")
    Path("painted").mkdir()
    Path("painted/a.png").write_bytes(b"mine")

    assert stylize("photos", "--out", "painted") == 0
    left = capsys.readouterr()
    assert Path("painted/a.png").read_bytes() == b"mine"
    assert stylize("photos", "--out", "painted", "--overwrite") == 0

    assert "painted/a.png is there already; photos/a.png is not painted" in left.err
    assert "1 of 1 painted in 0 s, 1 not painted, as their pictures are there already" in left.err
    assert painted("painted") == {"a.png": 64, "b.png": 64}


def test_one_picture_that_is_there_is_refused(here: Path, capsys: Captured) -> None:
    put("a.png")
    Path("painted.png").write_bytes(b"mine")

    assert stylize("a.png", "--out", "painted.png") == 2

    assert capsys.readouterr().err == (
        "impasto: --out: painted.png is there already; name another file, or give --overwrite\n"
    )
    assert Path("painted.png").read_bytes() == b"mine"


def test_a_name_may_be_as_long_as_a_name_can_be(here: Path) -> None:
    put("a.png")
    name = f"{'n' * 251}.png"

    assert stylize("a.png", "--out", name) == 0

    assert sorted(path.name for path in here.iterdir()) == ["a.png", name]


def test_one_photo_may_go_into_a_folder_too(here: Path) -> None:
    put("a.png")

    assert stylize("a.png", "--out", "new/") == 0

    assert painted("new") == {"a.png": 64}


def test_the_format_asked_for_is_that_of_all_pictures(here: Path) -> None:
    put("photos/a.png")
    put("photos/b.jpg")

    assert stylize("photos", "--out", "painted", "--format", "webp") == 0

    assert set(painted("painted")) == {"a.png.webp", "b.jpg.webp"}


def test_a_photo_that_cannot_be_painted_does_not_stop_the_others(here: Path, capsys: Captured) -> None:
    put("photos/a.png")
    put("photos/z.png")
    Path("photos/letter.jpg").write_text("Dear Sir or Madam")
    Path("photos/empty.jpg").touch()
    Path("photos/gone.jpg").symlink_to("nowhere.jpg")

    assert stylize("photos", "missing.jpg", "--out", "painted") == 4

    *failures, summary = capsys.readouterr().err.splitlines()
    assert set(painted("painted")) == {"a.png", "z.png"}
    assert summary.startswith("impasto: 2 of 6 painted in ")
    assert summary.endswith(", 4 failed")
    assert sorted(line.split(",")[0] for line in failures) == [
        "impasto: photo: cannot read missing.jpg: No such file or directory",
        "impasto: photo: cannot read photos/gone.jpg: No such file or directory",
        "impasto: photos/empty.jpg: photo: is empty; give the bytes of a JPEG",
        "impasto: photos/letter.jpg: image: starts with b'Dear Sir or '",
    ]


def test_what_is_wrong_for_all_photos_stops_at_once(here: Path, capsys: Captured) -> None:
    put("photos/a.png")
    put("photos/b.png")

    assert main(["stylize", "photos", "--style", "inc", "--out", "painted"]) == 2
    assert stylize("photos", "--out", "painted", "--strength", "2") == 2

    told = capsys.readouterr().err
    assert "impasto: style: no style 'inc'; did you mean 'ink'? Available: gold, ink" in told
    assert "impasto: strength: 2 is out of range" in told
    assert not Path("painted").exists()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["empty", "--out", "painted"], "there is no photo in empty: photos end in .jpg, .jpeg, "),
        (["deep", "--out", "painted"], "--recursive looks into its folders, too"),
        (["*.tiff", "--out", "painted"], "nothing matches *.tiff"),
        (["photos", "--out", "file.txt"], "file.txt is a file; several photos need a folder"),
        (["photos", "--out", "file.txt/painted"], "file.txt is a file, so there can be no folder file.txt/painted"),
        (["photos", "--out", "photos"], "photos/a.png is a photo itself, and is not replaced"),
        (["photos", "--out", "-"], "- is standard output, which takes one picture"),
        (["photos", "-", "--out", "painted"], "- is standard input, which is one photo"),
        (["photos/a.png", "--out", "-", "--json"], "--json: and the picture cannot both go to standard output"),
        (["photos/a.png", "--out", "/dev/null", "--overwrite"], "/dev/null is no regular file; name another, or - for"),
        (["photos", "--out", "painted", "--window", "0"], "window: 0 is out of range"),
        (["photos", "--out", "painted", "--feather", "0.1"], "--feather: is for --mask FILE"),
    ],
)
def test_what_cannot_work_is_told_in_one_line(
    arguments: list[str], complaint: str, here: Path, capsys: Captured
) -> None:
    put("photos/a.png")
    put("photos/b.png")
    put("deep/deeper/c.png")
    Path("empty").mkdir()
    Path("file.txt").touch()

    assert stylize(*arguments) == 2

    assert complaint in capsys.readouterr().err.splitlines()[-1]
    assert not Path("painted").exists()


def test_programs_are_told_of_each_photo_in_a_line_of_json(here: Path, capsys: Captured) -> None:
    put("photos/a.png")
    put("photos/b.png")
    Path("photos/letter.jpg").write_text("Dear Sir or Madam")
    put("painted/b.png")

    assert stylize("photos", "--out", "painted", "--json") == 4

    printed = capsys.readouterr()
    told = {line["photo"]: line for line in lines(printed.out)}
    assert told["photos/a.png"]["state"] == "painted"
    assert set(told["photos/a.png"]) == {
        "photo", "out", "state", "job", "format", "width", "height", "working_size", "bytes", "seconds", "notes",
    }  # fmt: skip
    assert told["photos/b.png"] == {"photo": "photos/b.png", "out": "painted/b.png", "state": "exists"}
    failed = told["photos/letter.jpg"]
    assert (failed["state"], failed["error"]["field"], failed["error"]["status"]) == (
        "failed",
        "image",
        "INVALID_ARGUMENT",
    )
    (error,) = lines(printed.err)
    assert (error["error"]["kind"], error["error"]["exit_status"]) == ("SomeFailed", 4)


def test_quiet_tells_only_what_goes_wrong(here: Path, capsys: Captured) -> None:
    put("photos/a.png")
    Path("photos/letter.jpg").write_text("Dear Sir or Madam")

    assert stylize("photos", "--out", "painted", "--quiet") == 4

    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    assert line.startswith("impasto: photos/letter.jpg: ")


def test_a_mask_keeps_what_it_covers(here: Path) -> None:
    put("a.png")
    half = gradient() * 0
    half[:, :32] = 255
    Path("mask.png").write_bytes(images.encode(half, format=Format.PNG))

    assert stylize("a.png", "--out", "left.png", "--mask", "mask.png", "--feather", "0") == 0
    assert stylize("a.png", "--out", "right.png", "--mask", "mask.png", "--feather", "0", "--keep-mask") == 0

    left, right = (images.decode(Path(name).read_bytes()) for name in ("left.png", "right.png"))
    assert (left[:, :30] == 255 - gradient()[:, :30]).all()
    assert (left[:, 34:] == gradient()[:, 34:]).all()
    assert (right[:, :30] == gradient()[:, :30]).all()
    assert (right[:, 34:] == 255 - gradient()[:, 34:]).all()


def program(*arguments: str, **streams: Any) -> subprocess.CompletedProcess[bytes]:
    """Run `impasto stylize` as a process of its own."""
    command = [sys.executable, "-m", "impasto_client.cli", "stylize", *arguments, "--style", "ink"]
    return subprocess.run(command, stderr=subprocess.PIPE, timeout=LONG, check=False, **streams)


def test_a_photo_comes_from_standard_input_and_its_picture_goes_to_standard_output(here: Path) -> None:
    put("a.png")

    done = program("-", "--format", "png", input=Path("a.png").read_bytes(), stdout=subprocess.PIPE)

    assert (done.returncode, done.stderr) == (0, b"")
    assert (images.decode(done.stdout) == 255 - gradient()).all()


def test_a_photo_can_come_from_another_program_by_a_pipe_with_a_name(here: Path) -> None:
    """As a shell's `<(...)` is one."""
    put("a.png")
    os.mkfifo("pipe")
    writing = Thread(target=lambda: Path("pipe").write_bytes(Path("a.png").read_bytes()))
    writing.start()

    assert stylize("pipe", "--out", "painted.png") == 0

    writing.join()
    assert (images.decode(Path("painted.png").read_bytes()) == 255 - gradient()).all()


def test_where_nobody_reads_what_it_prints_it_ends_without_a_word(here: Path) -> None:
    put("a.png")
    reading, writing = os.pipe()
    os.close(reading)

    done = program("a.png", "--out", "-", stdout=writing)
    also = program("a.png", "--out", "painted.png", stdout=writing)

    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")
    assert (also.returncode, also.stderr) == (141, b"")

"""HEIC is decoded in a process that has little to lose and little to take, and whose end harms no other."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from benchmarks.heifs import Item, heif
from benchmarks.hostile_heifs import heic, heic_of_tiles
from impasto import apart, heic_process, images
from impasto.errors import UnreadableImage
from tests.core.decoding_memory import shape_and_kilobytes

pytestmark = [
    pytest.mark.skipif(not apart.folders(), reason="HEIC is read with impasto[heif]"),
    pytest.mark.skipif(not Path("/proc/self").exists(), reason="processes are looked at as Linux shows them"),
]
PATIENCE = 60  # s
ENDING = 1 << signal.SIGINT - 1 | 1 << signal.SIGTERM - 1
PHONE = (4032, 3024)  # px
LONG = (8064, 6048)  # px, which takes seconds: whoever looks at its decoder has time to


@contextmanager
def decoding(data: bytes) -> Iterator[tuple[int, list[BaseException]]]:
    """Decode a picture in a thread. Yield its process, once it runs, and what it ends with."""
    ended: list[BaseException] = []

    def decode() -> None:
        try:
            images.decode(data)
        except UnreadableImage as error:
            ended.append(error)

    thread = threading.Thread(target=decode)
    thread.start()
    yield decoder(), ended
    thread.join(PATIENCE)
    assert not thread.is_alive()


def decoder() -> int:
    """Return the child of this process that decodes."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        for children in Path("/proc/self/task").glob("*/children"):
            with suppress(FileNotFoundError, ProcessLookupError):  # it ended meanwhile
                for pid in map(int, children.read_text().split()):
                    if heic_process.__file__.encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                        return pid
        time.sleep(0.001)
    raise AssertionError("no process decodes")


def ignored(process: int) -> int:
    """Return the signals that a process ignores, a bit each."""
    found = re.search(r"SigIgn:\s*([0-9a-f]+)", Path(f"/proc/{process}/status").read_text())
    assert found
    return int(found[1], 16)


def test_a_decoder_that_is_killed_ends_its_picture_and_no_other(caplog: pytest.LogCaptureFixture) -> None:
    data = heic_of_tiles(LONG)

    with decoding(data) as (process, ended):
        os.kill(process, signal.SIGKILL)

    assert str(ended[0]).startswith("image: is a damaged picture (its decoder failed)")
    assert f"a HEIC picture ended its decoder (status -{signal.SIGKILL:d})" in caplog.text
    assert images.decode(heif(heic("waves"))).shape == (512, 512, 3)


def test_a_decoder_is_told_nothing_but_its_picture_and_may_take_so_much_and_no_more() -> None:
    with decoding(heic_of_tiles(LONG)) as (process, ended):
        environment = Path(f"/proc/{process}/environ").read_bytes()
        until = time.monotonic() + PATIENCE
        while not re.search(r"Max core file size +0 +0 ", limits := Path(f"/proc/{process}/limits").read_text()):
            assert time.monotonic() < until
        os.kill(process, signal.SIGKILL)

    assert environment == b""
    assert ended
    assert re.search(r"Max address space +\d+ +\d+ ", limits)
    assert re.search(r"Max cpu time +30 +30 ", limits)


def test_a_signal_for_all_of_a_group_leaves_the_picture_to_whoever_waits_for_it() -> None:
    with decoding(heic_of_tiles(LONG)) as (process, ended):
        until = time.monotonic() + PATIENCE
        while ignored(process) & ENDING != ENDING:
            assert time.monotonic() < until
        os.kill(process, signal.SIGTERM)
        os.kill(process, signal.SIGINT)
        assert os.getpgid(process) != os.getpgid(0)

    assert ended == []


def test_a_heic_that_is_wanted_small_takes_little_memory_here(tmp_path: Path) -> None:
    (tmp_path / "photo.heic").write_bytes(heic_of_tiles(PHONE))

    shape, kilobytes = shape_and_kilobytes(tmp_path / "photo.heic")

    assert shape == "(960,1280,3)"
    assert kilobytes < 40_000  # whole, it would be 36 MB, and 48 more as Pillow holds it


def test_a_stream_that_makes_no_sense_is_told_as_damage() -> None:
    whole = heic("waves")
    nonsense = Item(whole.kind, whole.contents[:7] + bytes(range(256)) * 40, whole.properties)

    with pytest.raises(UnreadableImage, match="is a damaged picture"):
        images.decode(heif(nonsense))

"""Clients that others have made, each in a process of its own, against a real server with the starter collection.

Their stubs and ours say the same, and so cannot be loaded into one process.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from impasto import images
from impasto.bundle import STARTER, load_bundle, write_bundle
from impasto_client import Client
from impasto_server.local import LocalServer, local_server
from tests.peers.processes import ROOT, run, run_program

VERSION = load_bundle(STARTER).version


@dataclass(frozen=True)
class Setting:
    """A server, and a folder with photos, for pictures."""

    server: LocalServer
    folder: Path

    def run(self, program: str, *addresses: str, python: str = sys.executable) -> Any:
        """Run a program, and return what it reports."""
        return run_program(program, *addresses, str(self.folder), python=python)

    def stylized(self, name: str, style: str | dict[str, float], **options: Any) -> bytes:
        """Return what Impasto's own call makes of one of the photos."""
        with Client(self.server.target) as client:
            photo = (self.folder / name).read_bytes()
            return client.stylize(photo, style, working_size=256, format="png", **options).image

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    import skimage

    folder = tmp_path_factory.mktemp("peers")
    for name in ("rocket.jpg", "coffee.png"):
        shutil.copy(Path(skimage.__file__).parent / "data" / name, folder)
    coffee = images.decode((folder / "coffee.png").read_bytes())
    np.save(folder / "pixels.npy", images.resize(coffee, 160, 112)[None])
    second_starter(folder / "second")
    # a batch of several is not painted to the byte as each of them alone
    with local_server(folder, ["--admin", "127.0.0.1:0", "--max-batch", "1"]) as server:
        yield Setting(server, folder)


def second_starter(folder: Path) -> None:
    """Write the starter collection anew, under the name `second`: its transformer's engine is there already."""
    starter = load_bundle(STARTER)
    files = {name: (STARTER / name).read_bytes() for name in starter.manifest["files"]}
    rest = {key: value for key, value in starter.manifest.items() if key not in ("format_version", "files")}
    write_bundle(folder, {**rest, "name": "second"}, files)


@pytest.fixture(scope="module")
def sync(setting: Setting) -> Any:
    return setting.run("triton_sync", setting.server.target, f"127.0.0.1:{setting.server.admin}")


def test_tritonclient_sees_the_server_and_its_model(sync: Any) -> None:
    found = sync["server"]
    assert found["live"] is found["ready"] is found["model ready"] is True
    assert found["another"] is False
    assert (found["name"], found["versions"], found["largest batch"]) == ("impasto", [VERSION], 64)
    assert found["inputs"][:5] == ["image", "pixels", "pixels_uint8", "style", "blend"]
    assert found["formats"] == {"pixels": "FORMAT_NHWC", "pixels_uint8": "FORMAT_NHWC"}
    assert found["types"] == {"painted": "TYPE_STRING", "pixels": "TYPE_FP32", "pixels_uint8": "TYPE_UINT8"}
    assert found["index"] == [["starter", VERSION, "READY"]]


def test_tritonclient_gets_the_pictures_that_stylize_gives_to_the_byte(sync: Any, setting: Setting) -> None:
    assert sync["painted"] == {"id": "17", "version": VERSION, "shape": [2, 1]}
    one = setting.stylized("rocket.jpg", "great-wave", strength=0.8)
    assert setting.read("one.png") == one
    assert setting.read("two0.png") == setting.stylized("rocket.jpg", "great-wave")
    assert setting.read("two1.png") == setting.stylized("coffee.png", "starry-night")
    assert setting.read("blended.png") == setting.stylized("rocket.jpg", {"great-wave": 2, "starry-night": 1})
    assert sync["own"] == {"bytes": len(one)}, "Impasto's client works in the same process"


def test_tritonclient_gets_of_pixels_what_a_file_of_them_becomes(sync: Any, setting: Setting) -> None:
    expected = images.decode(setting.read("pixels.png"))
    assert sync["pixels"] == {"shape": [1, 112, 160, 3]}
    assert np.array_equal(np.load(setting.folder / "whole.npy")[0], expected)
    assert np.array_equal(np.load(setting.folder / "floats.npy")[0], np.float32(expected) / np.float32(255))


@pytest.mark.parametrize(
    ("attempt", "code", "says"),
    [
        ("unknown model", "NOT_FOUND", "no model 'nope'. Available: starter"),
        ("unknown version", "NOT_FOUND", f"no version '9' of model 'starter' is held. Available: {VERSION}"),
        ("unknown style", "NOT_FOUND", "no style 'great-wav'; did you mean 'great-wave'?"),
        ("wrong name", "INVALID_ARGUMENT", "inputs: no input is named 'photo'"),
        ("wrong shape", "INVALID_ARGUMENT", "image: has the shape [1, 1, 1]; send [N, 1] or [N]"),
        ("channels first", "INVALID_ARGUMENT", "pixels: has the shape [1, 3, 64, 64]; send [N, height, width, 3]"),
        ("wrong datatype", "INVALID_ARGUMENT", "strength: has the data type 'FP64'; send FP32"),
        ("datatype that lies", "INVALID_ARGUMENT", "image: has the data type 'FP32'; send BYTES"),
        ("no prefix", "INVALID_ARGUMENT", "put before each element its length, as 4 bytes, little endian"),
        ("big-endian prefix", "INVALID_ARGUMENT", "put before each element its length, as 4 bytes, little endian"),
        ("too many elements", "INVALID_ARGUMENT", "image: has 4 bytes after the last of 1 elements"),
        ("no style", "INVALID_ARGUMENT", "style: is missing; give the style to paint in"),
        ("no photo", "INVALID_ARGUMENT", "inputs: have no photos; send one of image, pixels, pixels_uint8"),
        ("no picture", "INVALID_ARGUMENT", "image: "),
        ("unknown parameter", "INVALID_ARGUMENT", "did you mean 'strength'?"),
        ("bad parameter", "INVALID_ARGUMENT", "working_size: 9 px is out of range; give 16 to 4096"),
        ("unknown output", "INVALID_ARGUMENT", "none is named 'picture'; there are: painted, pixels, pixels_uint8"),
        ("huge metadata", "RESOURCE_EXHAUSTED", ""),
        ("too late", "DEADLINE_EXCEEDED", ""),
        ("afterwards", "OK", ""),
    ],
)
def test_tritonclient_is_told_what_is_wrong(sync: Any, attempt: str, code: str, says: str) -> None:
    found, message = sync["refusals"][attempt]
    assert found == code, message
    assert says in message


def test_tritonclient_sees_counters_rise(sync: Any) -> None:
    before, after = sync["statistics"]
    assert before["version"] == after["version"] == VERSION
    assert after["photos"] == before["photos"] + 2
    assert after["requests"] == before["requests"] + 1
    assert after["runs"] > before["runs"] > 0
    assert after["ns"] > before["ns"] > 0


def test_tritonclient_loads_and_unloads_on_the_administrators_port_alone(sync: Any) -> None:
    found = sync["repository"]
    code, message = found["on the callers' port"]
    assert code == "UNIMPLEMENTED"
    assert "call it on the administrators' port" in message
    assert found["loaded"]
    assert found["unloaded"]


def test_tritonclient_works_over_asyncio(setting: Setting) -> None:
    found = setting.run("triton_aio", setting.server.target)

    assert found["ready"] is True
    for style in ("great-wave", "starry-night"):
        assert setting.read(f"aio-{style}.png") == setting.stylized("rocket.jpg", style)
    ((code, message),) = found["refused"]
    assert code == "NOT_FOUND"
    assert message.startswith("no style 'nope'")
    first, error, last = found["stream"]
    assert (first, last) == (["id", "0"], ["id", "2"])
    assert error[1].startswith("no style 'nope'")


def test_tritonclient_streams_and_an_error_does_not_end_the_stream(setting: Setting) -> None:
    found = setting.run("triton_stream", setting.server.target)

    first, unknown, missing, last = found["answers"]
    assert (first, last) == (["id", "0"], ["id", "3"])
    assert unknown[2].startswith("no style 'nope'")
    assert missing[2].startswith("style: is missing")
    assert found["final"] is True
    assert found["open"] == 0
    assert setting.read("streamed.png") == setting.stylized("rocket.jpg", "great-wave")


def test_kserves_client_works(setting: Setting, kserve: str) -> None:
    found = setting.run("kserve_client", setting.server.target, python=kserve)

    assert found["ready"] == [True, True]
    assert found["models"] == [True, False]
    assert found["typed"] == ["pixels", [1, 48, 64, 3], "float32", True]
    assert found["refused"][0] == ["NOT_FOUND", "no model 'nope'. Available: starter"]
    assert found["refused"][1][1].startswith("style: is missing")
    assert setting.read("kserve.png") == setting.stylized("rocket.jpg", "great-wave", strength=0.8)


def blocks(kind: str) -> str:
    """Return the blocks of a kind on the protocol's page, as one script."""
    page = (ROOT / "docs" / "open-inference.md").read_text()
    return "".join(re.findall(rf"```{kind}\n(.*?)```", page, re.DOTALL))


def test_what_the_page_shows_works(setting: Setting, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(setting.read("rocket.jpg"))
    script = blocks("python").replace("127.0.0.1:8500", setting.server.target)

    printed = run([sys.executable, "-c", script], tmp_path).splitlines()

    assert images.decode((tmp_path / "painted.jpg").read_bytes()).shape == (427, 640, 3)
    assert printed[:2] == ["0", "1"]
    assert printed[2].startswith("no style 'no-such-style'. Available: ")
    assert len(printed) == 5


def test_what_the_page_shows_of_kserve_works(setting: Setting, tmp_path: Path, kserve: str) -> None:
    (tmp_path / "photo.jpg").write_bytes(setting.read("rocket.jpg"))
    script = blocks("python kserve").replace("127.0.0.1:8500", setting.server.target)

    run([kserve, "-c", script], tmp_path)

    assert images.decode((tmp_path / "painted.jpg").read_bytes()).shape == (427, 640, 3)

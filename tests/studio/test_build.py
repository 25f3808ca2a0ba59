"""The built page that is checked in: of these sources, small, and needing nothing from elsewhere."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from tests.studio.sources import BUILT, SOURCES, digest_of_sources, digests_of_build
from tests.studio.support import FAKE, address, studio

MOST_BYTES = 400 * 1024
NODE = (20, 19)
VITE = "vite/bin/vite.js"


def built() -> dict[str, bytes]:
    return contents(BUILT)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def run(name: str, *options: str) -> None:
    """Run one of the page's tools to its end."""
    done = subprocess.run([*tool(name), *options], cwd=SOURCES, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def tool(name: str) -> tuple[str, str]:
    """Return the command of one of the page's tools, or skip the test where it or Node is missing."""
    node = shutil.which("node")
    program = SOURCES / "node_modules" / name
    if node is None or not program.exists() or not (SOURCES / "src" / "gen").exists():
        pytest.skip("Node or the page's tools are not installed (`make web` installs them)")
    version = subprocess.run([node, "--version"], check=True, capture_output=True, text=True).stdout
    if tuple(map(int, re.findall(r"\d+", version)[:2])) < NODE:
        pytest.skip(f"Node is {version.strip()}, and the page's tools need {NODE[0]}.{NODE[1]}")
    return node, str(program)


def test_the_build_is_that_of_the_sources() -> None:
    assert (BUILT / "sources.sha256").read_text().strip() == digest_of_sources(), "run `make web`, and commit the build"


def test_nobody_has_changed_the_build_by_hand() -> None:
    assert (BUILT / "files.sha256").read_text() == digests_of_build(), "change clients/web, and run `make web`"


def test_the_build_is_small_enough_to_come_along() -> None:
    assert sum(map(len, built().values())) < MOST_BYTES


def test_the_page_needs_nothing_from_elsewhere() -> None:
    texts = {name: data.decode() for name, data in built().items() if name.endswith((".html", ".css", ".js", ".svg"))}
    addresses = {found for text in texts.values() for found in re.findall(r"https?://[\w.-]+", text)}
    assert addresses <= {"http://www.w3.org"}  # names of XML's kinds, which are never fetched
    assert "<script>" not in texts["index.html"]
    assert " style=" not in texts["index.html"]


def test_the_lock_names_no_other_registry() -> None:
    addresses = re.findall(r"https?://[\w.-]+", (SOURCES / "package-lock.json").read_text())
    assert {each for each in addresses if "npmjs.org" in each or "registry" in each} <= {"https://registry.npmjs.org"}


def test_the_sources_use_every_type_as_it_is_meant() -> None:
    run("typescript/bin/tsc", "--noEmit")


def test_building_again_makes_the_same_bytes(tmp_path: Path) -> None:
    run(VITE, "build", "--outDir", str(tmp_path / "again"), "--emptyOutDir", "--logLevel", "warn")
    assert contents(tmp_path / "again") == built()


def test_the_page_that_is_being_worked_on_reaches_a_server(tmp_path: Path) -> None:
    with studio(tmp_path, module=FAKE) as program, workbench(address(program)) as url:
        program.wait_for("ready")
        assert "version" in json.loads(fetched(Request(f"{url}/studio.json")))
        call = Request(f"{url}/impasto.v1.Stylizer/ListStyles", b"{}")
        call.add_header("Content-Type", "application/json")
        call.add_header("Origin", url)
        assert "styles" in json.loads(fetched(call))


def fetched(request: Request) -> bytes:
    with urlopen(request, timeout=30) as answer:
        data: bytes = answer.read()
        return data


@contextmanager
def workbench(server: str) -> Iterator[str]:
    """Run `npm run dev` before a server; return its address, as a browser names it in Origin."""
    command = [*tool(VITE), "--host", "127.0.0.1", "--port", "0"]
    environment = {**os.environ, "IMPASTO_STUDIO": server.rstrip("/"), "NO_COLOR": "1"}
    with subprocess.Popen(command, cwd=SOURCES, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            found = (re.search(r"http://127\.0\.0\.1:\d+", line) for line in process.stdout)
            yield next(match[0] for match in found if match)
        finally:
            process.terminate()

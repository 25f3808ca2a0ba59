"""The built page that is checked in: of these sources, small, and needing nothing from elsewhere."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.studio.sources import BUILT, SOURCES, digest_of_sources

MOST_BYTES = 400 * 1024


def built() -> dict[str, bytes]:
    return contents(BUILT)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_build_is_that_of_the_sources() -> None:
    assert (BUILT / "sources.sha256").read_text().strip() == digest_of_sources(), "run `make web`, and commit the build"


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


def test_building_again_makes_the_same_bytes(tmp_path: Path) -> None:
    node = shutil.which("node")
    program = SOURCES / "node_modules" / "vite" / "bin" / "vite.js"
    if node is None or not program.exists() or not (SOURCES / "src" / "gen").exists():
        pytest.skip("Node or the page's tools are not installed (`make web` installs them)")
    command = [node, str(program), "build", "--outDir", str(tmp_path / "again"), "--emptyOutDir", "--logLevel", "warn"]
    subprocess.run(command, cwd=SOURCES, check=True, capture_output=True, timeout=120)
    assert contents(tmp_path / "again") == built()

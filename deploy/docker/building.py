"""Builds an image from the checkout, as `make image-test` does: with buildah, and with what pip is told here.

Where no registry can be reached, the base is made from Debian's packages, and kept for a week.
"""

from __future__ import annotations

import ast
import hashlib
import re
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from deploy.docker.containers import CannotRun, podman, provide

ROOT = Path(__file__).parents[2]
DOCKERFILE = Path(__file__).with_name("Dockerfile")
_PULL_SECONDS = 300.0
_INDEXES = ("index-url", "extra-index-url")
_MOUNTED = "/tmp/pip"  # in the build; the last stage has its own /tmp
# Debian's smallest, without what its image in the registries lacks too, and with what the Dockerfile would install.
_DEBIAN = (
    *("mmdebstrap", "--quiet", "--variant=minbase", "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr"),
    *("--include=usr-is-merged,ca-certificates,python3", "--dpkgopt=path-include=/usr/share/doc/*/copyright"),
    *(f"--dpkgopt=path-exclude=/usr/share/{folder}/*" for folder in ("doc", "info", "locale", "man")),
    "bookworm",
)


def base_image() -> str:
    """Return the name of the image to build on: the Dockerfile's own if it can be had, else one made here.

    Raises:
        CannotRun: neither can be had.
    """
    made = f"localhost/impasto-test-base:{_key()}"
    if podman("image", "exists", made).returncode == 0:
        return made
    (wanted,) = re.findall(r"^ARG BASE=(\S+)$", DOCKERFILE.read_text(encoding="utf-8"), re.MULTILINE)
    if podman("pull", "--quiet", wanted, timeout=_PULL_SECONDS).returncode == 0:
        return str(wanted)
    _make_base(made)
    return made


def build(target: str, base: str, name: str) -> None:
    """Build a target of the Dockerfile.

    Raises:
        CannotRun: it failed; has the end of what was printed.
    """
    with TemporaryDirectory() as folder:
        settings, mounts = pip_settings(_pip_config())
        secret = Path(folder) / "pip.conf"
        secret.write_text(settings)
        done = subprocess.run(
            [
                *("buildah", "build", "--isolation=chroot", "--format=docker", f"--file={DOCKERFILE}"),
                *(f"--target={target}", f"--build-arg=BASE={base}", f"--tag={name}"),
                *(f"--secret=id=pip,src={secret}", *(f"--volume={mount}:ro" for mount in mounts), str(ROOT)),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    if done.returncode:
        raise CannotRun(f"the image {target} cannot be built:\n{done.stdout[-5000:]}")


def pip_settings(config: str) -> tuple[str, list[str]]:
    """Return a pip.conf that says in a build what pip is told here, and what has to be mounted for it.

    Args:
        config: as `pip config list` prints it: a line for each setting, such as `global.timeout='60'`.
    """
    settings: dict[str, str] = {}
    mounts: dict[Path, str] = {}
    for line in config.splitlines():
        key, _, value = line.partition("=")
        name = key.rpartition(".")[2]
        settings[name] = " ".join(_inside(word, name, mounts) for word in str(ast.literal_eval(value)).split())
    lines = ["[global]", *(f"{name} = {value}" for name, value in settings.items())]
    return "\n".join([*lines, ""]), [f"{path}:{inside}" for path, inside in mounts.items()]


def _inside(word: str, name: str, mounts: dict[Path, str]) -> str:
    """Return what a word of a setting is in the build: the same, unless it names a file or a folder of this machine."""
    scheme, path = ("file://", Path(word.removeprefix("file://"))) if word.startswith("file://") else ("", Path(word))
    if not (path.is_absolute() and path.exists()):
        return word
    mounted = path.parent if name in _INDEXES else path  # the files of an index lie beside it
    inside = mounts.setdefault(mounted, f"{_MOUNTED}/{len(mounts)}")
    return scheme + inside + str(path)[len(str(mounted)) :]


def _pip_config() -> str:
    """Return what pip is told by its files and the environment, the latter last."""
    done = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True)
    return "\n".join(sorted(done.stdout.splitlines(), key=lambda line: line.startswith(":env:")))


def _key() -> str:
    year, week, _ = datetime.now(UTC).isocalendar()
    return f"{year}-{week:02}-{hashlib.sha256(repr(_DEBIAN).encode()).hexdigest()[:8]}"


def _make_base(name: str) -> None:
    provide("mmdebstrap")
    with TemporaryDirectory() as folder:
        archive = Path(folder) / "base.tar"
        _run([*_DEBIAN, str(archive)])
        _run(["podman", "import", "--quiet", str(archive), name])


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotRun(f"{' '.join(command)} ended with status {done.returncode}:\n{done.stderr[-5000:]}")

"""The Dockerfile against what it is made from, read line by line: what can be told without building it."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

import pytest

from deploy.docker.building import DOCKERFILE, ROOT, pip_settings
from deploy.docker.requirements import requirements
from deploy.docker.trim import trim
from impasto_server.config import Config, ConfigError, load
from impasto_worker.options import Options

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
IMAGES = {"cpu": "impasto-server", "cuda": "impasto-server", "worker": "impasto-worker"}
_CONTINUED = re.compile(r"\\\n\s*")
_NAME = re.compile(r"[A-Za-z0-9._-]+")


@dataclass
class Stage:
    """One of the Dockerfile: the stage that it goes on from, and its instructions."""

    base: str
    steps: list[tuple[str, str]] = field(default_factory=list)

    def all(self, instruction: str) -> list[str]:
        return [text for name, text in self.steps if name == instruction]


def read_stages() -> dict[str, Stage]:
    lines = [line for line in DOCKERFILE.read_text().splitlines() if not line.lstrip().startswith("#")]
    found: dict[str, Stage] = {}
    for line in filter(None, _CONTINUED.sub(" ", "\n".join(lines)).splitlines()):
        instruction, _, text = line.partition(" ")
        if instruction == "FROM":
            base, _, name = text.partition(" AS ")
            found[name] = Stage(base)
        elif found:
            [*found.values()][-1].steps.append((instruction, text))
    return found


STAGES = read_stages()


def way_to(name: str) -> list[tuple[str, str]]:
    """Return the instructions of an image, those of the stages it goes on from first."""
    stage = STAGES.get(name)
    return [*way_to(stage.base), *stage.steps] if stage else []


def last(image: str, instruction: str) -> str:
    return [text for name, text in way_to(image) if name == instruction][-1]


def variables(image: str) -> dict[str, str]:
    given = [text.split() for name, text in way_to(image) if name == "ENV"]
    return dict(word.split("=", 1) for words in given for word in words)


def copied() -> set[str]:
    """Return what is copied from the checkout."""
    texts = [text for stage in STAGES.values() for text in stage.all("COPY") if "--from=" not in text]
    return {source for text in texts for source in text.split()[:-1]}


def extras() -> dict[str, list[str]]:
    """Return the extras that are installed for each image."""
    runs = {image: " ".join(STAGES[f"{image}-dependencies"].all("RUN")) for image in IMAGES}
    return {image: run.partition("sh install.sh ")[2].split() for image, run in runs.items()}


def test_what_is_copied_is_there_and_sent_to_the_builder() -> None:
    sent = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for source in copied():
        assert (ROOT / source).exists(), source
        assert any(source == one or source.startswith(f"{one}/") for one in sent), source
    assert all((ROOT / one).exists() for one in sent)


def test_every_package_of_the_wheel_is_copied() -> None:
    for package in PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]:
        assert any(package == source or package.startswith(f"{source}/") for source in copied()), package


@pytest.mark.parametrize("image", IMAGES)
def test_everything_that_an_image_asks_for_by_name_is_pinned(image: str) -> None:
    pinned = [line.partition("==")[0].lower() for line in (ROOT / "constraints.txt").read_text().splitlines()]
    wanted = requirements(ROOT / "pyproject.toml", extras()[image])
    names = {match[0].lower() for line in wanted if (match := _NAME.match(line))}
    assert len(names) > 10
    assert {name.replace("-", "_") for name in names} <= {name.replace("-", "_") for name in pinned}


def test_an_extra_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(SystemExit, match="has no extra gpu; there are bulk, cpu, cuda, "):
        requirements(ROOT / "pyproject.toml", ["server", "gpu"])


@pytest.mark.parametrize(("image", "program"), IMAGES.items())
def test_an_image_runs_its_program_as_nobody_in_particular(image: str, program: str) -> None:
    assert STAGES[image].steps[-1] == ("USER", "65532:65532")
    assert json.loads(last(image, "ENTRYPOINT")) == [program]
    assert program in PROJECT["project"]["scripts"]
    assert last(image, "HEALTHCHECK").endswith(f'CMD ["{program}", "ready"]')
    assert last(image, "STOPSIGNAL") == "SIGTERM"


@pytest.mark.parametrize("image", IMAGES)
def test_nothing_is_installed_in_a_stage_that_an_image_consists_of(image: str) -> None:
    runs = [text for name, text in way_to(image) if name == "RUN"]
    assert not [run for run in runs if "pip" in run or "venv" in run]
    assert len(runs) == 2  # Python where the base has none, and no file that makes its user another


def test_the_variables_of_the_images_are_options() -> None:
    ours = {image: {name for name in variables(image) if name.startswith("IMPASTO_")} for image in IMAGES}
    server = {f"IMPASTO_{name.upper()}" for name in Config.model_fields}
    worker = {f"IMPASTO_{name.upper()}" for name in Options.__dataclass_fields__}
    assert ours["cpu"] == ours["cuda"]
    assert ours["cpu"] <= server
    assert ours["worker"] <= worker


def test_the_image_itself_lets_nobody_in_without_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in variables("cpu").items():
        if name.startswith("IMPASTO_"):
            monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=r"0\.0\.0\.0:8500 can be reached from other machines"):
        load([])
    config = load(["--tls-cert", "/tls/tls.crt", "--tls-key", "/tls/tls.key"])
    ports = {address.rpartition(":")[2] for address in (config.listen, config.http)}
    assert ports == {text for name, text in way_to("cpu") if name == "EXPOSE"}
    assert str(config.state_folder) == variables("cpu")["IMPASTO_STATE_DIR"]


def test_what_no_image_uses_is_removed_and_the_rest_is_not(tmp_path: Path) -> None:
    for name in ("s3/2006-03-01/service-2.json.gz", "ec2/2016-11-15/service-2.json.gz", "_retry.json"):
        (tmp_path / "botocore/data" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "botocore/data" / name).write_bytes(b"described" * 100)
    assert trim(tmp_path) == 900
    assert sorted(path.name for path in (tmp_path / "botocore/data").iterdir()) == ["_retry.json", "s3"]


def test_a_version_that_lacks_what_should_be_removed_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "numpy/_core/tests").mkdir(parents=True)
    with pytest.raises(SystemExit, match="numpy has no f2py; look what this version has in its place"):
        trim(tmp_path)


def test_a_build_is_told_what_pip_is_told_here(tmp_path: Path) -> None:
    index, wheels, authority = tmp_path / "index/simple", tmp_path / "wheels", tmp_path / "ca.pem"
    index.mkdir(parents=True)
    wheels.mkdir()
    authority.touch()
    settings, mounts = pip_settings(
        f"global.cert='{authority}'\n"
        f"global.extra-index-url='https://registry.example/simple file://{index}'\n"
        "global.timeout='15'\n"
        f":env:.find-links='{wheels}'\n"
        ":env:.timeout='60'"
    )
    assert settings.splitlines() == [
        "[global]",
        "cert = /tmp/pip/0",
        "extra-index-url = https://registry.example/simple file:///tmp/pip/1/simple",
        "timeout = 60",
        "find-links = /tmp/pip/2",
    ]
    assert mounts == [f"{authority}:/tmp/pip/0", f"{index.parent}:/tmp/pip/1", f"{wheels}:/tmp/pip/2"]


def test_pictures_tests_and_benchmarks_are_not_sent_to_the_builder() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert next(line for line in lines if line and not line.startswith("#")) == "*"
    sent = [line[1:] for line in lines if line.startswith("!")]
    for path in ("tests/support.py", "benchmarks/soak.py", "docs/pictures/x.png", ".git/config", ".venv/bin/python"):
        assert not any(fnmatch(path, one) or path.startswith(f"{one}/") for one in sent), path

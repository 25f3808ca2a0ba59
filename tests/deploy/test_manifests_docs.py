"""The commands and kustomizations in docs/kubernetes.md and docs/operations.md do what they say."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.credentials import Authority
from tests.deploy.meaning import CONFIG_MAPS, SECRETS, dangling
from tests.deploy.rendering import ROOT, everything, named, rendered

_PAGE = (ROOT / "docs" / "kubernetes.md").read_text()
_BLOCKS = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
_SHELL = [
    shlex.split(line)
    for language, text in _BLOCKS.findall(_PAGE)
    if language == "sh"
    for line in text.replace("\\\n", " ").splitlines()
]
_GUIDE = (ROOT / "docs" / "operations.md").read_text()
_KUSTOMIZATIONS = [
    text for page in (_PAGE, _GUIDE) for _, text in _BLOCKS.findall(page) if "kind: Kustomization" in text
]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Return the keys of everything that the page's `kubectl create` commands make, by its name."""
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    folder = tmp_path_factory.mktemp("secrets")
    for name in ("server", "gateway"):
        Authority(folder).issue(name)
    for name in ("callers.toml", "ca.crt"):
        (folder / name).write_text("")
    commands = [command for command in _SHELL if command[:3] in (_create("secret"), _create("configmap"))]
    made = [_dry(command, folder) for command in commands]
    assert {one["metadata"]["namespace"] for one in made} == {"impasto"}
    return {one["metadata"]["name"]: set(one["data"]) for one in made}


def test_the_commands_make_all_that_the_manifests_need(made: dict[str, set[str]]) -> None:
    for name, keys in (SECRETS | CONFIG_MAPS).items():
        assert made[name] >= keys
    assert made.keys() == SECRETS.keys() | CONFIG_MAPS.keys()


def test_the_page_names_all_that_is_made_by_hand() -> None:
    assert [name for name in SECRETS | CONFIG_MAPS if f"`{name}`" not in _PAGE] == []


def test_the_page_names_every_component_and_overlay() -> None:
    names = {name.removeprefix("components/") for name in everything()}
    assert [name for name in names if f"`{name}`" not in _PAGE] == []


def test_folders_in_commands_are_there() -> None:
    folders = [word for command in _SHELL for word in command if word.startswith("deploy/")]
    assert folders
    assert [folder for folder in folders if not (ROOT / folder).exists()] == []


@pytest.mark.parametrize("kustomization", _KUSTOMIZATIONS)
def test_kustomizations_of_ones_own_render(kustomization: str, tmp_path: Path) -> None:
    (tmp_path / "impasto").symlink_to(ROOT)
    (tmp_path / "kustomization.yaml").write_text(kustomization)
    manifests = rendered(tmp_path)
    assert dangling(manifests) == []
    wanted = yaml.safe_load(kustomization).get("configMapGenerator", [{"literals": []}])[0]["literals"]
    data = named(manifests, "ConfigMap", "impasto-server")["data"]
    assert {f"{key}={value}" for key, value in data.items()} >= set(wanted)


def test_the_patch_for_clusters_without_a_spare_gpu_fits(tmp_path: Path) -> None:
    (patch,) = (text for _, text in _BLOCKS.findall(_PAGE) if "rollingUpdate" in text)
    (tmp_path / "impasto").symlink_to(ROOT)
    target = {"kind": "Deployment", "name": "impasto-server"}
    kustomization = {
        "kind": "Kustomization",
        "resources": ["impasto/deploy/kubernetes/overlays/cuda"],
        "patches": [{"target": target, "patch": patch}],
    }
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    strategy = named(rendered(tmp_path), "Deployment", "impasto-server")["spec"]["strategy"]
    assert strategy == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}


def _create(kind: str) -> list[str]:
    return ["kubectl", "create", kind]


def _dry(command: list[str], folder: Path) -> dict[str, dict[str, str]]:
    """Return what a command would make, from the files in a folder."""
    done = subprocess.run(
        [*command, "--dry-run=client", "--output=yaml"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    made: dict[str, dict[str, str]] = yaml.safe_load(done.stdout)
    return made

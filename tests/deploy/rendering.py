"""Kustomizations as kubectl renders them, and what is in them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

ROOT = Path(__file__).parents[2]
KUBERNETES = ROOT / "deploy" / "kubernetes"
BASE = KUBERNETES / "base"
OVERLAYS = KUBERNETES / "overlays"
_DIGEST = "[0-9a-z]{10}"

# What a component stands on beside the base.
NEEDS = {
    "autoscaling/keda-jobs": ("jobs",),
    "gateway-envoy": ("gateway",),
    "gateway-tls": ("gateway", "tls"),
    "jobs-cuda": ("jobs",),
}

Manifest = dict[str, Any]


class Workload(NamedTuple):
    """Something that makes pods."""

    kind: str
    name: str
    labels: dict[str, str]  # of its pods
    pod: dict[str, Any]  # their spec
    manifest: Manifest

    @property
    def component(self) -> str:
        return self.labels["app.kubernetes.io/component"]

    @property
    def containers(self) -> list[dict[str, Any]]:
        return [*self.pod.get("initContainers", ()), *self.pod["containers"]]


def everything() -> dict[str, tuple[str, ...]]:
    """Return every kustomization that there is by its folder, with the components to render beside the base.

    A component is rendered on the base, with no more than it stands on; anything else by itself.
    """
    folders = sorted(file.parent for file in KUBERNETES.rglob("kustomization.yaml"))
    names = {str(folder.relative_to(KUBERNETES)): folder for folder in folders}
    return {name: _components(folder) for name, folder in names.items()}


def rendered(folder: Path) -> list[Manifest]:
    """Return what `kubectl kustomize` makes of a folder; skip the test where there is no kubectl.

    Raises:
        AssertionError: it makes nothing of it; with what kubectl says.
    """
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed")
    done = subprocess.run([kubectl, "kustomize", folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return [manifest for manifest in yaml.safe_load_all(done.stdout) if manifest]


def composed(work: Path, components: Sequence[str], *, base: Path = BASE) -> list[Manifest]:
    """Return the base with these components, in this order, in the namespace of the overlays.

    Args:
        work: a folder to write a kustomization to.
        components: folders below `components`.
        base: what they are put on.
    """
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": "impasto",
        "resources": [os.path.relpath(base, work)],
        "components": [os.path.relpath(KUBERNETES / "components" / name, work) for name in components],
    }
    (work / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return rendered(work)


def workloads(manifests: Sequence[Manifest]) -> Iterator[Workload]:
    """Find what makes pods."""
    for manifest in manifests:
        template = manifest.get("spec", {}).get("template", {})
        if "containers" in template.get("spec", {}):
            yield Workload(
                manifest["kind"],
                manifest["metadata"]["name"],
                template["metadata"]["labels"],
                template["spec"],
                manifest,
            )


def of_kind(manifests: Sequence[Manifest], *kinds: str) -> list[Manifest]:
    return [manifest for manifest in manifests if manifest["kind"] in kinds]


def named(manifests: Sequence[Manifest], kind: str, name: str) -> Manifest:
    """Return the one of this kind whose name is this, or this with the digest that a generator appends."""
    alike = re.compile(rf"{re.escape(name)}(-{_DIGEST})?")
    (found,) = (one for one in of_kind(manifests, kind) if alike.fullmatch(one["metadata"]["name"]))
    return found


def _components(folder: Path) -> tuple[str, ...]:
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    if kustomization["kind"] != "Component":
        return ()
    name = str(folder.relative_to(KUBERNETES / "components"))
    return (*NEEDS.get(name, ()), name)

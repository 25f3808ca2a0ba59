"""Every kustomization renders, and what it renders is what Kubernetes and the operators know."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.conftest import Render
from tests.deploy.rendering import KUBERNETES, OVERLAYS, Manifest, composed, everything, named, of_kind, rendered
from tests.deploy.validation import NEWEST, OLDEST, UNKNOWN, custom_problems, has_schema, kind_of, problems

ALL = everything()


def test_the_parts_are_there() -> None:
    overlays = {name.removeprefix("overlays/") for name in ALL if name.startswith("overlays/")}
    assert overlays >= {"local", "cpu", "cuda"}
    components = {name.removeprefix("components/") for name in ALL if name.startswith("components/")}
    assert components >= {"cuda", "jobs", "tls", "monitoring", "autoscaling/keda", "network-policy", "gateway"}


@pytest.mark.parametrize("version", [NEWEST, OLDEST])
def test_kubernetes_knows_every_field(version: str, manifests: list[Manifest]) -> None:
    found = {_name(manifest): problems(manifest, version) for manifest in manifests}
    assert found == {name: [] for name in found}


def test_the_operators_know_every_field(manifests: list[Manifest]) -> None:
    found = {_name(manifest): list(custom_problems(manifest)) for manifest in manifests}
    assert found == {name: [] for name in found}


def test_the_kinds_that_no_schema_knows_are_those_that_are_named(render: Render) -> None:
    kinds = {kind_of(manifest) for name in ALL for manifest in render(name)}
    assert {kind for kind in kinds if not has_schema(*kind)} == UNKNOWN


def test_secrets_are_never_in_the_tree(render: Render) -> None:
    assert [manifest for name in ALL for manifest in of_kind(render(name), "Secret")] == []


@pytest.mark.parametrize("overlay", [path.name for path in sorted(OVERLAYS.iterdir())])
def test_an_overlay_puts_everything_into_its_namespace_and_makes_none(overlay: str, render: Render) -> None:
    manifests = render(f"overlays/{overlay}")
    assert {manifest["metadata"].get("namespace") for manifest in manifests} == {"impasto"}
    assert of_kind(manifests, "Namespace") == []


def test_two_autoscalers_cannot_be_put_together(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="/spec/replicas"):
        composed(tmp_path, ["autoscaling/keda", "autoscaling/hpa"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda manifest: manifest["spec"].update(replica=3), "'replica' was unexpected"),
        (lambda manifest: manifest.update(specs={}), "'specs' was unexpected"),
        (lambda manifest: _server(manifest).update(envFrom="impasto-server"), "'impasto-server' is not of type"),
        (lambda manifest: _server(manifest)["securityContext"].update(readOnlyRootFileSystem=True), "unexpected"),
        (lambda manifest: manifest["spec"].pop("selector"), "'selector' is a required property"),
        (lambda manifest: manifest.update(kind="Deploymnet"), "no schema knows apps/v1 Deploymnet"),
        (lambda manifest: manifest.update(apiVersion="apps/v1beta1"), "no schema knows apps/v1beta1 Deployment"),
    ],
)
def test_a_manifest_that_is_wrong_is_found(change: Callable[[Any], object], said: str) -> None:
    manifest = named(rendered(KUBERNETES / "base"), "Deployment", "impasto-server")
    assert problems(manifest, NEWEST) == []
    change(manifest)
    (problem,) = problems(manifest, NEWEST)
    assert said in problem


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda manifest: manifest["spec"].update(maxReplicas=3), "'maxReplicas' was unexpected"),
        (lambda manifest: manifest.update(specs=manifest["spec"]), "'specs' was unexpected"),
        (lambda manifest: manifest["spec"]["triggers"][0]["metadata"].update(threshold=1), "1 is not of type 'string'"),
        (lambda manifest: manifest["spec"]["fallback"].update(behavior="none"), "'none' is not one of"),
        (lambda manifest: manifest["spec"].pop("triggers"), "'triggers' is a required property"),
    ],
)
def test_a_custom_resource_that_is_wrong_is_found(change: Callable[[Any], object], said: str, tmp_path: Path) -> None:
    manifest = named(composed(tmp_path, ["autoscaling/keda"]), "ScaledObject", "impasto-server")
    assert list(custom_problems(manifest)) == []
    change(manifest)
    (problem,) = custom_problems(manifest)
    assert said in problem


def _server(deployment: Manifest) -> Any:
    return deployment["spec"]["template"]["spec"]["containers"][0]


def _name(manifest: Manifest) -> str:
    return f"{manifest['kind']} {manifest['metadata']['name']}"

"""Pods: what they refer to, what they may, how they live and end."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.meaning import (
    MAY_BE_MISSING,
    SECRETS,
    dangling,
    insecure,
    missing_ports,
    references,
    unmatched,
)
from tests.deploy.rendering import ROOT, Manifest, composed, named, of_kind, workloads

_PROGRAMS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]


def test_what_they_refer_to_is_there_or_is_made_by_hand(manifests: list[Manifest]) -> None:
    assert dangling(manifests) == []


def test_secrets_are_needed_but_for_how_s3_is_reached(manifests: list[Manifest]) -> None:
    secrets = [reference for reference in references(manifests) if reference.kind == "Secret"]
    for reference in secrets:
        assert reference.optional == ((reference.name, reference.key) in MAY_BE_MISSING)
        assert reference.optional or {reference.key} - {""} <= SECRETS[reference.name]


def test_selectors_select_pods(manifests: list[Manifest]) -> None:
    components = sorted({workload.component for workload in workloads(manifests)})
    assert not components or unmatched(manifests, components) == []


def test_ports_are_those_of_containers(manifests: list[Manifest]) -> None:
    assert missing_ports(manifests) == []


def test_pods_have_no_more_rights_than_they_need(manifests: list[Manifest]) -> None:
    assert {workload.name: insecure(workload) for workload in workloads(manifests)} == {
        workload.name: [] for workload in workloads(manifests)
    }


def test_images_are_ours_and_say_which(manifests: list[Manifest]) -> None:
    for workload in workloads(manifests):
        for container in workload.containers:
            name, _, tag = container["image"].partition(":")
            assert name in ("impasto-server", "impasto-worker")
            assert tag
            assert tag != "latest"
            assert container.get("imagePullPolicy") != "Always"


def test_memory_is_limited_and_cores_are_asked_for(manifests: list[Manifest]) -> None:
    for workload in workloads(manifests):
        for container in workload.containers:
            resources = container["resources"]
            assert resources["requests"].keys() >= {"cpu", "memory"}
            assert "memory" in resources["limits"]
            assert "cpu" not in resources["limits"]
            assert resources["limits"].get("nvidia.com/gpu") == resources["requests"].get("nvidia.com/gpu")


def test_what_can_be_written_is_bounded(manifests: list[Manifest]) -> None:
    for workload in workloads(manifests):
        for volume in workload.pod.get("volumes", ()):
            assert "emptyDir" not in volume or volume["emptyDir"]["sizeLimit"]


def test_a_pod_that_dies_says_why(manifests: list[Manifest]) -> None:
    for workload in workloads(manifests):
        for container in workload.containers:
            assert container["terminationMessagePolicy"] == "FallbackToLogsOnError"


def test_probes_leave_what_they_ask_the_time_to_answer(manifests: list[Manifest]) -> None:
    for workload in workloads(manifests):
        for container in workload.containers:
            if "readinessProbe" not in container:
                continue
            probe = container["readinessProbe"]
            program, command = probe["exec"]["command"]
            assert program in _PROGRAMS
            assert program == container["image"].partition(":")[0]
            assert command == "ready"
            assert probe["timeoutSeconds"] > 2  # what the program itself waits for
            assert container["livenessProbe"]["httpGet"]["path"] == container["startupProbe"]["httpGet"]["path"]
            # A server with a stuck engine drains by itself before it is killed for that.
            patience = container["livenessProbe"]["periodSeconds"] * container["livenessProbe"]["failureThreshold"]
            assert patience >= workload.pod["terminationGracePeriodSeconds"]


def test_machines_can_be_emptied_and_somebody_stays(manifests: list[Manifest]) -> None:
    for budget in of_kind(manifests, "PodDisruptionBudget"):
        assert budget["spec"]["maxUnavailable"] in (1, "50%")
        assert "minAvailable" not in budget["spec"]
    budgeted = {budget["metadata"]["name"] for budget in of_kind(manifests, "PodDisruptionBudget")}
    assert budgeted == {workload.name for workload in workloads(manifests) if workload.kind == "Deployment"}


def test_a_rolling_update_never_has_fewer_servers(manifests: list[Manifest]) -> None:
    for workload in workloads(manifests):
        if workload.component == "server":
            strategy = workload.manifest["spec"]["strategy"]
            assert strategy["rollingUpdate"]["maxUnavailable"] == 0
            assert strategy["rollingUpdate"]["maxSurge"]
            keys = [spread["topologyKey"] for spread in workload.pod["topologySpreadConstraints"]]
            assert keys == ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]


def test_the_gateway_asks_for_a_certificate_of_the_service_that_it_calls(manifests: list[Manifest]) -> None:
    for policy in of_kind(manifests, "BackendTLSPolicy"):
        (target,) = policy["spec"]["targetRefs"]
        service = named(manifests, target["kind"], target["name"])["metadata"]
        assert policy["spec"]["validation"]["hostname"] == f"{service['name']}.{service['namespace']}.svc"


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (lambda pod: pod.update(serviceAccountName="impasto"), dangling),
        (lambda pod: pod["volumes"][0]["secret"].update(secretName="impasto-caller"), dangling),
        (lambda pod: pod["containers"][0]["envFrom"][0]["configMapRef"].update(name="impasto-server"), dangling),
        (lambda pod: pod["containers"][0]["ports"][1].update(name="metrics"), missing_ports),
        (lambda pod: pod["containers"][0]["ports"][0].update(name="grpcs"), missing_ports),
    ],
)
def test_what_leads_nowhere_is_found(
    change: Callable[[Any], object], check: Callable[[Sequence[Manifest]], list[str]], tmp_path: Path
) -> None:
    manifests = composed(tmp_path, ["callers"])
    assert check(manifests) == []
    change(named(manifests, "Deployment", "impasto-server")["spec"]["template"]["spec"])
    assert check(manifests) != []


def test_a_selector_that_selects_nothing_is_found(tmp_path: Path) -> None:
    manifests = composed(tmp_path, ["network-policy"])
    assert unmatched(manifests, ["server"]) == []
    named(manifests, "Service", "impasto")["spec"]["selector"]["app.kubernetes.io/name"] = "painter"
    (found,) = unmatched(manifests, ["server"])
    assert found.startswith("Service impasto: ")

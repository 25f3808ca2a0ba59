"""What manifests say of each other, and of what is to be there before them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, NamedTuple

from tests.deploy.rendering import Manifest, Workload, of_kind, workloads

# What the operator makes by hand, and the keys that it needs. docs/kubernetes.md has the commands.
SECRETS = {
    "impasto-database": {"url"},
    "impasto-blobs": {"url"},
    "impasto-tls": {"tls.crt", "tls.key"},
    "impasto-callers": {"callers.toml"},
    "impasto-gateway-tls": {"tls.crt", "tls.key"},
    "impasto-bulk": set[str](),
}
CONFIG_MAPS = {"impasto-ca": {"ca.crt"}}

# How S3 is reached may be known otherwise: by the pod's account, or by the machine. Secret and key, or all of a Secret.
MAY_BE_MISSING = {
    ("impasto-blobs", "AWS_ACCESS_KEY_ID"),
    ("impasto-blobs", "AWS_SECRET_ACCESS_KEY"),
    ("impasto-blobs", "AWS_DEFAULT_REGION"),
    ("impasto-blobs", "AWS_ENDPOINT_URL"),
    ("impasto-bulk", ""),
}


class Reference(NamedTuple):
    """That one object names another."""

    by: str
    kind: str
    name: str
    key: str = ""
    optional: bool = False


def dangling(manifests: Sequence[Manifest]) -> list[str]:
    """Return which references lead nowhere: neither to another manifest nor to what is made by hand."""
    there = {(manifest["kind"], manifest["metadata"]["name"]) for manifest in manifests}
    there |= {("Secret", name) for name in SECRETS} | {("ConfigMap", name) for name in CONFIG_MAPS}
    return [f"{one.by}: {one.kind} {one.name}" for one in references(manifests) if (one.kind, one.name) not in there]


def references(manifests: Sequence[Manifest]) -> Iterator[Reference]:
    """Find what names another object."""
    for workload in workloads(manifests):
        yield from _of_pod(workload)
    for manifest in manifests:
        by = f"{manifest['kind']} {manifest['metadata']['name']}"
        for default, one in _named_by(manifest):
            yield Reference(by, one.get("kind", default), one["name"])


def unmatched(manifests: Sequence[Manifest], components: Sequence[str]) -> list[str]:
    """Return which selectors select no pods.

    Args:
        manifests: all of them.
        components: of pods; a policy for pods of another one is for what may be there besides.
    """
    pods = [workload.labels for workload in workloads(manifests)]
    return [
        f"{by}: {selector}"
        for by, selector in _selectors(manifests)
        if selector.get("app.kubernetes.io/component", components[0]) in components
        and not any(selector.items() <= labels.items() for labels in pods)
    ]


def missing_ports(manifests: Sequence[Manifest]) -> list[str]:
    """Return which ports no container of the pods in question has, by name or by number."""
    found = list(workloads(manifests))
    missing = [
        f"{workload.name}: {probe['httpGet']['port']}"
        for workload in found
        for container in workload.containers
        for probe in _probes(container)
        if "httpGet" in probe and probe["httpGet"]["port"] not in _ports(container)
    ]
    for service in of_kind(manifests, "Service"):
        open_ports = _ports_of(found, service["spec"]["selector"])
        missing += [
            f"{service['metadata']['name']}: {port['targetPort']}"
            for port in service["spec"]["ports"]
            if port["targetPort"] not in open_ports
        ]
    for policy in of_kind(manifests, "NetworkPolicy"):
        for labels, port in _policed(policy):
            pods = [workload for workload in found if labels.items() <= workload.labels.items()]
            if pods and port not in _ports_of(pods, labels):
                missing.append(f"{policy['metadata']['name']}: {port}")
    return [*missing, *_missing_service_ports(manifests)]


def insecure(workload: Workload) -> list[str]:
    """Return what the Pod Security Standard `restricted` would refuse, and what could be closed besides."""
    pod = workload.pod
    context = pod.get("securityContext", {})
    wanted = {
        "runAsNonRoot": context.get("runAsNonRoot") is True,
        "runAsUser": context.get("runAsUser") == context.get("runAsGroup") == 65532,
        "seccompProfile": context.get("seccompProfile") == {"type": "RuntimeDefault"},
        "automountServiceAccountToken": pod.get("automountServiceAccountToken") is False,
        "enableServiceLinks": pod.get("enableServiceLinks") is False,
        "host": not any(pod.get(key) for key in ("hostNetwork", "hostPID", "hostIPC")),
        "volumes": not any("hostPath" in volume for volume in pod.get("volumes", ())),
    }
    for container in workload.containers:
        wanted |= {f"{container['name']} {what}": well for what, well in _closed(container).items()}
    return [what for what, well in wanted.items() if not well]


def _closed(container: dict[str, Any]) -> dict[str, bool]:
    context = container.get("securityContext", {})
    return {
        "allowPrivilegeEscalation": context.get("allowPrivilegeEscalation") is False,
        "readOnlyRootFilesystem": context.get("readOnlyRootFilesystem") is True,
        "capabilities": context.get("capabilities") == {"drop": ["ALL"]},
        "privileged": not context.get("privileged"),
    }


def _of_pod(workload: Workload) -> Iterator[Reference]:
    by = f"{workload.kind} {workload.name}"
    if account := workload.pod.get("serviceAccountName"):
        yield Reference(by, "ServiceAccount", account)
    for volume in workload.pod.get("volumes", ()):
        yield from _of_source(by, volume)
    for container in workload.containers:
        for source in container.get("envFrom", ()):
            yield from _of_source(by, source)
        for variable in container.get("env", ()):
            yield from _of_source(by, variable.get("valueFrom", {}))


def _named_by(manifest: Manifest) -> Iterator[tuple[str, dict[str, Any]]]:
    """Find what a manifest that makes no pods names, with the kind that it is unless it says so."""
    spec = manifest.get("spec", {})
    if target := spec.get("scaleTargetRef"):
        yield "Deployment", target
    listed = {
        "Gateway": spec.get("parentRefs", ()),
        "": [*spec.get("targetRefs", ()), *spec.get("validation", {}).get("caCertificateRefs", ())],
        "Service": chain.from_iterable(rule.get("backendRefs", ()) for rule in _rules(manifest)),
        "Secret": chain.from_iterable(one["tls"]["certificateRefs"] for one in spec.get("listeners", ())),
    }
    for default, ones in listed.items():
        for one in ones:
            yield default, one


def _of_source(by: str, source: dict[str, Any]) -> Iterator[Reference]:
    """Find the Secret or ConfigMap that a volume, a variable or a set of variables comes from."""
    if secret := source.get("secret"):
        yield Reference(by, "Secret", secret["secretName"], optional=secret.get("optional", False))
    for field, kind in (
        ("secretRef", "Secret"),
        ("secretKeyRef", "Secret"),
        ("configMap", "ConfigMap"),
        ("configMapRef", "ConfigMap"),
        ("configMapKeyRef", "ConfigMap"),
    ):
        if one := source.get(field):
            yield Reference(by, kind, one["name"], one.get("key", ""), one.get("optional", False))


def _selectors(manifests: Sequence[Manifest]) -> Iterator[tuple[str, dict[str, str]]]:
    for manifest in manifests:
        by, spec = f"{manifest['kind']} {manifest['metadata']['name']}", manifest.get("spec", {})
        match manifest["kind"]:
            case "Service":
                yield by, spec["selector"]
            case "PodDisruptionBudget" | "Deployment" | "PodMonitor":
                yield by, spec["selector"]["matchLabels"]
            case "NetworkPolicy":
                yield by, spec["podSelector"]["matchLabels"]
    for workload in workloads(manifests):
        for spread in workload.pod.get("topologySpreadConstraints", ()):
            yield f"{workload.kind} {workload.name}, spread", spread["labelSelector"]["matchLabels"]


def _policed(policy: Manifest) -> Iterator[tuple[dict[str, str], int | str]]:
    """Find the ports of our own pods that a policy names, with the labels of these pods."""
    for rule in policy["spec"].get("ingress", ()):
        for port in rule.get("ports", ()):
            yield policy["spec"]["podSelector"]["matchLabels"], port["port"]
    for rule in policy["spec"].get("egress", ()):
        ours = [peer["podSelector"]["matchLabels"] for peer in rule.get("to", ()) if "podSelector" in peer]
        for labels in ours:
            for port in rule["ports"]:
                yield labels, port["port"]


def _missing_service_ports(manifests: Sequence[Manifest]) -> Iterator[str]:
    services = {service["metadata"]["name"]: service["spec"]["ports"] for service in of_kind(manifests, "Service")}
    for manifest in manifests:
        name = f"{manifest['kind']} {manifest['metadata']['name']}"
        for rule in _rules(manifest):
            for backend in rule.get("backendRefs", ()):
                if backend["port"] not in {port["port"] for port in services.get(backend["name"], ())}:
                    yield f"{name}: {backend['port']}"
        for target in manifest.get("spec", {}).get("targetRefs", ()):
            if target["kind"] == "Service" and target["sectionName"] not in {
                port["name"] for port in services.get(target["name"], ())
            }:
                yield f"{name}: {target['sectionName']}"


def _rules(manifest: Manifest) -> list[dict[str, Any]]:
    return manifest["spec"]["rules"] if manifest["kind"] == "GRPCRoute" else []


def _probes(container: dict[str, Any]) -> list[dict[str, Any]]:
    kinds = ("startupProbe", "livenessProbe", "readinessProbe")
    return [container[kind] for kind in kinds if kind in container]


def _ports(container: dict[str, Any]) -> set[int | str]:
    ports = container.get("ports", ())
    return {port["name"] for port in ports} | {port["containerPort"] for port in ports}


def _ports_of(pods: Sequence[Workload], labels: dict[str, str]) -> set[int | str]:
    containers = chain.from_iterable(pod.containers for pod in pods if labels.items() <= pod.labels.items())
    return set(chain.from_iterable(_ports(container) for container in containers))

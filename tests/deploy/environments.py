"""What the programs in the pods see of their environment."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import fields
from decimal import ROUND_CEILING, Decimal
from typing import Any

from impasto_server.config import Config
from impasto_worker.options import Options
from tests.deploy.rendering import ROOT, Manifest, Workload, named

# What the Secrets have, as the commands in docs/kubernetes.md make them.
VALUES = {
    ("impasto-database", "url"): "postgresql://impasto:secret@postgres.databases.svc/impasto",
    ("impasto-blobs", "url"): "s3://impasto/jobs",
}
_CLIENT = ROOT / "clients" / "python" / "impasto_client"
_VARIABLE = re.compile(r"IMPASTO_[A-Z][A-Z_]*[A-Z]")


def environment(manifests: Sequence[Manifest], container: dict[str, Any]) -> dict[str, str]:
    """Return the variables that a container gets, without those that may be missing."""
    variables: dict[str, str] = {}
    for source in (source for source in container.get("envFrom", ()) if "configMapRef" in source):
        variables |= named(manifests, "ConfigMap", source["configMapRef"]["name"])["data"]
    for variable in container.get("env", ()):
        if "value" in variable:
            variables[variable["name"]] = variable["value"]
        elif (value := _found(variable["valueFrom"], container)) is not None:
            variables[variable["name"]] = value
    return variables


def options(workload: Workload) -> set[str]:
    """Return the variables that a workload's program reads, or has in its arguments."""
    match workload.component:
        case "server":
            return {f"IMPASTO_{name.upper()}" for name in Config.model_fields}
        case "worker":
            return {f"IMPASTO_{item.name.upper()}" for item in fields(Options) if item.metadata}
        case _:
            words = [word for container in workload.containers for word in container.get("args", ())]
            sources = [file.read_text() for file in _CLIENT.rglob("*.py")]
            return {variable for source in (*words, *sources) for variable in _VARIABLE.findall(source)}


def _found(source: dict[str, Any], container: dict[str, Any]) -> str | None:
    if secret := source.get("secretKeyRef"):
        return (
            VALUES.get((secret["name"], secret["key"]))
            if secret.get("optional")
            else VALUES[secret["name"], secret["key"]]
        )
    if resource := source.get("resourceFieldRef"):
        group, _, name = resource["resource"].partition(".")
        return str(cores(container["resources"][group][name]))
    return str(source["fieldRef"]["fieldPath"])  # some text or other


def cores(quantity: str) -> int:
    """Return what Kubernetes makes of a number of cores where whole ones are asked for: `500m` is 1."""
    amount = Decimal(quantity[:-1]) / 1000 if quantity.endswith("m") else Decimal(quantity)
    return int(amount.to_integral_value(ROUND_CEILING))

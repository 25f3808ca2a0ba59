"""Manifests against the schemas of their kinds."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from jsonschema import Draft202012Validator
from kubernetes_validate import SchemaNotFoundError, utils

from tests.deploy.rendering import Manifest

SCHEMAS_VARIABLE = "IMPASTO_TEST_SCHEMAS"

# The newest Kubernetes whose schemas are at hand, and the oldest that is looked after when it is the newest.
NEWEST = utils.major_minor(utils.latest_version())
OLDEST = f"1.{int(NEWEST.partition('.')[2]) - 3}"

# Kinds that are not Kubernetes' own, and the file that has the schema.
CUSTOM = {
    ("gateway.networking.k8s.io/v1", "Gateway"): "gateway_v1.json",
    ("gateway.networking.k8s.io/v1", "GRPCRoute"): "grpcroute_v1.json",
    ("keda.sh/v1alpha1", "ScaledObject"): "scaledobject_v1alpha1.json",
    ("monitoring.coreos.com/v1", "PodMonitor"): "podmonitor_v1.json",
    ("monitoring.coreos.com/v1", "PrometheusRule"): "prometheusrule_v1.json",
    ("monitoring.coreos.com/v1", "ServiceMonitor"): "servicemonitor_v1.json",
}

# Kinds of which no schema is at hand, so that nobody but a cluster can tell whether they are right.
UNKNOWN = {
    ("gateway.envoyproxy.io/v1alpha1", "BackendTrafficPolicy"),
    ("gateway.networking.k8s.io/v1", "BackendTLSPolicy"),
}


def kind_of(manifest: Manifest) -> tuple[str, str]:
    """Return its apiVersion and kind."""
    return manifest["apiVersion"], manifest["kind"]


def problems(manifest: Manifest, version: str) -> list[str]:
    """Return what is wrong with one of Kubernetes' own kinds or of UNKNOWN; a custom one is not looked at.

    Args:
        manifest: to look at.
        version: of Kubernetes, such as 1.34.
    """
    if kind_of(manifest) in CUSTOM.keys() | UNKNOWN:
        return []
    return _problems(manifest, version)


def has_schema(api_version: str, kind: str) -> bool:
    """Tell whether a schema of such a thing is at hand, or would be where the schemas of custom resources are."""
    thing = {"apiVersion": api_version, "kind": kind}
    return (api_version, kind) in CUSTOM or not any(
        "no schema knows" in problem for problem in _problems(thing, NEWEST)
    )


def custom_problems(manifest: Manifest) -> Iterator[str]:
    """Find what is wrong with a kind of CUSTOM; any other is right. Skips the test where there are no schemas."""
    file = CUSTOM.get(kind_of(manifest))
    if file is not None:
        for error in _validator(file).iter_errors(manifest):
            yield f"{'.'.join(map(str, error.path))}: {error.message}"


def _problems(manifest: Manifest, version: str) -> list[str]:
    return list(_problems_of(json.dumps(manifest), version))


@cache  # most manifests come with many kustomizations
def _problems_of(manifest: str, version: str) -> tuple[str, ...]:
    thing: Manifest = json.loads(manifest)
    try:
        validated = kubernetes_validate.validate(thing, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return (f"{'.'.join(map(str, error.path))}: {error.message}",)
    except SchemaNotFoundError:
        return (f"no schema knows {thing['apiVersion']} {thing['kind']} in Kubernetes {version}",)
    return () if validated == version else (f"there are no schemas of Kubernetes {version}, only of {validated}",)


@cache
def _validator(file: str) -> Draft202012Validator:
    folder = os.environ.get(SCHEMAS_VARIABLE)
    if not folder:
        pytest.skip(f"{SCHEMAS_VARIABLE} does not say where the schemas of custom resources are")
    schema: dict[str, Any] = json.loads((Path(folder) / file).read_text())
    # The root alone is open in these files; a misspelled `spec` would pass.
    return Draft202012Validator({**schema, "additionalProperties": False})

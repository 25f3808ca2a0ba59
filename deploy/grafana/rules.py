"""The rules for a Prometheus without the operator: `python -m deploy.grafana.rules rules.yaml` writes them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

MONITORING = Path(__file__).parents[1] / "kubernetes" / "components" / "monitoring"

Group = dict[str, Any]


def groups() -> list[Group]:
    """Return the groups of rules out of the manifests that the operator reads."""
    manifests = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in sorted(MONITORING.glob("*.yaml"))]
    return [group for one in manifests if one["kind"] == "PrometheusRule" for group in one["spec"]["groups"]]


def write(file: Path, those: list[Group]) -> None:
    """Write groups as Prometheus' `rule_files` have them."""
    file.write_text(yaml.safe_dump({"groups": those}, sort_keys=False), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]), groups())

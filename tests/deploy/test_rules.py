"""Prometheus' rules, by Prometheus' own tool: each alert is seen to fire, and to stay quiet when it should.

The cases are in `rules`: by alert, what is `given` (series and their values, one every minute or `every` so long), and
what has become of it `at` a time; an alert that fires does so `with` these labels.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.grafana.rules import MONITORING
from tests.deploy.prometheus_rules import Rule, alerts, file_of, records, write_groups

pytestmark = pytest.mark.skipif(not shutil.which("promtool"), reason="needs promtool, of Debian's package prometheus")

CASES = Path(__file__).parent / "rules"
RECORDED = CASES / "recorded.yaml"
RUNBOOK = MONITORING.parents[3] / "docs" / "monitoring.md"
SEVERITIES = {"critical", "warning", "info"}
LABEL = re.compile(r"\$labels\.(\w+)")

Case = dict[str, Any]


@cache
def cases() -> dict[str, dict[str, list[Case]]]:
    """Return the cases of each alert. Everything in them is text: 0x20 are twenty zeros, and no 32."""
    files = sorted(set(CASES.glob("*.yaml")) - {RECORDED})
    loaded = [yaml.load(file.read_text(), Loader=yaml.BaseLoader) for file in files]
    return {alert: kinds for file in loaded for alert, kinds in file.items()}


def promtool(*arguments: object) -> None:
    """Run promtool, and fail with what it says."""
    done = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_rules_can_be_read(tmp_path: Path) -> None:
    promtool("check", "rules", *write_groups(tmp_path))


def test_what_is_recorded_is_what_the_objectives_count(tmp_path: Path) -> None:
    write_groups(tmp_path)
    promtool("test", "rules", shutil.copy(RECORDED, tmp_path))


@pytest.mark.parametrize("group", sorted({group for group, _ in alerts().values()}))
def test_alerts_fire_when_they_should_and_no_other_time(group: str, tmp_path: Path) -> None:
    write_groups(tmp_path)
    documents = list(_documents(group))
    assert documents
    for number, document in enumerate(documents):
        (tmp_path / f"case-{number:03}.yaml").write_text(yaml.safe_dump(document))
    promtool("test", "rules", *sorted(tmp_path.glob("case-*.yaml")))


def test_every_alert_has_been_seen_to_fire_and_to_stay_quiet() -> None:
    assert cases().keys() == alerts().keys()
    for alert, kinds in cases().items():
        assert kinds["fires"], alert
        assert kinds["quiet"], alert


def test_every_rule_that_records_has_been_looked_at() -> None:
    seen = RECORDED.read_text()
    windows = re.compile(r"ratio_rate\w+$")  # which are looked at together
    missing = {
        windows.sub("ratio_rate", record) for record in records() if windows.sub("ratio_rate", record) not in seen
    }
    assert missing == set()


@pytest.mark.parametrize("alert", alerts())
def test_an_alert_says_how_bad_it_is_what_is_wrong_and_what_to_do(alert: str) -> None:
    _, rule = alerts()[alert]
    anchor = f"docs/monitoring.md#{alert.lower()}"

    assert rule["labels"]["severity"] in SEVERITIES
    assert rule["annotations"].keys() == {"summary", "description", "runbook"}
    assert rule["annotations"]["runbook"] == anchor
    assert f"### {alert}\n" in RUNBOOK.read_text()


@pytest.mark.parametrize("alert", alerts())
def test_an_alert_names_no_label_that_it_lacks(alert: str) -> None:
    _, rule = alerts()[alert]
    named = {label for text in rule["annotations"].values() for label in LABEL.findall(text)}
    carried = set.union(*(set(case["with"]) for case in cases()[alert]["fires"]))

    assert named <= carried | rule["labels"].keys()


def _documents(group: str) -> Iterator[Any]:
    """Yield the cases of a group's alerts as promtool takes them, each with a series of its own."""
    for alert, (name, rule) in alerts().items():
        if name == group:
            for case in cases()[alert]["fires"]:
                yield _document(group, alert, case, [{"labels": _firing(alert, rule, case), "value": 1}])
            for case in cases()[alert]["quiet"]:
                yield _document(group, alert, case, [])


def _document(group: str, alert: str, case: Case, expected: list[Any]) -> Any:
    every = case.get("every", "1m")
    expression = f'ALERTS{{alertname="{alert}",alertstate="firing"}}'
    return {
        "rule_files": [file_of(group)],
        "evaluation_interval": every,
        "tests": [
            {
                "name": f"{alert}: {case['why']}",
                "interval": every,
                "input_series": [{"series": series, "values": values} for series, values in case["given"].items()],
                "promql_expr_test": [{"expr": expression, "eval_time": case["at"], "exp_samples": expected}],
            }
        ],
    }


def _firing(alert: str, rule: Rule, case: Case) -> str:
    """Return what Prometheus says of an alert that fires."""
    labels = {"alertname": alert, "alertstate": "firing", **rule["labels"], **case["with"]}
    return "ALERTS{" + ",".join(f'{label}="{value}"' for label, value in labels.items()) + "}"

"""What the number of pods depends on: work, by metrics that the server has, and never processors."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from impasto.images import Format
from impasto_server.metrics import Metrics
from impasto_server.painting import Painting
from tests.deploy.conftest import Render
from tests.deploy.rendering import KUBERNETES, Manifest, named, of_kind, workloads

_HPA = "components/autoscaling/hpa"
_RULES = yaml.safe_load((KUBERNETES / _HPA / "adapter-rules.yaml").read_text())["rules"]["custom"]
_SERIES = re.compile(r"(impasto_\w+)(?:\{([^}]*)\})?")
_LABEL = re.compile(r"(\w+)(?:=~|!=|=)")
_OF_PODS = {"namespace", "pod"}  # what Prometheus itself adds
_INTERVAL = "15s"


def test_no_autoscaler_looks_at_processors_or_memory(manifests: list[Manifest]) -> None:
    for scaler in of_kind(manifests, "HorizontalPodAutoscaler"):
        assert {metric["type"] for metric in scaler["spec"]["metrics"]} == {"Pods"}
    for scaler in of_kind(manifests, "ScaledObject"):
        assert {trigger["type"] for trigger in scaler["spec"]["triggers"]} == {"prometheus"}


def test_one_autoscaler_rules_a_deployment_and_nobody_else_does(manifests: list[Manifest]) -> None:
    scalers = of_kind(manifests, "HorizontalPodAutoscaler", "ScaledObject")
    scaled = [scaler["spec"]["scaleTargetRef"]["name"] for scaler in scalers]
    assert len(scaled) == len(set(scaled))
    for workload in workloads(manifests):
        if workload.kind == "Deployment":
            assert ("replicas" in workload.manifest["spec"]) == (workload.name not in scaled)


def test_pods_come_at_once_and_go_slowly(manifests: list[Manifest]) -> None:
    for behavior in _behaviors(manifests):
        assert behavior["scaleUp"]["stabilizationWindowSeconds"] <= 30
        assert behavior["scaleDown"]["stabilizationWindowSeconds"] >= 300
        assert all(policy["periodSeconds"] >= 60 for policy in behavior["scaleDown"]["policies"])


def test_queries_ask_for_metrics_that_the_server_has(manifests: list[Manifest]) -> None:
    queries = [trigger["metadata"]["query"] for trigger in _triggers(manifests)]
    assert [problem for query in queries for problem in _unknown_series(query)] == []


def test_queries_ask_about_the_namespace_that_the_overlays_are_in(manifests: list[Manifest]) -> None:
    for trigger in _triggers(manifests):
        for _, labels in _SERIES.findall(trigger["metadata"]["query"]):
            assert 'namespace="impasto"' in labels


def test_no_answer_of_prometheus_is_not_taken_for_no_work(manifests: list[Manifest]) -> None:
    for trigger in _triggers(manifests):
        assert trigger["metadata"]["ignoreNullValues"] == "false"
    for scaler in of_kind(manifests, "ScaledObject"):
        assert scaler["spec"]["fallback"]["behavior"] == "currentReplicasIfHigher"


def test_the_adapters_rules_make_the_metrics_that_the_autoscaler_asks_for(render: Render) -> None:
    made = {rule.get("name", {}).get("as", rule["seriesQuery"].partition("{")[0]) for rule in _RULES}
    scaler = named(render(_HPA), "HorizontalPodAutoscaler", "impasto-server")
    assert {metric["pods"]["metric"]["name"] for metric in scaler["spec"]["metrics"]} == made
    queries = [_adapted(rule) for rule in _RULES] + [rule["seriesQuery"] for rule in _RULES]
    assert [problem for query in queries for problem in _unknown_series(query)] == []


def test_a_metric_that_the_server_has_not_is_found() -> None:
    assert _unknown_series('sum(impasto_queue_length{namespace="impasto"})') == ["impasto_queue_length"]
    assert _unknown_series('rate(impasto_stage_seconds_sum{phase="engine"}[2m])') == [
        "impasto_stage_seconds_sum{phase}"
    ]


@pytest.mark.parametrize(
    ("series", "waiting", "busy"),
    [
        # Two pods, the engine of each busy half of the time with single photos of 0.1 s.
        ([("0.25", "0.5", "5", "5"), ("0.125", "0.5", "5", "5")], 0.375, 1.0),
        # One whose engine is never idle with batches of four, of 0.4 s each, which are told of each photo.
        ([("1.5", "4", "10", "40")], 1.5, 1.0),
        # One that has painted nothing yet.
        ([("0", None, None, None)], 0.0, 0.0),
        # One that has not painted lately.
        ([("0", "0", "0", "0")], 0.0, 0.0),
    ],
)
def test_prometheus_finds_how_much_waits_and_how_many_engines_are_busy(
    series: list[tuple[str | None, ...]], waiting: float, busy: float, render: Render, tmp_path: Path
) -> None:
    scaler = named(render("components/autoscaling/keda"), "ScaledObject", "impasto-server")
    wait, engines = (trigger["metadata"]["query"] for trigger in scaler["spec"]["triggers"])
    adapted = {rule.get("name", {}).get("as"): _adapted(rule) for rule in _RULES}
    expected = {
        wait: waiting,
        engines: busy,
        f"sum({adapted[None]})": waiting,
        f"sum({adapted['impasto_busy_engines']})": busy,
    }
    _check_by_promtool(tmp_path, _input(series), expected)


def test_prometheus_finds_how_many_jobs_there_are(render: Render, tmp_path: Path) -> None:
    scaler = named(render("components/autoscaling/keda-jobs"), "ScaledObject", "impasto-worker")
    (trigger,) = scaler["spec"]["triggers"]
    counted = [
        {"series": f'impasto_jobs{{namespace="impasto",pod="{pod}",state="{state}"}}', "values": f"{count}x40"}
        for pod in ("a", "b")
        for state, count in (("queued", 3), ("running", 2), ("succeeded", 50))
    ]
    _check_by_promtool(tmp_path, counted, {trigger["metadata"]["query"]: 5})


def _input(pods: list[tuple[str | None, ...]]) -> list[dict[str, str]]:
    """Return series of pods: of each the wait, and by how much engine seconds, pictures and batches rise a second."""
    series = []
    for number, (waiting, engine, pictures, batches) in enumerate(pods):
        where = f'namespace="impasto",pod="{number}"'
        series += [
            {"series": f"impasto_predicted_wait_seconds{{{where}}}", "values": f"{waiting}x40"},
            {"series": f"impasto_requests_in_flight{{{where}}}", "values": "1x40"},
        ]
        rising = {
            f'impasto_stage_seconds_sum{{{where},stage="engine"}}': engine,
            f'impasto_stage_seconds_sum{{{where},stage="queue"}}': engine and "3",
            f"impasto_batch_pictures_count{{{where}}}": pictures,
            f"impasto_batch_pictures_sum{{{where}}}": batches,
        }
        for name, rate in rising.items():
            if rate is not None:
                series.append({"series": name, "values": f"0+{float(rate) * 15:g}x40"})
    return series


def _check_by_promtool(folder: Path, series: list[dict[str, str]], expected: dict[str, float]) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian's package is prometheus)")
    asked = [
        {"expr": query, "eval_time": "8m", "exp_samples": [{"labels": "{}", "value": value}]}
        for query, value in expected.items()
    ]
    test = {"interval": _INTERVAL, "input_series": series, "promql_expr_test": asked}
    file = folder / "test.yaml"
    file.write_text(yaml.safe_dump({"rule_files": [], "evaluation_interval": _INTERVAL, "tests": [test]}))
    done = subprocess.run([promtool, "test", "rules", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _adapted(rule: dict[str, Any]) -> str:
    """Return the query that prometheus-adapter makes of a rule, for all pods of the namespace."""
    query: str = rule["metricsQuery"]
    query = query.replace("<<.Series>>", rule["seriesQuery"].partition("{")[0])
    return query.replace("<<.LabelMatchers>>", 'namespace="impasto",pod=~".+"').replace("<<.GroupBy>>", "pod")


def _unknown_series(query: str) -> list[str]:
    known = _known_series()
    unknown = []
    for name, matchers in _SERIES.findall(query):
        if name not in known:
            unknown.append(name)
        else:
            unknown += [f"{name}{{{label}}}" for label in _LABEL.findall(matchers) if label not in known[name]]
    return unknown


def _known_series() -> dict[str, set[str]]:
    """Return every series that a server shows which has painted and counted jobs, with its labels."""
    metrics = Metrics()
    metrics.jobs({}, 0)
    metrics.painted(_painting(), "Stylize")
    families = text_string_to_metric_families(metrics.page().decode())
    return {sample.name: {*sample.labels, *_OF_PODS} for family in families for sample in family.samples}


def _painting() -> Painting:
    size = (64, 48)
    return Painting(b"", Format.JPEG, size, size, size, "starter", 3072, 1, {"queue": 0.1, "engine": 0.1})


def _triggers(manifests: list[Manifest]) -> Iterator[dict[str, Any]]:
    for scaler in of_kind(manifests, "ScaledObject"):
        yield from scaler["spec"]["triggers"]


def _behaviors(manifests: list[Manifest]) -> Iterator[dict[str, Any]]:
    for scaler in of_kind(manifests, "HorizontalPodAutoscaler"):
        yield scaler["spec"]["behavior"]
    for scaler in of_kind(manifests, "ScaledObject"):
        yield scaler["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]

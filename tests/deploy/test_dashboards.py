"""Every query of every panel, asked of a real Prometheus that watches a real server and a worker under load."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from deploy.grafana.__main__ import FOLDER, files
from deploy.grafana.jobs import jobs
from deploy.grafana.service import service
from tests.deploy.prometheus_server import BadQuery
from tests.deploy.watched import PAGE, Watched, watched

needs_prometheus = pytest.mark.skipif(not shutil.which("prometheus"), reason="needs prometheus, as Debian packages it")

DASHBOARDS = {"service": service().build(), "jobs": jobs().build()}
PANELS = [
    pytest.param(panel, id=f"{name}: {panel.title}")
    for name, board in DASHBOARDS.items()
    for panel in board.panels or ()
    if panel.type_val != "row"
]
VARIABLES = [
    pytest.param(variable, id=f"{name}: {variable.name}")
    for name, board in DASHBOARDS.items()
    for variable in board.templating.list_val or ()
    if variable.name != "datasource"
]

# What a query may be without here, by what it asks for, and why.
MAY_BE_EMPTY = {"kube_pod_container_resource_limits": "there is no kube-state-metrics outside of Kubernetes"}

# What Grafana would fill in: every value, and at least four scrapes, which are half a second apart.
FILLED_IN = {"$namespace": ".*", "$instance": ".*", "$worker": ".*", "$bundle": ".*", "$__rate_interval": "5s"}
LABEL_VALUES = re.compile(r"label_values\((.*),(\w+)\)")
ROW = re.compile(r"^\| `(impasto_\w+)` \| (\w+) \| ([\w, ]*) ?\|", re.MULTILINE)
SCALERS = FOLDER.parents[1] / "autoscaling"


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    with watched(tmp_path_factory.mktemp("watched")) as one:
        yield one


def test_the_dashboards_are_what_the_code_makes() -> None:
    assert {file: file.read_text() for file in FOLDER.glob("*.json")} == files(), "run: python -m deploy.grafana"


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_says_what_it_shows_and_in_what(panel: Any) -> None:
    assert panel.title
    assert panel.description.endswith(".")
    assert panel.field_config.defaults.unit
    assert panel.grid_pos.x + panel.grid_pos.w <= 24


@needs_prometheus
@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_has_data(deployment: Watched, panel: Any) -> None:
    for target in panel.targets:
        query = _filled_in(target.expr)
        found = deployment.prometheus.now(query) if target.instant else deployment.prometheus.lately(query)

        assert found or any(metric in query for metric in MAY_BE_EMPTY), query


@needs_prometheus
@pytest.mark.parametrize("variable", VARIABLES)
def test_a_variable_has_something_to_choose(deployment: Watched, variable: Any) -> None:
    match = LABEL_VALUES.fullmatch(variable.query["query"])
    assert match
    series, label = match.groups()

    assert deployment.prometheus.values_of(label, _filled_in(series))


@needs_prometheus
def test_what_autoscaling_asks_for_is_there(deployment: Watched) -> None:
    manifests = [yaml.safe_load(file.read_text()) for file in SCALERS.rglob("*.yaml")]
    scaled = [one for one in manifests if isinstance(one, dict) and one.get("kind") == "ScaledObject"]
    queries = [trigger["metadata"]["query"] for one in scaled for trigger in one["spec"]["triggers"]]

    assert queries
    assert [query for query in queries if len(deployment.prometheus.now(query)) != 1] == []


@needs_prometheus
def test_no_rule_fails_where_all_is_real(deployment: Watched) -> None:
    groups = deployment.prometheus.ask("rules")["groups"]
    rules = [rule for group in groups for rule in group["rules"]]

    assert rules
    assert [(rule["name"], rule["lastError"]) for rule in rules if rule.get("lastError")] == []


@needs_prometheus
def test_the_calls_were_counted_for_what_they_were(deployment: Watched) -> None:
    now = deployment.prometheus.now
    stylize = 'method="/impasto.v1.Stylizer/Stylize"'

    assert now(f'impasto_requests_total{{{stylize},code="INVALID_ARGUMENT"}} > 0')
    assert now('impasto_requests_total{method="/impasto.v1.Stylizer/StylizeStream",code="CANCELLED"} > 0')
    assert now('impasto_stream_items_total{code="OK"} > 0')
    assert now('impasto_cache_requests_total{result="hit"} > 0')
    assert now(f'impasto_rejections_total{{{stylize},reason="OVERLOADED"}} > 0')
    assert now("namespace:impasto_answers_good:rate5m > 0")
    assert now("namespace:impasto_answers_bad:rate5m > 0")


@needs_prometheus
@pytest.mark.parametrize("who", ["server", "worker"])
def test_the_documentation_lists_what_is_measured(deployment: Watched, who: str) -> None:
    families = text_string_to_metric_families(deployment.pages[who])
    measured = {_name(one): (one.type, _labels(one)) for one in families if _is_ours(one.name)}

    assert _documented(who) == measured


@needs_prometheus
def test_a_query_that_is_wrong_would_be_found(deployment: Watched) -> None:
    with pytest.raises(BadQuery, match="parse error"):
        deployment.prometheus.now("sum(")


def _filled_in(query: str) -> str:
    for variable, value in FILLED_IN.items():
        query = query.replace(variable, value)
    assert "$" not in query, query
    return query


def _documented(who: str) -> dict[str, tuple[str, set[str]]]:
    table = PAGE.read_text().partition(f"<!-- {who}: held")[2].partition(f"<!-- {who}: end")[0]
    return {name: (kind, set(labels.replace(" ", "").split(",")) - {""}) for name, kind, labels in ROW.findall(table)}


def _is_ours(name: str) -> bool:
    return name.startswith("impasto") and not name.endswith("_created")  # which tell when a counter began


def _name(family: Any) -> str:
    """Return how queries name it."""
    return f"{family.name}_total" if family.type == "counter" else str(family.name)


def _labels(family: Any) -> set[str]:
    return {label for sample in family.samples for label in sample.labels} - {"le"}

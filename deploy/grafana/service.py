"""The dashboard "Impasto service": whether callers are served well, and if not, why."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard

from deploy.grafana.calls import calls, latency
from deploy.grafana.dashboards import board, choice
from deploy.grafana.panels import (
    A_SECOND,
    BAD,
    CALLS_A_SECOND,
    FAIR,
    GOOD,
    SECONDS,
    SHARE,
    Panel,
    Query,
    lines,
    number,
)
from deploy.grafana.processes import bundles, processes
from deploy.grafana.queries import (
    CALL_BUCKETS,
    OURS,
    QUICK,
    STYLIZE,
    of_deployment,
    of_servers,
    or_zero,
    quantile,
    rate,
    total,
)
from deploy.grafana.work import painting, saturation

UID = "impasto-service"

_DAY = 86_400.0  # s
_WITHOUT_RULES = "no rules"


def service() -> dashboard.Dashboard:
    variables = [
        choice("namespace", "Namespace", "impasto_ready", "namespace"),
        choice("instance", "Server", 'impasto_ready{namespace=~"$namespace"}', "instance"),
        choice("bundle", "Bundle", 'impasto_bundle_info{namespace=~"$namespace"}', "bundle"),
    ]
    rows = {
        "At a glance": _glance(),
        "Objectives": _objectives(),
        "Calls": calls(),
        "How long calls take": latency(),
        "How much there is to do": saturation(),
        "Painting": painting(),
        "Bundles and engines": bundles(),
        "Processes": processes(),
    }
    return board(UID, "Impasto service", "Whether callers are served well, and if not, why.", variables, rows)


def _glance() -> list[Panel]:
    wait = f"max({of_servers('impasto_predicted_wait_seconds')})"
    expires = f"min({of_servers('impasto_certificate_expiry_timestamp_seconds')}) - time()"
    alerts = of_deployment("ALERTS", 'alertname=~"Impasto.+"', 'alertstate="firing"')
    slow = quantile(0.95, of_servers(CALL_BUCKETS, STYLIZE))
    return [
        number(
            "Alerts",
            "Of the rules that come with the dashboards, those that fire now.",
            or_zero(f"count({alerts})"),
            steps={0: GOOD, 1: BAD},
        ),
        number(
            "Ready servers",
            "Those that want calls: started, warm, not on their way out.",
            or_zero(total(of_servers("impasto_ready"))),
            steps={0: BAD, 1: GOOD},
        ),
        number(
            "Calls a second",
            "Of every method, however they end.",
            total(rate(of_servers("impasto_requests_total", OURS))),
            unit=CALLS_A_SECOND,
        ),
        number(
            "Photos a second",
            "Painted by engines; what comes from the cache is not among them.",
            or_zero(total(rate(of_servers("impasto_picture_pixels_count")))),
            unit=A_SECOND,
        ),
        number(
            "Bad answers",
            "The share of answers of the last five minutes that are bad by the service's fault: it failed, was not "
            "there, or had too much to do.",
            f"max({of_deployment('namespace:impasto_answers_bad:ratio_rate5m')})",
            unit=SHARE,
            steps={0: GOOD, 0.001: FAIR, 0.0144: BAD},
            without=_WITHOUT_RULES,
        ),
        number(
            "95 in 100 photos within",
            "Of the calls of Stylize that ended well, their upload included.",
            slow,
            unit=SECONDS,
            steps={0: GOOD, QUICK / 2: FAIR, QUICK: BAD},
            without="no calls",
        ),
        number(
            "Longest queue",
            "How long the next photo would wait for an engine, where it would wait longest.",
            wait,
            unit=SECONDS,
            steps={0: GOOD, 1: FAIR, QUICK: BAD},
        ),
        number(
            "Certificate expires in",
            "Of the certificates in use, the first to expire. Servers take up a new one by themselves.",
            expires,
            unit=SECONDS,
            steps={0: BAD, 2 * _DAY: FAIR, 14 * _DAY: GOOD},
            without="no TLS",
        ),
    ]


def _objectives() -> list[Panel]:
    return [
        _budget("Budget left: bad answers", "namespace:impasto_availability:budget_left30d"),
        _budget("Budget left: slow photos", "namespace:impasto_latency:budget_left30d"),
        _burn("How fast it is spent: bad answers", "namespace:impasto_answers_bad:ratio_rate", "availability"),
        _burn("How fast it is spent: slow photos", "namespace:impasto_paintings_slow:ratio_rate", "latency"),
    ]


def _budget(title: str, record: str) -> Panel:
    return number(
        title,
        "What is left of what may go wrong within thirty days, or within as many as Prometheus keeps. Below 0 the "
        "objective is missed.",
        f"min({of_deployment(record)})",
        unit=SHARE,
        width=4,
        steps={-1000: BAD, 0: FAIR, 0.25: GOOD},
        decimals=1,
        without=_WITHOUT_RULES,
    )


def _burn(title: str, record: str, objective: str) -> Panel:
    budget = f"(1 - scalar(impasto:{objective}:objective))"
    return lines(
        title,
        "1 spends the budget in just its thirty days. At 14.4 within an hour or 6 within six somebody is called; at 3 "
        "within a day it is worth a look.",
        *(Query(f"max({of_deployment(record + window)}) / {budget}", window) for window in ("5m", "1h", "6h", "1d")),
        limit=14.4,
    )

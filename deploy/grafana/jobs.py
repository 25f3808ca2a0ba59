"""The dashboard "Impasto jobs": what waits, who paints it, and how it ends."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard

from deploy.grafana.dashboards import board, choice
from deploy.grafana.panels import (
    A_SECOND,
    BAD,
    BYTES,
    CALLS_A_SECOND,
    FAIR,
    GOOD,
    SECONDS,
    Panel,
    Query,
    lines,
    listing,
    number,
    yes_or_no,
)
from deploy.grafana.queries import of_deployment, of_workers, or_zero, quantile, rate, total

UID = "impasto-jobs"

_LONG = 900.0  # s, that a job may wait
_CREATE = 'method="/impasto.v1.Stylizer/CreateStylization"'
_WORKER = 'job="impasto-worker"'


def jobs() -> dashboard.Dashboard:
    variables = [
        choice("namespace", "Namespace", "impasto_ready", "namespace"),
        choice("worker", "Worker", 'impasto_worker_info{namespace=~"$namespace"}', "instance"),
    ]
    rows = {
        "At a glance": _glance(),
        "What waits, and what has ended": _queue(),
        "Painting": _painting(),
        "Workers": _workers(),
    }
    return board(UID, "Impasto jobs", "What waits, who paints it, and how it ends.", variables, rows)


def _by_state(states: str) -> str:
    """Return the jobs in each of some states. Every server counts all of the store that it shares with the others."""
    selected = of_deployment("impasto_jobs", f'state=~"{states}"')
    return f"max by (namespace, state) ({selected})"


def _oldest() -> str:
    return f"max({of_deployment('impasto_oldest_waiting_job_seconds')})"


def _all_workers() -> str:
    """Return how many workers there are, by themselves and beside servers."""
    alone, beside = f"count({of_deployment('impasto_worker_info')})", total(of_deployment("impasto_workers"))
    return f"({or_zero(alone)}) + ({or_zero(beside)})"


def _glance() -> list[Panel]:
    failed = of_deployment("impasto_worker_jobs_total", 'outcome="failed"')
    return [
        number("Waiting", "Jobs that no worker has begun with.", or_zero(total(_by_state("queued")))),
        number(
            "Longest wait",
            "Of those that wait now.",
            or_zero(_oldest()),
            unit=SECONDS,
            width=4,
            steps={0: GOOD, _LONG / 3: FAIR, _LONG: BAD},
        ),
        number("Running", "Jobs that a worker holds.", or_zero(total(_by_state("running")))),
        number("Workers", "By themselves and beside servers.", _all_workers(), steps={0: BAD, 1: GOOD}),
        number(
            "Failed in an hour",
            "Attempts of workers by themselves that ended in a failure of the job.",
            or_zero(f"sum(increase({failed}[1h]))"),
            steps={0: GOOD, 1: FAIR, 3: BAD},
            decimals=0,
        ),
        yes_or_no(
            "Servers reach the store",
            "All of them, at their latest look: its database and its pictures.",
            f"min({of_deployment('impasto_job_store_reachable')})",
            width=4,
            without="no jobs are served",
        ),
        yes_or_no(
            "Workers reach the store",
            "All of them, at their latest look.",
            f"min({of_workers('impasto_worker_store_reachable')})",
            width=4,
            without="no workers by themselves",
        ),
    ]


def _queue() -> list[Panel]:
    refused = of_deployment("impasto_rejections_total", 'reason=~"QUEUE_FULL|JOB_QUOTA|STORE_UNAVAILABLE"')
    return [
        lines(
            "Jobs to be done",
            "Those that wait and those that run, as the store has them.",
            Query(total(_by_state("queued")), "waiting"),
            Query(total(_by_state("running")), "running"),
            width=6,
        ),
        lines(
            "Longest wait",
            "Of those that wait; a job whose worker died waits again. Above the dashed line there is an alert.",
            Query(_oldest(), "longest wait"),
            unit=SECONDS,
            limit=_LONG,
            width=6,
        ),
        lines(
            "Calls that make jobs",
            "CreateStylization by code.",
            Query(total(rate(of_deployment("impasto_requests_total", _CREATE)), "code"), "{{code}}"),
            unit=CALLS_A_SECOND,
            width=6,
        ),
        lines(
            "Jobs refused",
            "QUEUE_FULL: too many wait. JOB_QUOTA: too many of one caller do. STORE_UNAVAILABLE: the store is away.",
            Query(total(rate(refused), "reason"), "{{reason}}"),
            unit=CALLS_A_SECOND,
            width=6,
        ),
        lines(
            "Jobs that have ended",
            "Those that the store keeps (job_keep_seconds), by how.",
            Query(
                total(_by_state("succeeded|failed|cancelled"), "state"),
                "{{state}}",
            ),
            width=24,
        ),
    ]


def _painting() -> list[Panel]:
    seconds = of_workers("impasto_worker_job_seconds_bucket")
    outcomes = of_workers("impasto_worker_jobs_total")
    return [
        lines(
            "How attempts end",
            "`released` is a worker that was stopped and gave its job back; `lost` and `abandoned` ones are done again "
            "by others, for the store did not answer in time or the job was deleted.",
            Query(f"{total(rate(outcomes), 'outcome')} * 60", "{{outcome}}"),
            unit="suffix: /min",
            stacked=True,
        ),
        lines(
            "Seconds a job",
            "That a worker had each job that succeeded.",
            *(Query(quantile(of, seconds), f"{of:.0%} within") for of in (0.5, 0.95)),
            unit=SECONDS,
        ),
        lines(
            "Steps a second",
            "Of optimisation: what a worker does, whatever the jobs.",
            Query(rate(of_workers("impasto_worker_steps_total")), "{{instance}}"),
            unit=A_SECOND,
        ),
    ]


def _workers() -> list[Panel]:
    busy, memory = of_workers("impasto_worker_busy"), of_workers("process_resident_memory_bytes", _WORKER)
    cores = rate(of_workers("process_cpu_seconds_total", _WORKER))
    return [
        lines(
            "Busy",
            "How many of the workers by themselves have a job in hand. What autoscaling goes by is jobs, not this.",
            Query(total(busy), "busy"),
            Query(f"count({busy})", "workers"),
            width=6,
        ),
        listing(
            "Workers",
            "What they compute on and look with.",
            of_workers("impasto_worker_info"),
            ("instance", "version", "device", "perception"),
            width=6,
        ),
        lines("Memory", "Resident.", Query(memory, "{{instance}}"), unit=BYTES, width=6),
        lines("Processor", "Cores that are kept busy.", Query(cores, "{{instance}}"), width=6),
    ]

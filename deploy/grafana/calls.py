"""Panels of calls: how many, how they end, and how long they take."""

from __future__ import annotations

from deploy.grafana.panels import (
    A_SECOND,
    CALLS_A_SECOND,
    SECONDS,
    Panel,
    Query,
    heat,
    lines,
)
from deploy.grafana.queries import (
    CALL_BUCKETS,
    FAILURES,
    OURS,
    QUICK,
    STAGE_BUCKETS,
    STYLIZE,
    of_servers,
    quantile,
    rate,
    total,
)

_MEGAPIXEL = "1e6"


def calls() -> list[Panel]:
    calls = of_servers("impasto_requests_total", OURS)
    failed = of_servers("impasto_requests_total", OURS, FAILURES)
    return [
        lines(
            "Calls by code",
            "All that ended, by how.",
            Query(total(rate(calls), "code"), "{{code}}"),
            unit=CALLS_A_SECOND,
            stacked=True,
        ),
        lines(
            "Calls by method",
            "All that ended, by what they asked for.",
            Query(total(rate(calls), "method"), "{{method}}"),
            unit=CALLS_A_SECOND,
        ),
        lines(
            "Failures by code",
            "The service's own: INTERNAL has its story in the log, under the request id that the caller was told; "
            "UNAVAILABLE is a server that is not ready or ends, or a store that is away.",
            Query(total(rate(failed), "code"), "{{code}}"),
            unit=CALLS_A_SECOND,
        ),
        lines(
            "Refusals by reason",
            "OVERLOADED, DEADLINE_UNREACHABLE and QUEUE_FULL: there is too much to do. RATE_LIMITED, TOO_MANY_CALLS "
            "and JOB_QUOTA: a caller is at its own limit.",
            Query(total(rate(of_servers("impasto_rejections_total")), "reason"), "{{reason}}"),
            unit=CALLS_A_SECOND,
        ),
        lines(
            "Calls cut off",
            "By the caller, which went away; by its deadline; or at its deadline while it waited for a job, which goes "
            "on.",
            Query(total(rate(of_servers("impasto_cancellations_total")), "reason"), "{{reason}}"),
            unit=CALLS_A_SECOND,
        ),
        lines(
            "Photos of streams",
            "Answered within StylizeStream, where each photo has a code of its own.",
            Query(total(rate(of_servers("impasto_stream_items_total")), "code"), "{{code}}"),
            unit=A_SECOND,
            stacked=True,
        ),
    ]


def latency() -> list[Panel]:
    photos, calls = of_servers(CALL_BUCKETS, STYLIZE), of_servers(CALL_BUCKETS)
    streams = of_servers(STAGE_BUCKETS, 'stage="total"', 'method="StylizeStream"')
    return [
        lines(
            "Stylize",
            "Calls that ended well, from the first byte of the upload until the answer is handed over; none that "
            "waited for a job. The dashed line is the objective.",
            *(Query(quantile(of, photos), f"{of:.0%} within") for of in (0.5, 0.95, 0.99)),
            unit=SECONDS,
            limit=QUICK,
        ),
        heat("Stylize, all of them", "How many calls took how long.", total(rate(photos), "le"), unit=SECONDS),
        lines(
            "95 in 100 within, by method",
            "Of the calls with one answer.",
            Query(quantile(0.95, calls, "method"), "{{method}}"),
            unit=SECONDS,
        ),
        lines(
            "Photos of streams",
            "From when a photo is read until its answer is ready. A full server makes streams wait, so this grows with "
            "load where Stylize would be refused.",
            *(Query(quantile(of, streams), f"{of:.0%} within") for of in (0.5, 0.95, 0.99)),
            unit=SECONDS,
            width=24,
        ),
    ]

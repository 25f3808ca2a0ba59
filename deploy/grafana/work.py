"""Panels of what there is to do, and of painting."""

from __future__ import annotations

from deploy.grafana.panels import (
    A_SECOND,
    MEGAPIXELS,
    MEGAPIXELS_A_SECOND,
    SECONDS,
    SHARE,
    Panel,
    Query,
    lines,
)
from deploy.grafana.queries import (
    BUNDLE,
    QUICK,
    STAGE_BUCKETS,
    of_servers,
    quantile,
    rate,
    share,
    total,
)

_MEGAPIXEL = "1e6"


def saturation() -> list[Panel]:
    return [
        lines(
            "Predicted wait",
            "How long the next photo would wait for an engine. What autoscaling goes by; above the dashed line for ten "
            "minutes, on average over the servers, there is an alert.",
            Query(of_servers("impasto_predicted_wait_seconds"), "{{instance}}"),
            unit=SECONDS,
            limit=QUICK,
            width=6,
        ),
        lines(
            "Queue",
            "Photos that wait for an engine.",
            Query(of_servers("impasto_queue_depth"), "{{instance}}"),
            width=6,
        ),
        lines(
            "Photos in the works",
            "All of them, waiting ones included, and how many places there are. Streams take every place that is free, "
            "so a full house is no trouble by itself.",
            Query(total(of_servers("impasto_requests_in_flight")), "in the works"),
            Query(total(of_servers("impasto_max_concurrent_requests")), "places"),
            width=6,
        ),
        lines(
            "Busy engines",
            "Seconds of engines' runs in a second; a run of several photos counts once. Near 1, or near engine_runs, "
            "there is nothing to spare.",
            Query(_busy(), "{{instance}}"),
            unit=SHARE,
            width=6,
        ),
    ]


def _busy() -> str:
    """Return seconds of runs in a second: a photo tells the time of its whole run, and of how many it was one."""
    seconds = total(rate(of_servers("impasto_stage_seconds_sum", 'stage="engine"')), "instance")
    photos = total(rate(of_servers("impasto_batch_pictures_count")), "instance")
    at_once = total(rate(of_servers("impasto_batch_pictures_sum")), "instance")
    return f"{seconds} * {share(photos, at_once)}"


def painting() -> list[Panel]:
    photos = total(rate(of_servers("impasto_stage_seconds_count", 'stage="total"', BUNDLE)))
    stages = total(rate(of_servers("impasto_stage_seconds_sum", 'stage!="total"', BUNDLE)), "stage")
    by_stage = quantile(0.95, of_servers(STAGE_BUCKETS, BUNDLE), "stage")
    sizes = of_servers("impasto_picture_pixels_bucket", BUNDLE)
    hits = of_servers("impasto_cache_requests_total", 'result="hit"')
    return [
        lines(
            "Where the time goes",
            "Of a photo, on average. `queue` grows with load, `engine` with photos' sizes and a slower device, "
            "`decode` and `encode` with large files.",
            Query(f"{stages} / on () group_left () ({photos} > 0)", "{{stage}}"),
            unit=SECONDS,
            stacked=True,
        ),
        lines("95 in 100 within, by stage", "Of each stage by itself.", Query(by_stage, "{{stage}}"), unit=SECONDS),
        lines(
            "Photos a second, by bundle",
            "Painted by engines.",
            Query(total(rate(of_servers("impasto_picture_pixels_count", BUNDLE)), "bundle"), "{{bundle}}"),
            unit=A_SECOND,
        ),
        lines(
            "Megapixels a second",
            "Painted by each server's engines: what they have to do, whatever the sizes.",
            Query(
                f"{total(rate(of_servers('impasto_painted_pixels_total')), 'instance')} / {_MEGAPIXEL}", "{{instance}}"
            ),
            unit=MEGAPIXELS_A_SECOND,
            width=6,
        ),
        lines(
            "Sizes",
            "That photos are painted at.",
            *(Query(f"({quantile(of, sizes)}) / {_MEGAPIXEL}", f"{of:.0%} up to") for of in (0.5, 0.95)),
            unit=MEGAPIXELS,
            width=6,
        ),
        lines(
            "Painted at once",
            "Of how many photos a photo's run was, on average: 1 where the engine gains nothing by more.",
            Query(_batch(), "{{bundle}}"),
            width=6,
        ),
        lines(
            "Found in the cache",
            "The share of photos whose result was at hand; 0 where nothing is kept (cache_bytes).",
            Query(share(total(rate(hits)), total(rate(of_servers("impasto_cache_requests_total")))), "found"),
            unit=SHARE,
            most=1,
            width=6,
        ),
    ]


def _batch() -> str:
    at_once = total(rate(of_servers("impasto_batch_pictures_sum", BUNDLE)), "bundle")
    photos = total(rate(of_servers("impasto_batch_pictures_count", BUNDLE)), "bundle")
    return f"{at_once} / ({photos} > 0)"

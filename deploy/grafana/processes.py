"""Panels of what runs: bundles, engines and the servers themselves."""

from __future__ import annotations

from deploy.grafana.panels import (
    BYTES,
    COUNT,
    SECONDS,
    SHARE,
    Panel,
    Query,
    lines,
    listing,
    yes_or_no,
)
from deploy.grafana.queries import (
    BUNDLE,
    of_deployment,
    of_servers,
    rate,
    total,
)

_MEGAPIXEL = "1e6"


def bundles() -> list[Panel]:
    return [
        listing("Servers", "What runs.", of_servers("impasto_info"), ("instance", "version", "provider", "bundles")),
        listing(
            "Engines",
            "What each bundle is painted by, and in which precision. A provider that is not the one you have machines "
            "for was fallen back to: the log's line `engine` says why.",
            of_servers("impasto_engine", BUNDLE),
            ("instance", "bundle", "provider", "precision"),
        ),
        listing(
            "Versions",
            "Those that are held: the current one of each bundle, and those that requests may still name.",
            of_servers("impasto_bundle_info", BUNDLE),
            ("instance", "bundle", "version", "state"),
        ),
        lines(
            "Bundles loaded while serving",
            "And those that were refused or could not be fetched, since each server's start.",
            Query(total(of_servers("impasto_bundle_loads_total"), "result"), "{{result}}"),
            width=18,
        ),
        yes_or_no(
            "Bundle store reachable",
            "From every server, at its latest look.",
            f"min({of_servers('impasto_bundle_store_reachable')})",
            width=6,
            without="none is watched",
        ),
    ]


def processes() -> list[Panel]:
    server = 'job="impasto-server"'
    limits = of_deployment(
        "kube_pod_container_resource_limits", 'container="server"', 'resource="memory"', 'pod=~"impasto-.+"'
    )
    open_files, most_files = of_servers("process_open_fds", server), of_servers("process_max_fds", server)
    return [
        lines(
            "Memory",
            "Resident, and the limit of a pod where kube-state-metrics tells it. Levels off within minutes of a load.",
            Query(of_servers("process_resident_memory_bytes", server), "{{instance}}"),
            Query(f"min({limits})", "limit"),
            Query(f"sum({of_servers('impasto_cache_bytes')})", "of which results that are kept, in all"),
            unit=BYTES,
            width=6,
        ),
        lines(
            "Processor",
            "Cores that are kept busy.",
            Query(rate(of_servers("process_cpu_seconds_total", server)), "{{instance}}"),
            unit=COUNT,
            width=6,
        ),
        lines(
            "File descriptors",
            "The share of those that may be open; each connection is one.",
            Query(f"{open_files} / {most_files}", "{{instance}}"),
            unit=SHARE,
            limit=0.8,
            width=6,
        ),
        lines(
            "Running for",
            "Since the process was started: a fall is a restart.",
            Query(f"time() - {of_servers('process_start_time_seconds', server)}", "{{instance}}"),
            unit=SECONDS,
            width=6,
        ),
    ]

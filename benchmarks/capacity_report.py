"""What was measured for docs/capacity.md, as tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.capacity_loads import Trial
from benchmarks.capacity_plan import Cost, growth, plan
from benchmarks.load import percentile
from impasto.machine import table
from impasto_server.config.limits import LimitOptions

_MIB = 2**20


@dataclass(frozen=True)
class Given:
    """What the example asks for.

    Attributes:
        rate: pictures a second, at the peak.
        target: s, within which 99 of 100 are to be answered.
        cores: of a pod.
        zones: over which the pods are spread, one of which may be lost.
        notice: s, from the moment when it takes more pods until the process of one starts.
    """

    rate: float
    target: float
    cores: int
    zones: int
    notice: float


@dataclass(frozen=True)
class Found:
    """What the plan is made from.

    Attributes:
        cost: of the pictures that it is made for.
        utilisation: of the cores, that it is made with, 0 to 1.
        memory: bytes, that a replica came to.
        start: s, from the start of a process until it was ready.
    """

    cost: Cost
    utilisation: float
    memory: int
    start: float


def cost_table(costs: Sequence[Cost], given: Given) -> str:
    rows = [
        (
            cost.name,
            f"{cost.megapixels:.2f}",
            *(f"{1e3 * seconds:.1f}" for seconds in (cost.cpu, cost.engine)),
            f"{1e3 * cost.cpu / cost.megapixels:.0f}",
            f"{cost.rate:.1f}",
            f"{cost.sent / 1e3:.0f} + {cost.received / 1e3:.0f}",
            f"{8 * (cost.sent + cost.received) / 1e6 * given.rate:.0f}",
            f"{1e3 * cost.caller:.1f}",
        )
        for cost in costs
    ]
    header = ("photos", "megapixels", "CPU, ms", "in the engine, ms", "CPU ms a megapixel", "pictures/s of a replica")
    return table((*header, "kB in + out", f"Mbit/s at {given.rate:g}/s", "CPU of the caller, ms"), rows)


def pods_table(costs: Sequence[Cost], utilisation: float, given: Given) -> str:
    rows = []
    for cost in costs:
        pods = plan(given.rate, cost.cpu, cores=given.cores, utilisation=utilisation, zones=given.zones)
        rows.append((cost.name, pods.serving, pods.spread, pods.surge))
    header = (f"{given.rate:g}/s of", "pods that paint", f"in {given.zones} zones, one lost", "more while one rolls")
    return table(header, rows)


def trials_table(trials: Sequence[Trial], cost: Cost, given: Given) -> str:
    rows = [
        (
            f"{trial.rate * cost.cpu / given.cores:.0%}",
            f"{trial.rate:.1f}",
            *_outcome(trial),
            f"{trial.engine:.0%}",
            _ms(trial.wait),
            _kept(trial, given),
        )
        for trial in trials
    ]
    return table(
        ("utilisation", "calls/s", *_OUTCOME, "engine busy", "predicted wait, mean, ms", "kept the target"), rows
    )


def check_table(trials: Sequence[tuple[float, Trial]], given: Given) -> str:
    rows = [
        (
            f"{share:.0%}",
            f"{trial.rate:.1f}",
            f"{trial.load.throughput:.1f}",
            *_outcome(trial),
            " ".join(f"{cpu:.0%}" for cpu in trial.cpus),
            f"{trial.engine:.0%}",
            f"{1e3 * trial.caller:.1f}",
            _ms(trial.wait),
            _kept(trial, given),
        )
        for share, trial in trials
    ]
    header = (
        "of the plan",
        "calls/s",
        "answers/s",
        *_OUTCOME,
        "of their cores",
        "engine busy",
        "CPU of the caller, ms",
    )
    return table((*header, "predicted wait, mean, ms", "kept the target"), rows)


def example(found: Found, given: Given) -> str:
    """Return the plan as a table: what goes in, how, what comes out."""
    cost, used = found.cost.cpu, found.utilisation
    pods = plan(given.rate, cost, cores=given.cores, utilisation=used, zones=given.zones)
    others = given.zones - 1
    more = given.notice + found.start
    rows = [
        ("pictures a second, at the peak", "given", f"{given.rate:g}"),
        ("cores a pod", "given", f"{given.cores}"),
        ("cost, s of a core", "measured", f"{cost:.4f}"),
        ("utilisation", "measured, less a tenth", f"{used:.2f}"),
        ("pods that paint", f"ceil({given.rate:g} x {cost:.4f} / ({given.cores} x {used:.2f}))", f"{pods.serving}"),
        (f"in {given.zones} zones, one lost", f"{given.zones} x ceil({pods.serving} / {others})", f"{pods.spread}"),
        ("more while an update rolls", f"ceil(0.25 x {pods.spread})", f"{pods.surge}"),
        ("memory of a replica, MiB", "measured, all sizes painted", f"{found.memory / _MIB:.0f}"),
        ("and all uploads at their largest, MiB", "+ max_uploads x max_message_bytes", _with_uploads(found.memory)),
        ("from process to ready, s", "measured", f"{found.start:.1f}"),
        ("until more pods serve, s", f"{given.notice:g} (given) + {found.start:.1f}", f"{more:.1f}"),
        ("growth meanwhile, a minute", f"(1 / {used:.2f} - 1) x 60 / {more:.1f}", f"{growth(used, more):.0%}"),
    ]
    return table(("what", "from", "value"), rows)


_OUTCOME = ("calls", "p50, ms", "p99, ms", "refused", "failed")


def _outcome(trial: Trial) -> tuple[str, ...]:
    load = trial.load
    median = percentile(load.answered, 50)
    return str(load.calls), _ms(median), _ms(trial.late), str(len(load.refused)), str(load.failed)


def _kept(trial: Trial, given: Given) -> str:
    return "yes" if trial.holds(given.target) else "no"


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:.0f}"


def _with_uploads(memory: int) -> str:
    limits = LimitOptions.model_fields
    return f"{(memory + limits['max_uploads'].default * limits['max_message_bytes'].default) / _MIB:.0f}"

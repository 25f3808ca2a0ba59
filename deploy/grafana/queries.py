"""PromQL, in the pieces that the panels are put together from.

`$namespace`, `$instance`, `$worker` and `$bundle` are the dashboards' variables, and `$__rate_interval` is Grafana's:
never shorter than four scrapes.
"""

from __future__ import annotations

STYLIZE = 'method="/impasto.v1.Stylizer/Stylize"'
OURS = (
    'method=~"/impasto.v1.Stylizer/.+|/google.longrunning.Operations/.+'
    '|/inference.GRPCInferenceService/Model(Stream)?Infer"'
)
FAILURES = 'code=~"INTERNAL|UNAVAILABLE|UNKNOWN|DATA_LOSS"'
BUNDLE = 'bundle=~"$bundle"'

CALL_BUCKETS = "impasto_request_seconds_bucket"
STAGE_BUCKETS = "impasto_stage_seconds_bucket"
QUICK = 2.0  # s, as the objective of latency has it

_NAMESPACE = 'namespace=~"$namespace"'
_WINDOW = "[$__rate_interval]"
_NOTHING = "1e-9"  # instead of 0, to divide by


def of_deployment(metric: str, *matchers: str) -> str:
    """Return what every server tells alike, or what is recorded of all."""
    return _selected(metric, _NAMESPACE, *matchers)


def of_servers(metric: str, *matchers: str) -> str:
    return _selected(metric, _NAMESPACE, 'instance=~"$instance"', *matchers)


def of_workers(metric: str, *matchers: str) -> str:
    return _selected(metric, _NAMESPACE, 'instance=~"$worker"', *matchers)


def rate(series: str) -> str:
    """Return how much a counter grows in a second."""
    return f"rate({series}{_WINDOW})"


def total(expression: str, *by: str) -> str:
    """Return a sum over everything but these labels."""
    return f"sum by ({', '.join(by)}) ({expression})" if by else f"sum({expression})"


def share(part: str, whole: str) -> str:
    """Return a ratio, which is 0 where there is nothing to be a part of."""
    return f"{part} / clamp_min({whole}, {_NOTHING})"


def quantile(of: float, series: str, *by: str) -> str:
    """Return a quantile of a histogram by these labels; nothing where nothing happened.

    Args:
        of: 0 to 1.
        series: the histogram's buckets.
        by: labels, beside the bucket's.
    """
    return f"histogram_quantile({of:g}, {total(rate(series), 'le', *by)}) >= 0"


def or_zero(expression: str) -> str:
    """Return 0 for what there is not."""
    return f"{expression} or vector(0)"


def _selected(metric: str, *matchers: str) -> str:
    return f"{metric}{{{','.join(matchers)}}}"

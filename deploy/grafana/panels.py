"""The kinds of panels that the dashboards have, each with what all of its kind share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.builders import common, dashboard, heatmap, prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from deploy.grafana.queries import total

Panel = Builder[models.Panel]

DATASOURCE = models.DataSourceRef(type_val="prometheus", uid="${datasource}")

# Units, as Grafana names them.
SECONDS = "s"
SHARE = "percentunit"
A_SECOND = "cps"
CALLS_A_SECOND = "reqps"
BYTES = "bytes"
COUNT = "short"
MEGAPIXELS = "suffix: MP"
MEGAPIXELS_A_SECOND = "suffix: MP/s"

_HEIGHT, _STAT_HEIGHT = 8, 4
_FILL = 10  # per cent
_STACKED_FILL = 60
_NEUTRAL = "text"

GOOD, FAIR, BAD = "green", "#EAB839", "red"
_YES_OR_NO = {"1": ("yes", GOOD), "0": ("no", BAD)}


@dataclass(frozen=True)
class Query:
    """What a panel asks.

    Attributes:
        expression: PromQL.
        legend: of each series, with labels as `{{label}}`.
    """

    expression: str
    legend: str = ""


def lines(
    title: str,
    description: str,
    *queries: Query,
    unit: str = COUNT,
    width: int = 8,
    stacked: bool = False,
    limit: float | None = None,
    most: float | None = None,
) -> Panel:
    """Return lines over time, from 0 up.

    Args:
        title, description: what they show, and what to make of it.
        queries: of the lines.
        unit: of all of them.
        width: of the panel, of 24.
        stacked: whether they add up.
        limit: above which it is too much, shown as a dashed line.
        most: the upper end of the axis.
    """
    panel = (
        timeseries.Panel()
        .fill_opacity(_STACKED_FILL if stacked else _FILL)
        .line_width(1)
        .show_points(common_models.VisibilityMode.NEVER)
        .min(0)
        .legend(_legend())
        .tooltip(common.VizTooltipOptions().mode(common_models.TooltipDisplayMode.MULTI))
    )
    if stacked:
        panel.stacking(common.StackingConfig().mode(common_models.StackingMode.NORMAL))
    if most is not None:
        panel.max(most)
    if limit is not None:
        panel.thresholds(_thresholds({limit: BAD}))
        panel.thresholds_style(common.GraphThresholdsStyleConfig().mode(common_models.GraphTresholdsStyleMode.DASHED))
    return _dressed(panel, title, description, unit, width, _HEIGHT, [_range(query) for query in queries])


def number(
    title: str,
    description: str,
    expression: str,
    *,
    unit: str = COUNT,
    width: int = 3,
    steps: Mapping[float, str] | None = None,
    decimals: int | None = None,
    says: Mapping[str, tuple[str, str]] | None = None,
    without: str | None = None,
) -> Panel:
    """Return one figure as it is now, with its course behind it.

    Args:
        title, description: what it is, and what to make of it.
        expression: PromQL, of one series.
        unit: of it.
        width: of the panel, of 24.
        steps: from which value on it has which colour; `GOOD`, `FAIR` and `BAD` by name.
        decimals: shown; Grafana's choice by default.
        says: text and colour for a value.
        without: what to show where there is nothing to tell.
    """
    panel = (
        stat.Panel()
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .graph_mode(common_models.BigValueGraphMode.NONE if says else common_models.BigValueGraphMode.AREA)
        .color_mode(common_models.BigValueColorMode.VALUE)
        .thresholds(_thresholds(steps or {}))
    )
    if decimals is not None:
        panel.decimals(decimals)
    if says:
        panel.mappings([_mapping(says)])
    if without is not None:
        panel.no_value(without)
    return _dressed(panel, title, description, unit, width, _STAT_HEIGHT, [_range(Query(expression))])


def yes_or_no(title: str, description: str, expression: str, *, width: int, without: str) -> Panel:
    """Return whether something is so now: `expression` is 1 or 0; the rest as for `number`."""
    return number(
        title,
        description,
        expression,
        width=width,
        steps={0: BAD, 1: GOOD},
        says=_YES_OR_NO,
        without=without,
    )


def listing(title: str, description: str, series: str, columns: Sequence[str], *, width: int = 8) -> Panel:
    """Return a table of the labels of what there is now.

    Args:
        title, description: what it lists.
        series: each is a row.
        columns: the labels to show, in order.
        width: of the panel, of 24.
    """
    query = prometheus.Dataquery().expr(total(series, *columns)).instant().format(PromQueryFormat.TABLE)
    panel = table.Panel().with_transformation(_in_order(columns)).show_header(True)
    return _dressed(panel, title, description, COUNT, width, _HEIGHT, [query])


def heat(title: str, description: str, expression: str, *, unit: str, width: int = 8) -> Panel:
    """Return how a histogram is spread, over time.

    Args:
        title, description: what it shows.
        expression: PromQL, a series for each bucket by `le`.
        unit: of the buckets.
        width: of the panel, of 24.
    """
    query = prometheus.Dataquery().expr(expression).range().format(PromQueryFormat.HEATMAP).legend_format("{{le}}")
    panel = heatmap.Panel().calculate(False).y_axis(heatmap.YAxisConfig().unit(unit)).show_legend().show_tooltip()
    return _dressed(panel, title, description, unit, width, _HEIGHT, [query])


def _dressed(
    panel: Any, title: str, description: str, unit: str, width: int, height: int, queries: Sequence[Any]
) -> Panel:
    dressed = panel.title(title).description(description).unit(unit).span(width).height(height).datasource(DATASOURCE)
    for number, query in enumerate(queries):
        dressed.with_target(query.ref_id(chr(ord("A") + number)).datasource(DATASOURCE))
    return dressed  # type: ignore[no-any-return]


def _range(query: Query) -> prometheus.Dataquery:
    return prometheus.Dataquery().expr(query.expression).range().legend_format(query.legend or "__auto")


def _legend() -> common.VizLegendOptions:
    return (
        common.VizLegendOptions()
        .display_mode(common_models.LegendDisplayMode.TABLE)
        .placement(common_models.LegendPlacement.BOTTOM)
        .show_legend(True)
        .calcs(["lastNotNull", "max"])
    )


def _thresholds(steps: Mapping[float, str]) -> dashboard.ThresholdsConfig:
    """Return steps upwards, in the colour of text below the first."""
    first = models.Threshold(value=None, color=_NEUTRAL)
    others = [models.Threshold(value=value, color=color) for value, color in sorted(steps.items())]
    return dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps([first, *others])


def _mapping(says: Mapping[str, tuple[str, str]]) -> models.ValueMap:
    return models.ValueMap(
        options={value: models.ValueMappingResult(text=text, color=color) for value, (text, color) in says.items()}
    )


def _in_order(columns: Sequence[str]) -> models.DataTransformerConfig:
    options = {
        "excludeByName": {"Time": True, "Value": True},
        "indexByName": {column: place for place, column in enumerate(columns)},
    }
    return models.DataTransformerConfig(id_val="organize", options=options)

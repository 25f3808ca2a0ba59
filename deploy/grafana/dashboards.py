"""Dashboards: their variables, their rows, and how they are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as models

from deploy.grafana.panels import DATASOURCE, Panel

Rows = Mapping[str, Sequence[Panel]]

_TAG = "impasto"
_REFRESH = "30s"
_SPAN = "now-3h"


def encoded(board: dashboard.Dashboard) -> str:
    """Return a dashboard as Grafana imports it."""
    return JSONEncoder(sort_keys=True, indent=2).encode(board.build()) + "\n"


def board(
    uid: str, title: str, description: str, variables: Sequence[dashboard.QueryVariable], rows: Rows
) -> dashboard.Dashboard:
    """Return a dashboard.

    Args:
        uid: by which links find it, and which a new version of it keeps.
        title, description: what it is about.
        variables: beside the data source.
        rows: each row's title and panels; the widths of its panels are those of whole lines.
    """
    made = (
        dashboard.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags([_TAG])
        .editable()
        .time(_SPAN, "now")
        .refresh(_REFRESH)
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .link(dashboard.DashboardLink("Impasto").type(models.DashboardLinkType.DASHBOARDS).tags([_TAG]).keep_time(True))
        .with_variable(_datasource())
    )
    for variable in variables:
        made.with_variable(variable)
    for name, panels in rows.items():
        made.with_row(dashboard.Row(name))
        for panel in panels:
            made.with_panel(panel)
    return _numbered(made)


def choice(name: str, label: str, series: str, of: str) -> dashboard.QueryVariable:
    """Return a variable: any, one or several of a label's values.

    Args:
        name, label: in queries, and for people.
        series: that have the label.
        of: the label.
    """
    query: dict[str, object] = {"query": f"label_values({series},{of})", "refId": name}
    everything = models.VariableOption(selected=True, text="All", value="$__all")
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(DATASOURCE)
        .query(query)
        .multi(True)
        .include_all(True)
        .all_value(".*")  # and so also where there is no such label, as outside of Kubernetes
        .current(everything)
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
    )


def _datasource() -> dashboard.DatasourceVariable:
    return dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus")


def _numbered(made: dashboard.Dashboard) -> dashboard.Dashboard:
    """Give each panel an id, by which links lead to it."""
    for number, panel in enumerate(made.build().panels or (), start=1):
        panel.id_val = number
    return made

"""Writes the dashboards to where the component `monitoring` takes them from."""

from __future__ import annotations

from pathlib import Path

from deploy.grafana.dashboards import encoded
from deploy.grafana.jobs import UID as JOBS
from deploy.grafana.jobs import jobs
from deploy.grafana.service import UID as SERVICE
from deploy.grafana.service import service

FOLDER = Path(__file__).parents[1] / "kubernetes" / "components" / "monitoring" / "dashboards"


def files() -> dict[Path, str]:
    """Return each dashboard's file, and what is to be in it."""
    return {FOLDER / f"{uid}.json": encoded(board) for uid, board in ((SERVICE, service()), (JOBS, jobs()))}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for file, text in files().items():
        file.write_text(text)


if __name__ == "__main__":
    main()

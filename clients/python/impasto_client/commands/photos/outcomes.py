"""What programs are told of one photo."""

from __future__ import annotations

from typing import Any

from impasto_client.commands.photos.targets import Task
from impasto_client.commands.pictures import picture_facts
from impasto_client.results import Stylized


def painted_facts(task: Task, painted: Stylized, seconds: float, job: str | None = None) -> dict[str, Any]:
    """Return what a program is told of a picture."""
    return {
        **_facts(task, "painted"),
        "job": job,
        **picture_facts(painted, seconds),
    }


def queued_facts(task: Task, job: str) -> dict[str, Any]:
    """Return what a program is told of a job that is left to itself."""
    return {**_facts(task, "queued"), "job": job}


def left_facts(task: Task) -> dict[str, Any]:
    """Return what a program is told of a photo whose picture was there."""
    return _facts(task, "exists")


def failed_facts(task: Task, error: dict[str, Any]) -> dict[str, Any]:
    """Return what a program is told of a photo that could not be painted; `error` is what `facts_of` tells of it."""
    return {**_facts(task, "failed"), "error": error}


def _facts(task: Task, state: str) -> dict[str, Any]:
    return {"photo": str(task.source), "out": None if task.out is None else str(task.out), "state": state}

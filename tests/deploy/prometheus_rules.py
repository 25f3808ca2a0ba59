"""What is in the rules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from deploy.grafana.rules import groups, write

Rule = dict[str, Any]


def alerts() -> dict[str, tuple[str, Rule]]:
    """Return every alert by its name, with its group's."""
    return {rule["alert"]: (group["name"], rule) for group in groups() for rule in group["rules"] if "alert" in rule}


def records() -> dict[str, Rule]:
    """Return every recording rule by what it records."""
    return {rule["record"]: rule for group in groups() for rule in group["rules"] if "record" in rule}


def file_of(group: str) -> str:
    """Return the name of a group's file."""
    return f"{group.removeprefix('impasto-')}.yaml"


def write_groups(folder: Path) -> list[Path]:
    """Write each group into a file of its own, and return the files."""
    files = []
    for group in groups():
        files.append(folder / file_of(group["name"]))
        write(files[-1], [group])
    return files

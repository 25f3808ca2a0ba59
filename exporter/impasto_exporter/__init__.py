"""A checkpoint in, a verified bundle out."""

from impasto import programs


def program() -> int:
    """The program `impasto-export`."""
    return programs.run("impasto_exporter.main", extra="export")

"""JSON on standard output: one document, or a line for each of several things."""

from __future__ import annotations

import argparse
import json
from typing import Any


def add_json(parser: argparse._ActionsContainer, meaning: str = "JSON", **options: Any) -> None:
    """Add --json to a command's parser."""
    parser.add_argument(
        "--json", action="store_true", help=f"print {meaning}, for programs, and errors as JSON, too", **options
    )


def print_document(value: object) -> None:
    print(json.dumps(value, indent=2))


def print_line(value: object) -> None:
    """Print one of several; whoever reads has it at once."""
    print(as_line(value), flush=True)


def as_line(value: object) -> str:
    """Return JSON without line breaks; in ASCII, as names of files need not be text."""
    return json.dumps(value)

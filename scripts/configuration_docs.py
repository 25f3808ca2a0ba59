"""Write docs/configuration.md from the server's configuration class, where every key and default lives.

python scripts/configuration_docs.py
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from impasto_server.config import Config

PAGE = Path(__file__).parents[1] / "docs" / "configuration.md"

_HEAD = """# The server's configuration

<!-- Made by scripts/configuration_docs.py; not to be edited. -->

Each key is a flag (`--working-size 1024`), a variable (`IMPASTO_WORKING_SIZE=1024`) and a line in a TOML file that
`--config` names (`working_size = 1024`). A flag wins over a variable, a variable over the file, the file over the
default. A value that is not allowed is refused at start, by name and with what is allowed.
"""
_TABLE = "\n| key | default | meaning |\n|---|---|---|\n"


def page() -> str:
    """Return the page: a table for each group of options, in the order of the groups."""
    groups = [base for base in reversed(Config.__mro__) if "Options" in base.__name__]
    return _HEAD + "".join(_section(group) for group in groups)


def _section(group: type[BaseModel]) -> str:
    title = (group.__doc__ or "").rstrip(".")
    rows = [_row(name, field) for name, field in group.model_fields.items()]
    return f"\n## {title}\n{_TABLE}" + "\n".join(rows) + "\n"


def _row(name: str, field: FieldInfo) -> str:
    default = "" if field.default in (None, ()) else f"`{field.default}`"
    return f"| `{name}` | {default} | {field.description} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

"""Write docs/configuration.md from the server's configuration class, where every key and default lives.

python scripts/configuration_docs.py
"""

from __future__ import annotations

from pathlib import Path

from impasto_server.config import Config

PAGE = Path(__file__).parents[1] / "docs" / "configuration.md"

_HEAD = """# The server's configuration

<!-- Made by scripts/configuration_docs.py; not to be edited. -->

Each key is a flag (`--working-size 1024`), a variable (`IMPASTO_WORKING_SIZE=1024`) and a line in a TOML file that
`--config` names (`working_size = 1024`). A flag wins over a variable, a variable over the file, the file over the
default. A value that is not allowed is refused at start, by name and with what is allowed.

| key | default | meaning |
|---|---|---|
"""


def page() -> str:
    """Return the page."""
    rows = []
    for name, field in Config.model_fields.items():
        default = "" if field.default in (None, ()) else f"`{field.default}`"
        rows.append(f"| `{name}` | {default} | {field.description} |")
    return _HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

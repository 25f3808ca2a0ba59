"""A part of a page of Markdown that a benchmark writes, between two marks; the rest of the page is left alone."""

from __future__ import annotations

import re
from pathlib import Path


def put(page: Path, name: str, command: str, text: str) -> None:
    """Write a part of a page, in the place of the one of the same name, or at the end.

    Args:
        page: is made if it is not there.
        name: of the part.
        command: that made it, which the page shows.
        text: Markdown, its heading first.
    """
    begin, end = f"<!-- {name}: made by a benchmark -->", f"<!-- {name}: end -->"
    heading, _, rest = text.strip().partition("\n")
    part = f"{begin}\n{heading}\n\n```sh\n{command}\n```\n\n{rest.strip()}\n{end}"
    before = page.read_text(encoding="utf-8") if page.exists() else ""
    found = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if not found.search(before):
        before = f"{before.rstrip()}\n\n{begin}{end}\n".lstrip()
    page.write_text(found.sub(lambda _: part, before), encoding="utf-8")

"""What the docs say is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts import configuration_docs

ROOT = Path(__file__).parents[1]
READMES = [ROOT / "proto" / "README.md", *ROOT.glob("clients/*/README.md")]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *READMES])
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")


def test_the_configuration_page_says_what_the_code_does() -> None:
    assert configuration_docs.PAGE.read_text() == configuration_docs.page(), "run: python scripts/configuration_docs.py"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    missing = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    assert missing == []

"""The reference that is made from the protos' comments."""

from __future__ import annotations

import re

import pytest

from impasto_server.rpc.statuses import ANSWERS
from scripts import proto_docs


@pytest.fixture(scope="module")
def page() -> str:
    return proto_docs.page()


def section(page: str, heading: str) -> str:
    """Return what stands under a heading, up to the next one."""
    return re.split(r"^#", page.split(f"# {heading}\n\n", 1)[1], flags=re.MULTILINE)[0]


def test_the_page_in_docs_says_what_the_protos_do(page: str) -> None:
    assert proto_docs.PAGE.read_text() == page, "run: python -m scripts.proto_docs"


def test_every_link_within_the_page_leads_to_one_heading(page: str) -> None:
    headings = [title.lower().replace(".", "").replace(" ", "-") for title in re.findall(r"(?m)^#+ (.+)$", page)]
    links = set(re.findall(r"\]\(#([^)]+)\)", page))

    assert {link: headings.count(link) for link in links} == dict.fromkeys(links, 1)


def test_a_field_is_told_with_its_number_type_behaviour_and_presence(page: str) -> None:
    request = section(page, "StylizeRequest")

    assert "| `image` | 1 | bytes | required | no | The photo: " in request
    assert "| `blend` | 3 | [Blend](#blend) | one of *style* | yes | Several trained styles at once. |" in request
    assert "| `strength` | 5 | float | optional | yes | " in request
    assert "| `parts` | 1 | list of [Blend.Part](#blendpart) | required | a list |" in section(page, "Blend")


def test_a_method_is_told_with_what_it_takes_returns_and_refuses(page: str) -> None:
    watch = section(page, "WatchStylization")

    assert watch.startswith(
        "Takes [WatchStylizationRequest](#watchstylizationrequest), "
        "returns a stream of [WatchStylizationResponse](#watchstylizationresponse).\n"
    )
    assert "Returns NOT_FOUND when there is no such job" in watch


def test_a_value_of_an_enum_inside_a_message_is_told_under_its_full_name(page: str) -> None:
    assert "| `RUNNING` | 2 | A worker paints it. |" in section(page, "Stylization.State")


def test_every_reason_that_the_server_gives_is_told_once(page: str) -> None:
    errors = section(page, "Errors")

    assert "| `OVERLOADED` | RESOURCE_EXHAUSTED | The server is full. |" in errors
    assert [errors.count(f"| `{answer.reason}` |") for answer in ANSWERS.values()] == [1] * len(ANSWERS)

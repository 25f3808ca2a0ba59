"""Listing styles, and getting one."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest

from impasto.v1 import stylizer_pb2 as pb
from tests.server.support import fields, refusal, serving
from tests.support import fake_bundle


async def test_the_list_is_sorted_by_name_over_all_bundles(tmp_path: Path) -> None:
    bundles = [fake_bundle(tmp_path / name, "ink", "gold", name=name) for name in ("west", "east")]
    async with serving(*bundles) as served:
        response = await served.stub.ListStyles(pb.ListStylesRequest())
    names = [style.name for style in response.styles]
    assert names == [f"bundles/{bundle}/styles/{style}" for bundle in ("east", "west") for style in ("gold", "ink")]
    assert response.next_page_token == ""
    assert not any(style.thumbnail or style.model_card for style in response.styles)


async def test_the_list_has_thumbnails_when_asked(tmp_path: Path) -> None:
    async with serving(fake_bundle(tmp_path / "b")) as served:
        response = await served.stub.ListStyles(pb.ListStylesRequest(include_thumbnails=True))
    assert all(style.thumbnail.startswith(b"\xff\xd8\xff") for style in response.styles)


async def test_pages_put_together_are_the_list(tmp_path: Path) -> None:
    ids = [f"style-{number}" for number in range(5)]
    async with serving(fake_bundle(tmp_path / "b", *ids)) as served:
        pages: list[list[str]] = []
        token = ""
        while not pages or token:
            response = await served.stub.ListStyles(pb.ListStylesRequest(page_size=2, page_token=token))
            pages.append([style.style_id for style in response.styles])
            token = response.next_page_token
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [style for page in pages for style in page] == [f"test/{style}" for style in ids]


@pytest.mark.parametrize("token", ["nonsense", "bm8gdG9rZW4=", "é"])
async def test_a_token_that_the_list_did_not_give_is_refused(tmp_path: Path, token: str) -> None:
    async with serving(fake_bundle(tmp_path / "b")) as served:
        error = await refusal(served.stub.ListStyles(pb.ListStylesRequest(page_token=token)))
    assert (error.code(), fields(error)) == (grpc.StatusCode.INVALID_ARGUMENT, ["page_token"])


async def test_a_negative_page_size_is_refused(tmp_path: Path) -> None:
    async with serving(fake_bundle(tmp_path / "b")) as served:
        error = await refusal(served.stub.ListStyles(pb.ListStylesRequest(page_size=-1)))
    assert fields(error) == ["page_size"]


@pytest.mark.parametrize("name", ["bundles/test/styles/ink", "test/ink", "ink"])
async def test_a_style_is_found_by_its_name_and_by_its_ids(tmp_path: Path, name: str) -> None:
    bundle = fake_bundle(tmp_path / "b")
    async with serving(bundle) as served:
        style = await served.stub.GetStyle(pb.GetStyleRequest(name=name))
    assert (style.name, style.style_id) == ("bundles/test/styles/ink", "test/ink")
    assert (style.title, style.artist, style.year) == ("Ink", "A. Painter", "1889")
    assert (style.bundle_version, style.transformer_digest) == ("1", bundle.transformer)
    assert (style.thumbnail[:3], style.model_card) == (b"\xff\xd8\xff", "# ink\n")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("bundles/test/styles/nope", grpc.StatusCode.NOT_FOUND),
        ("bundles/nope/styles/ink", grpc.StatusCode.NOT_FOUND),
        ("", grpc.StatusCode.INVALID_ARGUMENT),
    ],
)
async def test_a_style_that_is_not_there_is_not_found(tmp_path: Path, name: str, code: grpc.StatusCode) -> None:
    async with serving(fake_bundle(tmp_path / "b")) as served:
        error = await refusal(served.stub.GetStyle(pb.GetStyleRequest(name=name)))
    assert error.code() is code

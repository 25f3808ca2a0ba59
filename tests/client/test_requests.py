"""What reaches the server, and what is refused before it does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from impasto.v1 import stylizer_pb2 as pb
from impasto_client import AsyncClient, Client, InvalidRequest, Style
from tests.client.servers import Call, echo, serving, stylize_async, stylize_sync


def test_every_option_reaches_the_server() -> None:
    with serving(echo) as server:
        stylize_sync(
            server.target,
            b"photo",
            "ink",
            strength=0.5,
            working_size=320,
            width=640,
            height=480,
            format="png",
            quality=80,
            metadata="all",
        )

    assert server.calls[0].request == pb.StylizeRequest(
        image=b"photo",
        style_id="ink",
        strength=0.5,
        working_size=320,
        output_size=pb.Size(width=640, height=480),
        format=pb.IMAGE_FORMAT_PNG,
        quality=80,
        metadata=pb.METADATA_POLICY_ALL,
    )


def test_what_is_not_given_is_left_to_the_server() -> None:
    with serving(echo) as server:
        stylize_async(server.target, b"photo", "ink")

    assert server.calls[0].request == pb.StylizeRequest(image=b"photo", style_id="ink")


def test_strength_0_is_not_the_same_as_none() -> None:
    with serving(echo) as server:
        stylize_sync(server.target, strength=0)

    assert server.calls[0].request.HasField("strength")


def test_a_mapping_is_a_blend() -> None:
    with serving(echo) as server:
        stylize_sync(server.target, b"photo", {"ink": 2, "gold": 1})

    parts = [pb.Blend.Part(style_id="ink", weight=2), pb.Blend.Part(style_id="gold", weight=1)]
    assert server.calls[0].request.blend == pb.Blend(parts=parts)


@pytest.mark.parametrize("stylize", [stylize_sync, stylize_async])
@pytest.mark.parametrize(
    ("field", "arguments"),
    [
        ("photo", {"photo": "photo.jpg"}),
        ("photo", {"photo": Path("photo.jpg")}),
        ("photo", {"photo": b""}),
        ("style", {"style": ""}),
        ("style", {"style": None}),
        ("style", {"style": {}}),
        ("style", {"style": {"": 1}}),
        ("style", {"style": {"ink": "much"}}),
        ("strength", {"strength": "much"}),
        ("working_size", {"working_size": 10**12}),
        ("width", {"width": 1.5}),
        ("format", {"format": "gif"}),
        ("metadata", {"metadata": "some"}),
    ],
)
def test_what_makes_no_request_is_refused_before_the_call(stylize: Any, field: str, arguments: dict[str, Any]) -> None:
    with serving(echo) as server, pytest.raises(InvalidRequest) as raised:
        stylize(server.target, **arguments)

    assert raised.value.field == field
    assert raised.value.__cause__ is None or isinstance(raised.value.__cause__, TypeError | ValueError)
    assert server.calls == []


def pages(call: Call) -> pb.ListStylesResponse:
    """Answer ListStyles with one style a page, of three."""
    start = int(call.request.page_token or 0)
    style = pb.Style(style_id=f"test/{'abc'[start]}", thumbnail=b"jpeg" if call.request.include_thumbnails else b"")
    return pb.ListStylesResponse(styles=[style], next_page_token=str(start + 1) if start < 2 else "")


def test_styles_follows_the_pages() -> None:
    with serving(pages) as server, Client(server.target) as client:
        found = client.styles()

    assert [style.id for style in found] == ["test/a", "test/b", "test/c"]
    assert [style.thumbnail for style in found] == [b""] * 3
    assert [call.request.page_token for call in server.calls] == ["", "1", "2"]


async def test_styles_follows_the_pages_under_asyncio() -> None:
    with serving(pages) as server:
        async with AsyncClient(server.target) as client:
            found = await client.styles(thumbnails=True)

    assert [style.id for style in found] == ["test/a", "test/b", "test/c"]
    assert [style.thumbnail for style in found] == [b"jpeg"] * 3


def known(call: Call) -> pb.Style:
    return pb.Style(
        name=f"bundles/test/styles/{call.request.name}",
        style_id=f"test/{call.request.name}",
        title="Ink",
        artist="A. Painter",
        year="1889",
        bundle_version="1",
        transformer_digest="ab",
        thumbnail=b"jpeg",
        model_card="# Ink\n",
    )


INK = Style(
    name="bundles/test/styles/ink",
    id="test/ink",
    title="Ink",
    artist="A. Painter",
    year="1889",
    bundle_version="1",
    transformer_digest="ab",
    thumbnail=b"jpeg",
    model_card="# Ink\n",
)


def test_style_returns_all_that_is_known_of_one() -> None:
    with serving(known) as server, Client(server.target) as client:
        assert client.style("ink") == INK
        with pytest.raises(InvalidRequest, match="style"):
            client.style("")


async def test_style_returns_all_that_is_known_of_one_under_asyncio() -> None:
    with serving(known) as server:
        async with AsyncClient(server.target) as client:
            assert await client.style("ink") == INK


def test_an_async_client_needs_a_running_loop() -> None:
    with pytest.raises(RuntimeError, match="no running event loop"):
        AsyncClient()


def test_importing_the_client_imports_nothing_heavy() -> None:
    heavy = ["numpy", "PIL", "torch", "onnxruntime", "sqlalchemy", "fsspec", "impasto.images", "impasto.jobs"]
    program = f"import sys, impasto_client.cli; print([name for name in {heavy} if name in sys.modules])"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"

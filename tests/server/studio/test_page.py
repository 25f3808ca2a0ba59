"""The studio's page: its files, what it knows of the server, and who may ask for either."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from yarl import URL

from impasto import __version__
from impasto_server.identity.tokens import new_token
from impasto_server.studio.pages import FOLDER, Pages
from impasto_server.studio.visitors import Visitors
from tests.credentials import caller, write_callers
from tests.server.studio.support import ON, http, post, url
from tests.server.support import Served, serving
from tests.support import fake_bundle


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with serving(fake_bundle(tmp_path / "b"), studio_hosts=("studio.example.com",), **ON) as served:
        yield served


async def test_the_page_is_there_and_nothing_else_may_use_it(served: Served) -> None:
    async with http() as session, session.get(url(served.server, "/")) as response:
        assert (response.status, response.content_type) == (200, "text/html")
        assert await response.read() == (FOLDER / "index.html").read_bytes()
        policy = dict(part.split(" ", 1) for part in response.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert response.headers["permissions-policy"].startswith("camera=(self)")
    assert "server" not in response.headers


async def test_a_browser_that_has_the_page_is_told_so(served: Served) -> None:
    async with http() as session:
        async with session.get(url(served.server, "/")) as response:
            assert response.headers["cache-control"] == "no-cache"
            etag = response.headers["etag"]
        async with session.get(url(served.server, "/"), headers={"if-none-match": f'"other", W/{etag}'}) as response:
            assert (response.status, await response.read()) == (304, b"")
        async with session.head(url(served.server, "/")) as response:
            assert (response.status, response.headers["etag"]) == (200, etag)


def test_a_file_that_is_named_after_what_it_holds_is_kept_for_ever(tmp_path: Path) -> None:
    (tmp_path / "assets").mkdir()
    for name in ("index.html", "assets/index-DiwrgTda.js", "assets/plain.css"):
        (tmp_path / name).write_text(name)
    answers = {
        path: Pages(tmp_path).answer({"method": "GET", "path": path, "headers": []}).headers
        for path in ("/", "/assets/index-DiwrgTda.js", "/assets/plain.css")
    }
    kept = [headers["cache-control"] for headers in answers.values()]
    assert kept == ["no-cache", "public, max-age=31536000, immutable", "no-cache"]
    assert answers["/assets/index-DiwrgTda.js"]["content-type"].startswith("text/javascript")


def test_what_the_page_loads_is_there() -> None:
    page = (FOLDER / "index.html").read_text()
    named = re.findall(r'(?:src|href)="\.?/([^"]+)"', page)
    assert all((FOLDER / name).is_file() for name in named)


async def test_what_is_not_there_is_told_in_plain_words(served: Served) -> None:
    async with http() as session:
        for path in ("/no", "/../app.py", "/%2e%2e/app.py", "/assets/", "//etc/passwd", "/index.html/"):
            async with session.get(URL(url(served.server, path), encoded=True)) as response:
                assert (response.status, response.content_type) == (404, "text/plain"), path
                assert await response.text() == "There is nothing at this address. The studio is at /\n"


async def test_a_page_can_be_read_and_no_more(served: Served) -> None:
    async with http() as session, session.put(url(served.server, "/"), data=b"") as response:
        assert (response.status, response.headers["allow"]) == (405, "GET, HEAD")


async def test_the_page_learns_what_this_server_can_do(tmp_path: Path) -> None:
    file = write_callers(tmp_path / "callers.toml", caller("web", new_token()))
    config: dict[str, Any] = {
        "callers_file": file,
        "jobs": "on",
        "workers": 0,
        "state_dir": tmp_path / "state",
        "max_pixels": 10_000,
    }
    async with (
        serving(fake_bundle(tmp_path / "b"), **config, **ON) as served,
        http() as session,
        session.get(url(served.server, "/studio.json")) as response,
    ):
        facts = json.loads(await response.text())
    assert facts.pop("formats")[:3] == ["image/jpeg", "image/png", "image/webp"]
    assert facts == {
        "version": __version__,
        "jobs": True,
        "max_message_bytes": 32 * 2**20,
        "max_pixels": 10_000,
        "max_working_size": 4096,
        "token_needed": True,
    }


async def test_names_that_are_ours_and_addresses_are_served(served: Served) -> None:
    async with http() as session:
        for host in ("127.0.0.1:1", "localhost", "LOCALHOST:8000", "[::1]:9", "studio.example.com"):
            async with session.get(url(served.server, "/"), headers={"host": host}) as response:
                assert response.status == 200, host


async def test_a_name_that_was_made_to_lead_here_is_refused(served: Served) -> None:
    async with http() as session:
        for host in ("evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "a.studio.example.com"):
            async with session.get(url(served.server, "/studio.json"), headers={"host": host}) as response:
                assert (response.status, f"--studio-hosts {host}" in await response.text()) == (421, True)
            assert (await post(session, served.server, "ListStyles", host=host))[0] == 421


async def test_a_request_without_a_host_is_refused(served: Served) -> None:
    async with http() as session:
        for host in ("", "[::1"):
            async with session.get(url(served.server, "/"), headers={"host": host}) as response:
                assert response.status == 400


@pytest.mark.parametrize("value", [b"Bearer a\tb", "Bearer ä".encode()])
def test_a_header_that_grpc_would_not_take_is_told(value: bytes) -> None:
    scope = {"method": "GET", "headers": [(b"host", b"localhost"), (b"authorization", value)]}
    refusal = Visitors(()).refusal(scope)
    assert refusal
    assert refusal.status == 400


async def test_pages_of_other_sites_may_not_call(served: Served) -> None:
    origins = ("https://evil.example", "null", "http://127.0.0.1:1", "http://[::1", "file://")
    foreign = [*({"origin": origin} for origin in origins), {"sec-fetch-site": "cross-site"}]
    async with http() as session:
        for headers in (*foreign, {"sec-fetch-site": "same-site"}):
            status, body = await post(session, served.server, "ListStyles", **headers)
            assert status == 403, headers
            assert body == b"Pages of other sites may not call this server; open the studio itself.\n"
    assert not [line for line in served.lines if line["event"] == "call"]


async def test_the_studio_itself_may_call_also_behind_a_proxy_that_does_tls(served: Served) -> None:
    async with http() as session:
        ours = {"origin": url(served.server), "sec-fetch-site": "same-origin"}
        assert (await post(session, served.server, "ListStyles", **ours))[0] == 200
        proxied = {"origin": "https://studio.example.com", "host": "studio.example.com"}
        assert (await post(session, served.server, "ListStyles", **proxied))[0] == 200


async def test_no_other_site_is_allowed_to_ask(served: Served) -> None:
    asked = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    path = url(served.server, "/impasto.v1.Stylizer/ListStyles")
    async with http() as session, session.options(path, headers=asked) as response:
        assert response.status == 405
        assert not [name for name in response.headers if name.lower().startswith("access-control")]

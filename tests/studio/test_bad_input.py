"""What goes wrong in the studio is told in plain words, with what to do next."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.credentials import caller, write_callers
from tests.studio.support import (
    FAKE,
    TIMES,
    address,
    assert_accessible,
    choose_style,
    easel,
    jpeg,
    open_file,
    open_sample,
    pick,
    studio,
    thumbs_to_come,
    visit,
    wait_painted,
    without_camera,
)

PIXELS = 300_000


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[str]:
    options = ("--max-pixels", str(PIXELS), "--max-message-bytes", str(2 * 1024**2))
    with studio(tmp_path_factory.mktemp("studio"), *options, module=FAKE) as program:
        program.wait_for("ready")
        yield address(program)


def told(page: Page, *words: str) -> None:
    """Check that the page tells of what is wrong, and of what to do."""
    for word in words:
        expect(page.get_by_role("alert").first).to_contain_text(word)


def test_a_text_file_is_no_picture_and_the_next_photo_is_taken(browser: Browser, url: str) -> None:
    with visit(browser, url) as page:
        open_file(page, "notes.txt", b"to do: paint", "text/plain")
        told(page, "“notes.txt” is not a picture.", "Choose a photo: a JPEG")
        assert_accessible(page)
        open_sample(page)
        expect(page.locator(".alert")).to_have_count(0)


def test_a_damaged_photo_is_told_apart_from_what_is_none(browser: Browser, url: str) -> None:
    with visit(browser, url) as page:
        open_file(page, "broken.jpg", jpeg(64, 48)[:200])
        told(page, "“broken.jpg” cannot be read.", "Save it as JPEG, or choose another photo.")


def test_a_hundred_megabytes_that_are_no_picture_are_refused_without_being_read(
    browser: Browser, url: str, tmp_path: Path
) -> None:
    file = tmp_path / "film.mov"
    with file.open("wb") as out:
        out.truncate(100 * 1024**2)
    with visit(browser, url) as page:
        page.get_by_label("Choose a photo").set_input_files(file)
        told(page, "“film.mov” is not a picture.")


def test_a_photo_that_is_more_than_the_server_takes_is_made_smaller_and_it_is_said(browser: Browser, url: str) -> None:
    with visit(browser, url) as page:
        open_file(page, "large.jpg", jpeg(1200, 900))
        expect(page.get_by_role("region", name="Take it away")).to_contain_text(
            f"made smaller for this server: 632 {TIMES} 474 instead of 1200 {TIMES} 900"
        )
        choose_style(page)
        shown = page.get_by_role("button", name="Download").inner_text()
        width, height = map(int, re.findall(r"\d+", shown))
        assert width * height <= PIXELS
        assert width / height == pytest.approx(1200 / 900, rel=0.01)


def test_a_file_with_more_bytes_than_the_server_takes_is_made_smaller(browser: Browser, url: str) -> None:
    with visit(browser, url) as page:
        open_file(page, "padded.jpg", jpeg(400, 300) + bytes(3 * 1024**2))
        choose_style(page)
        expect(page.get_by_role("button", name=f"Download 400 {TIMES} 300")).to_be_enabled()


def test_a_photo_that_the_server_refuses_for_its_bytes_is_told_apart_from_a_full_server(
    browser: Browser, url: str
) -> None:
    with visit(browser, url) as page:
        believing(page, max_message_bytes=64 * 1024**2)  # as a page that was open while the server got a lower limit
        open_file(page, "padded.jpg", jpeg(400, 300) + bytes(3 * 1024**2))
        choose_style(page)
        page.get_by_role("button", name="Download").click()
        told(page, "Your photo is more than this server takes.", "Choose a smaller one.")


def test_a_server_that_takes_next_to_nothing_is_told_and_not_tried_for_ever(browser: Browser, url: str) -> None:
    with visit(browser, url) as page:
        believing(page, max_message_bytes=100)
        open_file(page, "own.jpg", jpeg(400, 300))
        told(page, "“own.jpg” cannot be made small enough for this server.", "Choose another")


def believing(page: Page, **facts: int) -> None:
    """Load the page again, and have it believe something else of its server."""
    page.route("**/studio.json", lambda route: route.fulfill(json={**route.fetch().json(), **facts}))
    page.reload()
    expect(page.get_by_role("button", name="Try it with a cat")).to_be_visible()


def test_a_browser_that_keeps_nothing_for_the_page_shows_it_all_the_same(browser: Browser, url: str) -> None:
    with visit(browser, url) as page:
        for kind in ("sessionStorage", "localStorage"):
            page.add_init_script(
                f"""Object.defineProperty(window, '{kind}', {{
                  get() {{ throw new DOMException('The operation is insecure.', 'SecurityError'); }}
                }});"""
            )
        page.reload()
        open_sample(page)
        choose_style(page)


def test_a_painting_that_could_not_be_shared_is_told_unless_the_person_thought_better_of_it(
    browser: Browser, url: str
) -> None:
    with visit(browser, url) as page:
        page.add_init_script(
            """navigator.canShare = () => true;
            let tries = 0;
            navigator.share = async () => {
              document.documentElement.dataset.tries = ++tries;
              throw new DOMException('no', tries === 1 ? 'AbortError' : 'DataError');
            };"""
        )
        page.reload()
        open_sample(page)
        choose_style(page)
        share = page.get_by_role("button", name="Share")
        share.click()
        expect(page.locator("html")).to_have_attribute("data-tries", "1")
        expect(share).to_be_enabled()
        expect(page.locator(".alert")).to_have_count(0)
        share.click()
        told(page, "This browser could not do that.", "It says: no. Try again")
        expect(page.get_by_role("button", name="Try again")).to_be_visible()


def test_a_camera_that_is_not_allowed_leaves_the_way_to_a_file(browser: Browser, url: str) -> None:
    with visit(browser, url) as page:
        page.get_by_role("button", name="Take a photo").click()
        told(page, "The camera is not allowed.", "or choose a photo.")
        assert_accessible(page)
        page.get_by_label("Choose a photo instead").set_input_files(
            {"name": "own.jpg", "mimeType": "image/jpeg", "buffer": jpeg(64, 48)}
        )
        expect(page.get_by_role("heading", name="own on the easel")).to_be_attached()


def test_where_there_is_no_camera_it_is_said(browser: Browser, url: str) -> None:
    with without_camera(browser) as bare, visit(bare, url, permissions=["camera"]) as page:
        page.get_by_role("button", name="Take a photo").click()
        told(page, "There is no camera here.", "Connect one, or choose a photo.")
        page.get_by_role("button", name="Close the camera").click()
        expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_server_that_is_gone_is_told_and_the_painting_goes_on_when_it_is_back(
    browser: Browser, tmp_path: Path
) -> None:
    with studio(tmp_path, module=FAKE) as program:
        program.wait_for("ready")
        url = address(program)
        with visit(browser, url) as page:
            open_sample(page)
            expect(thumbs_to_come(page)).to_have_count(0)
            program.end(signal.SIGKILL)
            pick(page, "The Scream")
            told(page, "The server does not answer.", "Try again in a moment.")
            with studio(tmp_path, module=FAKE, listen=url.removeprefix("http://").rstrip("/")) as again:
                again.wait_for("ready")
                page.get_by_role("button", name="Try again").click()
                wait_painted(page)
                assert easel(page).size == (451, 300)
                expect(page.locator(".alert")).to_have_count(0)


def test_a_page_that_is_opened_while_the_server_is_away_begins_when_it_is_there(
    browser: Browser, tmp_path: Path
) -> None:
    with studio(tmp_path, module=FAKE) as program:
        program.wait_for("ready")
        url = address(program)
        with visit(browser, url) as page:
            page.route("**/studio.json", lambda route: route.abort())
            page.reload()
            told(page, "The server does not answer", "tries again by itself")
            assert_accessible(page)
            page.unroute("**/studio.json")
            expect(page.get_by_role("button", name="Try it with a cat")).to_be_visible()


def test_a_full_server_is_waited_for_and_every_style_is_painted_in_the_end(browser: Browser, tmp_path: Path) -> None:
    rate = ("--caller-requests-per-second", "8", "--caller-burst", "3")
    with studio(tmp_path, *rate, module=FAKE) as program:
        program.wait_for("ready")
        with visit(browser, address(program)) as page:
            open_sample(page)
            expect(thumbs_to_come(page)).to_have_count(0)
            expect(page.locator(".alert")).to_have_count(0)
        refused = [line for line in program.lines("call") if line["code"] == "RESOURCE_EXHAUSTED"]
        assert refused


def test_a_server_that_stays_full_says_when_to_try_again(browser: Browser, tmp_path: Path) -> None:
    with studio(tmp_path, "--caller-requests-per-second", "0.01", "--caller-burst", "2", module=FAKE) as program:
        program.wait_for("ready")
        with visit(browser, address(program)) as page:
            open_sample(page)
            told(page, "The server has too much to do just now.", "Try again in 2 minutes.")


def test_a_server_that_knows_its_callers_asks_for_a_token_until_it_is_a_valid_one(
    browser: Browser, tmp_path: Path
) -> None:
    token = "a-token-that-is-long-enough-to-be-one"
    callers = write_callers(tmp_path / "callers.toml", caller("ada", token))
    with studio(tmp_path, "--callers-file", str(callers), module=FAKE) as program:
        program.wait_for("ready")
        with visit(browser, address(program)) as page:
            expect(page.get_by_role("dialog", name="This server wants a token")).to_be_visible()
            assert_accessible(page)
            page.get_by_role("button", name="Not now").click()
            page.get_by_role("button", name="Enter it").click()
            page.get_by_label("Token", exact=True).fill("a-wrong-one")
            page.get_by_label("Token", exact=True).press("Enter")
            expect(page.get_by_role("dialog")).to_contain_text("That token is not valid here.")
            page.get_by_label("Token", exact=True).fill("“a-wrong-one”")  # with what no header can hold
            page.get_by_label("Token", exact=True).press("Enter")
            expect(page.get_by_role("dialog")).to_contain_text("That token is not valid here.")
            expect(page.get_by_text("The server does not answer")).to_have_count(0)
            page.get_by_label("Token", exact=True).fill(token)
            page.get_by_role("button", name="Use it").click()
            open_sample(page)
            choose_style(page)
            page.reload()
            expect(page.get_by_role("button", name="Try it with a cat")).to_be_visible()

"""Servers with a studio, and a browser before them."""

from __future__ import annotations

import base64
import io
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from tests.programs import Program
from tests.server.starting import FAKE, REAL, starting

__all__ = ["FAKE", "REAL"]

PATIENCE = 90_000.0  # ms, far more than anything here takes
DESKTOP = (1280, 800)  # px
PHONE = (360, 740)
TIMES = "\N{MULTIPLICATION SIGN}"  # as in 451 x 300 px
PAINTING = Path(__file__).parents[2] / "core/impasto/bundles/starter/styles/woman-with-a-hat.jpg"
PHOTOS = Path(__file__).parents[2] / "clients/web/public/samples"

_OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_CAMERA = "--use-fake-device-for-media-stream"

Scheme = Literal["light", "dark"]


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run Debian's Chromium, or skip the test where it is missing. It has a camera, which shows a test picture."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("Chromium is not installed (Debian's package is chromium)")
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=[*_OPTIONS, _CAMERA])
        yield browser
        browser.close()


@contextmanager
def without_camera(browser: Browser) -> Iterator[Browser]:
    """Run another Chromium, on a machine that has no camera."""
    other = browser.browser_type.launch(executable_path=shutil.which("chromium"), args=[*_OPTIONS])
    yield other
    other.close()


@contextmanager
def studio(folder: Path, *options: str, module: str = REAL, listen: str = "127.0.0.1:0") -> Iterator[Program]:
    """Run a server with the starter bundle and a studio; jobs are off unless an option says otherwise.

    Args:
        folder: where its log and its state are.
        module: the program; the real one, or the one whose engine returns the photo as it is.
        listen: where the studio is.
    """
    given = ["--studio", "--studio-listen", listen]
    if module == FAKE:
        given += ["--bundle-probe", "off"]
    with starting(folder, *given, *options, module=module) as program:
        yield program


def address(program: Program) -> str:
    return f"http://127.0.0.1:{program.port('studio')}/"


@contextmanager
def visit(
    browser: Browser,
    url: str,
    *,
    size: tuple[int, int] = DESKTOP,
    scheme: Scheme = "light",
    touch: bool = False,
    **others: Any,
) -> Iterator[Page]:
    """Open the studio in a browser that keeps nothing, and check that the page has logged no error of its own."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme=scheme,
        has_touch=touch,
        is_mobile=touch,
        reduced_motion="reduce",
        accept_downloads=True,
        **others,
    )
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if "Content Security" in message.text else None)
    try:
        page.goto(url)
        yield page
        assert errors == []
    finally:
        context.close()


def open_sample(page: Page, what: str = "a cat") -> None:
    page.get_by_role("button", name=f"Try it with {what}").click()
    expect(page.get_by_role("tab", name="Styles")).to_be_visible()


def open_file(page: Page, name: str, data: bytes, kind: str = "image/jpeg") -> None:
    """Choose a photo, as it would be in the browser's own dialog."""
    page.get_by_label("Choose a photo").set_input_files({"name": name, "mimeType": kind, "buffer": data})


def thumbs_to_come(page: Page) -> Locator:
    return page.locator(".gallery .waiting")


def choose_style(page: Page, title: str = "The Starry Night") -> None:
    pick(page, title)
    wait_painted(page)


def pick(page: Page, name: str, role: Literal["radio", "switch"] = "radio") -> None:
    """Choose by a click on what is seen of a choice: its label."""
    page.get_by_role(role, name=name).locator("xpath=..").click()


def wait_painted(page: Page) -> None:
    """Wait until what is on the easel is what was asked for."""
    expect(page.locator("figure.easel")).to_have_attribute("aria-busy", "false")
    expect(wipe(page).or_(brush(page))).to_be_visible()


def wipe(page: Page) -> Locator:
    return page.get_by_role("slider", name="Compare with the photo")


def brush(page: Page) -> Locator:
    return page.get_by_role("application")


def easel(page: Page) -> Image.Image:
    """Return the picture on the easel, as it is on the page's canvas."""
    data = page.locator("canvas.after").evaluate(_PICTURE)
    return Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")


_PICTURE = """async canvas => {
  // What has changed is drawn once the page has been painted; two frames, as one may be under way.
  const frame = () => new Promise(done => requestAnimationFrame(() => setTimeout(done)));
  await frame();
  await frame();
  return canvas.toDataURL('image/png').split(',')[1];
}"""


def download(page: Page) -> tuple[str, Image.Image]:
    """Download what is on the easel; return the file's name and its picture."""
    with page.expect_download() as waited:
        page.get_by_role("button", name="Download").click()
    return waited.value.suggested_filename, Image.open(io.BytesIO(waited.value.path().read_bytes()))


def assert_accessible(page: Page) -> None:
    """Check that axe finds nothing wrong with what is shown now."""
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()


def assert_fits(page: Page) -> None:
    """Check that nothing sticks out of the page to the side."""
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def jpeg(width: int, height: int, **others: Any) -> bytes:
    """Return a photo of two colours, left and right."""
    image = Image.new("RGB", (width, height), (200, 120, 60))
    image.paste((40, 90, 160), (width // 2, 0, width, height))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=95, **others)
    return file.getvalue()


def begin_job(page: Page) -> None:
    """Bring a photo and a painting, and have the one painted after the other."""
    bring_both(page)
    page.get_by_role("button", name="Paint it").click()


def bring_both(page: Page) -> None:
    """Bring a photo and a painting to learn from."""
    open_file(page, "own.jpg", jpeg(96, 64))
    page.get_by_role("tab", name="Your own").click()
    page.get_by_label("Choose a painting").set_input_files(PAINTING)
    expect(page.get_by_role("button", name="Paint it")).to_be_enabled()


def progress(page: Page, words: str | re.Pattern[str]) -> None:
    """Wait until it is said of the job."""
    expect(page.locator(".progress")).to_contain_text(words)

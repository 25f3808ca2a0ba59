"""Pictures of the studio in each of its states, to be looked at, from a real server.

    python -m tests.studio.pictures [FOLDER]

FOLDER is build/studio if none is given. The server has the starter bundle, and a worker that paints slowly enough to be
seen.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.studio.support import (
    DESKTOP,
    PAINTING,
    PHONE,
    Scheme,
    address,
    choose_style,
    chromium,
    open_file,
    open_sample,
    pick,
    progress,
    studio,
    thumbs_to_come,
    visit,
    wait_painted,
    wipe,
)
from tests.worker.processes import store_options

_SCHEMES: tuple[Scheme, ...] = ("light", "dark")


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        state = Path(name)
        options = ("--jobs", "on", "--workers", "1", *store_options(state))
        with chromium() as browser, studio(state, *options) as program:
            program.wait_for("ready")
            for scheme in _SCHEMES:
                walk(browser, address(program), folder, scheme, phone=True)
                walk(browser, address(program), folder, scheme, phone=False)


def walk(browser: Browser, url: str, folder: Path, scheme: Scheme, *, phone: bool) -> None:
    """Go through the states, and take a picture of each."""
    kind = "phone" if phone else "desktop"
    looks = {"size": PHONE, "touch": True, "device_scale_factor": 2} if phone else {"size": DESKTOP}
    with visit(browser, url, scheme=scheme, permissions=["camera"], **looks) as page:

        def take(state: str) -> None:
            page.screenshot(path=folder / f"{kind}-{scheme}-{state}.png")

        expect(page.locator(".wall img")).to_have_count(16)
        take("welcome")
        open_file(page, "notes.txt", b"no picture", "text/plain")
        expect(page.locator(".alert")).to_be_visible()
        take("error")
        page.get_by_role("button", name="Take a photo").click()
        expect(page.get_by_role("button", name="Take the photo")).to_be_enabled()
        take("camera")
        page.get_by_role("button", name="Close the camera").click()
        open_sample(page, "an astronaut")
        take("loading")
        expect(thumbs_to_come(page)).to_have_count(0)
        take("gallery")
        choose_style(page, "Tahitian women")
        take("painted")
        to_middle(page)
        take("wipe")
        page.get_by_role("tab", name="Adjust").click()
        pick(page, "The Scream")
        wait_painted(page)
        take("adjust")
        page.get_by_role("tab", name="Brush").click()
        page.get_by_role("button", name="Keep the middle").click()
        take("brush")
        page.get_by_role("button", name="Paint all").click()
        page.get_by_role("tab", name="Your own").click()
        page.get_by_label("Choose a painting").set_input_files(PAINTING)
        expect(page.get_by_role("button", name="Paint it")).to_be_enabled()
        take("own")
        page.get_by_role("button", name="Paint it").click()
        progress(page, "left")
        to_middle(page)
        take("job")
        page.get_by_role("button", name="Stop painting").click()
        progress(page, "Stopped")
        take("stopped")


def to_middle(page: Page) -> None:
    """Move the wipe to the middle of the picture."""
    wipe(page).press("Home")
    for _ in range(5):
        wipe(page).press("PageUp")
    wipe(page).blur()


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "build/studio"))

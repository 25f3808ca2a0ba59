"""What a person does in the studio, from the photo to the painting on disk: by mouse, by keyboard, and on a phone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image, ImageChops
from playwright.sync_api import Browser, Page, expect

from tests.studio.support import (
    PHONE,
    PHOTOS,
    TIMES,
    Scheme,
    address,
    assert_accessible,
    assert_fits,
    begin_job,
    brush,
    choose_style,
    download,
    easel,
    jpeg,
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

STYLES = 16


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[str]:
    with studio(tmp_path_factory.mktemp("studio"), "--jobs", "on", "--workers", "1") as program:
        program.wait_for("ready")
        yield address(program)


def differ(one: Image.Image, other: Image.Image) -> float:
    """Return by how much two pictures differ, 0 to 255."""
    return float(np.asarray(ImageChops.difference(one, other)).mean())


def chroma(image: Image.Image) -> np.ndarray:
    """Return the two channels of colour of a picture, [H, W, 2]."""
    return np.asarray(image.convert("YCbCr")).astype(float)[:, :, 1:]


def slide(page: Page, name: str, to: int) -> None:
    page.get_by_role("slider", name=name).fill(str(to))
    wait_painted(page)


def test_with_a_mouse_a_photo_becomes_a_painting_that_is_changed_compared_and_downloaded(
    browser: Browser, url: str
) -> None:
    with visit(browser, url) as page:
        open_sample(page)
        expect(page.locator(".gallery .card")).to_have_count(STYLES + 1)
        expect(thumbs_to_come(page)).to_have_count(0)
        photo = easel(page)

        choose_style(page)
        whole = easel(page)
        assert differ(photo, whole) > 20

        box = page.locator(".wipe").bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 50)
        page.mouse.down()
        page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 50, steps=4)
        page.mouse.up()
        expect(wipe(page)).to_have_attribute("aria-valuenow", "40")

        slide(page, "Strength", 30)
        assert differ(photo, easel(page)) < 0.7 * differ(photo, whole)
        slide(page, "Strength", 100)

        page.get_by_role("tab", name="Adjust").click()
        pick(page, "Keep the photo", "switch")
        recoloured = easel(page)
        assert np.abs(chroma(recoloured) - chroma(photo)).mean() < 3
        assert np.abs(chroma(whole) - chroma(photo)).mean() > 12
        pick(page, "Keep the photo", "switch")

        pick(page, "The Scream")
        slide(page, "Share of The Scream", 80)
        expect(page.locator("figcaption")).to_contain_text("The Starry Night & The Scream")
        assert differ(whole, easel(page)) > 10
        pick(page, "None")
        pick(page, "Broad")
        wait_painted(page)
        assert differ(whole, easel(page)) > 3

        name, painted = download(page)
        assert (name, painted.size, painted.format) == ("chelsea-starry-night.jpg", (451, 300), "JPEG")
        assert differ(painted.convert("RGB"), easel(page)) < 6
        page.get_by_label("File format").select_option("PNG")
        name, painted = download(page)
        assert (name, painted.size, painted.format) == ("chelsea-starry-night.png", (451, 300), "PNG")


def test_what_the_brush_keeps_stays_as_in_the_photo_on_the_easel_and_in_the_file(browser: Browser, url: str) -> None:
    with visit(browser, url) as page:
        open_sample(page)
        photo = easel(page)
        choose_style(page)
        painted = easel(page)
        page.get_by_role("tab", name="Brush").click()
        page.get_by_role("slider", name="Size").fill("0.1")
        box = brush(page).bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.5 * box["height"])
        page.mouse.down()
        page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 0.5 * box["height"], steps=5)
        page.mouse.up()

        width, height = photo.size
        kept = (int(0.28 * width), int(0.45 * height), int(0.42 * width), int(0.55 * height))
        other = (int(0.8 * width), 0, width, height)
        assert differ(easel(page).crop(kept), photo.crop(kept)) < 1
        assert differ(easel(page).crop(other), painted.crop(other)) < 1
        page.get_by_label("File format").select_option("PNG")
        _, file = download(page)
        assert differ(file.convert("RGB").crop(kept), photo.crop(kept)) < 1
        assert differ(file.convert("RGB").crop(other), photo.crop(other)) > 20

        page.get_by_role("button", name="Swap what is painted").click()
        assert differ(easel(page).crop(other), photo.crop(other)) < 1
        page.get_by_role("button", name="Undo").click()
        page.get_by_role("button", name="Paint all").click()
        assert differ(easel(page), painted) < 1


def test_with_the_keyboard_alone_a_photo_becomes_a_painting(browser: Browser, url: str) -> None:
    with visit(browser, url) as page:
        press_until_on(page, "Try it with a cat")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="chelsea on the easel")).to_be_focused()
        photo = easel(page)

        press_until_on(page, "Composition VII")
        page.keyboard.press("Space")
        page.keyboard.press("ArrowRight")
        expect(page.get_by_role("radio", name="Edtaonisl")).to_be_checked()
        wait_painted(page)
        expect(page.get_by_role("status")).to_have_text("Painted as Edtaonisl.")

        press_until_on(page, "Compare with the photo", "Shift+Tab")
        page.keyboard.press("PageUp")
        page.keyboard.press("ArrowRight")
        expect(wipe(page)).to_have_attribute("aria-valuetext", "12% photo, 88% painting")
        page.keyboard.press("Home")

        press_until_on(page, "Styles")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        expect(page.get_by_role("tab", name="Brush")).to_be_focused()
        painted = easel(page)
        press_until_on(page, "Brush: arrow keys move it, Space dabs, Shift makes small steps", "Shift+Tab")
        for key in ("ArrowLeft", "ArrowLeft", "Space"):
            page.keyboard.press(key)
        expect(page.get_by_role("status")).to_have_text("Kept at 42% across, 50% down.")
        width, height = photo.size
        dab = (int(0.41 * width), int(0.48 * height), int(0.43 * width), int(0.52 * height))
        assert differ(painted.crop(dab), photo.crop(dab)) > 5
        assert differ(easel(page).crop(dab), photo.crop(dab)) < 1

        press_until_on(page, f"Download 451 {TIMES} 300")
        with page.expect_download() as waited:
            page.keyboard.press("Enter")
        assert waited.value.suggested_filename == "chelsea-edtaonisl.jpg"


def press_until_on(page: Page, name: str, key: str = "Tab") -> None:
    """Go from one thing to the next until the focus is on the one of this name."""
    seen: list[str] = []
    for _ in range(60):
        page.keyboard.press(key)
        seen.append(page.evaluate(_NAME))
        if seen[-1] == name or seen[-1].startswith(f"{name}\n"):
            return
    raise AssertionError(f"{name!r} is not among {seen}")


_NAME = """() => {
  const on = document.activeElement;
  const label = on.getAttribute('aria-label') || on.labels?.[0]?.innerText || on.innerText || '';
  return (label || on.querySelector?.('img')?.alt || '').trim();
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_everything_is_there_by_touch_and_axe_finds_nothing_wrong(
    browser: Browser, url: str, scheme: Scheme
) -> None:
    with visit(browser, url, size=PHONE, touch=True, scheme=scheme) as page:
        expect(page.locator(".wall img")).to_have_count(STYLES)
        assert_accessible(page)
        assert_fits(page)
        page.get_by_role("button", name="Try it with an astronaut").tap()
        expect(thumbs_to_come(page)).to_have_count(0)
        page.locator(".card", has_text="Edtaonisl").tap()
        wait_painted(page)
        assert_accessible(page)
        assert_fits(page)

        box = page.locator(".wipe").bounding_box()
        assert box is not None
        page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        expect(wipe(page)).to_have_attribute("aria-valuenow", "50")
        for name in ("Adjust", "Brush", "Your own"):
            page.get_by_role("tab", name=name).tap()
            assert_accessible(page)
            assert_fits(page)
        page.get_by_role("tab", name="Brush").tap()
        page.get_by_role("button", name="Keep the middle").tap()
        expect(page.get_by_role("button", name="Undo")).to_be_enabled()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_desk_axe_finds_nothing_wrong(browser: Browser, url: str, scheme: Scheme) -> None:
    with visit(browser, url, scheme=scheme) as page:
        expect(page.locator(".wall img")).to_have_count(STYLES)
        assert_accessible(page)
        open_sample(page, "a cup of coffee")
        choose_style(page, "The Scream")
        assert_accessible(page)
        page.get_by_role("tab", name="Adjust").click()
        pick(page, "Edtaonisl")
        wait_painted(page)
        assert_accessible(page)
        assert_fits(page)


def test_a_photo_is_taken_with_the_camera(browser: Browser, url: str) -> None:
    with visit(browser, url, permissions=["camera"]) as page:
        page.get_by_role("button", name="Take a photo").click()
        expect(page.get_by_role("button", name="Take the photo")).to_be_enabled()
        assert_accessible(page)
        page.get_by_role("button", name="Take the photo").click()
        expect(page.get_by_role("heading", name="camera on the easel")).to_be_focused()
        assert np.asarray(easel(page)).std() > 10  # no empty picture


def test_a_photo_that_lies_on_its_side_is_shown_and_painted_upright(browser: Browser, url: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned a quarter
    with visit(browser, url) as page:
        open_file(page, "side.jpg", jpeg(160, 120, exif=exif))
        choose_style(page)
        expect(page.get_by_role("button", name=f"Download 120 {TIMES} 160")).to_be_visible()
        _, painted = download(page)
        assert painted.size == (120, 160)


def test_a_photo_is_dropped_and_another_pasted(browser: Browser, url: str) -> None:
    give = """([kind, name, bytes]) => {
      const data = new DataTransfer();
      data.items.add(new File([new Uint8Array(bytes)], name, { type: 'image/jpeg' }));
      const init = { bubbles: true, cancelable: true, dataTransfer: data, clipboardData: data };
      document.body.dispatchEvent(kind === 'drop' ? new DragEvent(kind, init) : new ClipboardEvent(kind, init));
    }"""
    with visit(browser, url) as page:
        expect(page.get_by_label("Choose a photo")).to_be_attached()
        page.evaluate(give, ["drop", "dropped.jpg", list(jpeg(96, 64))])
        expect(page.get_by_role("heading", name="dropped on the easel")).to_be_attached()
        page.evaluate(give, ["paste", "pasted.jpg", list(jpeg(64, 96))])
        expect(page.get_by_role("heading", name="pasted on the easel")).to_be_attached()
        assert easel(page).size == (64, 96)
        assert np.asarray(easel(page)).std() > 10  # no empty picture


def test_when_the_photo_changes_what_was_being_painted_of_the_last_is_given_up(browser: Browser, url: str) -> None:
    with visit(browser, url) as page:
        open_sample(page)
        page.get_by_label("New photo").set_input_files(PHOTOS / "coffee.jpg")
        expect(page.get_by_role("heading", name="coffee on the easel")).to_be_attached()
        expect(thumbs_to_come(page)).to_have_count(0)
        choose_style(page)
        assert easel(page).size == (600, 400)


def test_a_heic_photo_that_the_browser_cannot_read_is_read_by_the_server(browser: Browser, url: str) -> None:
    pytest.importorskip("pi_heif")
    photo = PHOTOS.parents[3] / "tests/core/fixtures/portrait.heic"
    with visit(browser, url) as page:
        open_file(page, "portrait.heic", photo.read_bytes(), "image/heic")
        expect(page.get_by_role("heading", name="portrait on the easel")).to_be_attached()
        choose_style(page)
        assert easel(page).size == (64, 48)


def test_a_painting_of_ones_own_is_watched_and_downloaded_when_it_is_done(browser: Browser, url: str) -> None:
    pytest.importorskip("torch")
    with visit(browser, url) as page:
        begin_job(page)
        expect(page.get_by_role("progressbar")).to_be_visible()
        expect(wipe(page)).to_be_visible()  # a preview has come
        progress(page, "Done")
        expect(page.get_by_role("status")).to_have_text("Your painting is done.")
        assert_accessible(page)
        name, painted = download(page)
        assert (name, painted.size, painted.format) == ("own-painted.jpg", (96, 64), "JPEG")
        page.get_by_role("button", name="Delete it, and begin another").click()
        expect(page.get_by_role("button", name="Paint it")).to_be_visible()
        page.reload()
        expect(page.get_by_role("button", name="Try it with a cat")).to_be_visible()


def test_a_painting_is_shared_as_a_file_where_the_browser_can(browser: Browser, url: str) -> None:
    with visit(browser, url) as page:
        page.add_init_script(
            """navigator.canShare = () => true;
            navigator.share = async ({ files }) => { window.shared = `${files[0].name} ${files[0].type}`; };"""
        )
        page.reload()
        open_sample(page)
        choose_style(page)
        page.get_by_role("button", name="Share").click()
        expect(page.get_by_role("status")).to_have_text("Your painting is ready.")
        assert page.evaluate("shared") == "chelsea-starry-night.jpg image/jpeg"

"""A painting of one's own in the studio: watched while it is painted, and found again whatever happens meanwhile."""

from __future__ import annotations

import re
import signal
from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.programs import Program
from tests.studio.support import (
    FAKE,
    PHOTOS,
    address,
    assert_accessible,
    begin_job,
    bring_both,
    choose_style,
    download,
    easel,
    jpeg,
    open_file,
    progress,
    studio,
    visit,
    wipe,
)
from tests.worker.processes import store_options, worker

FRACTION_OF_A_JOB = 0.12  # s for each of its 40 steps
NEVER_ENDING = 60.0
CREATE = "/impasto.v1.Stylizer/CreateStylization"


def jobs_in(folder: Path) -> tuple[str, ...]:
    """Return the options of a server that serves jobs which workers of their own paint."""
    return ("--jobs", "on", "--workers", "0", *store_options(folder))


def ready(program: Program) -> str:
    program.wait_for("ready")
    return address(program)


def test_a_job_is_found_again_after_a_reload_and_after_the_server_was_killed(browser: Browser, tmp_path: Path) -> None:
    options = jobs_in(tmp_path)
    pace = ("--preview-seconds", "0.1")
    with (
        worker(tmp_path, *store_options(tmp_path), *pace, step_seconds=FRACTION_OF_A_JOB),
        studio(tmp_path, *options, module=FAKE) as program,
        visit(browser, ready(program)) as page,
    ):
        begin_job(page)
        progress(page, "left")
        page.reload()
        progress(page, "painted")
        expect(wipe(page)).to_be_visible()

        program.end(signal.SIGKILL)
        progress(page, "The server does not answer; trying again")
        expect(page.locator(".tabpanel")).to_contain_text("Your painting is safe there")
        assert_accessible(page)
        listen = page.url.removeprefix("http://").rstrip("/")
        with studio(tmp_path, *options, module=FAKE, listen=listen) as again:
            again.wait_for("ready")
            progress(page, "Done")
            assert easel(page).size == (96, 64)
            _, painted = download(page)
            assert painted.size == (96, 64)


def test_a_job_is_stopped_and_another_can_be_begun(browser: Browser, tmp_path: Path) -> None:
    with (
        worker(tmp_path, *store_options(tmp_path), step_seconds=NEVER_ENDING),
        studio(tmp_path, *jobs_in(tmp_path), module=FAKE) as program,
        visit(browser, ready(program)) as page,
    ):
        begin_job(page)
        page.get_by_role("button", name="Stop painting").click()
        progress(page, "Stopped")
        expect(page.get_by_role("status")).to_have_text("The painting was stopped.")
        page.get_by_role("button", name="Begin another").click()
        expect(page.get_by_role("button", name="Paint it")).to_be_enabled()


def test_a_job_that_could_not_be_done_says_why(browser: Browser, tmp_path: Path) -> None:
    with studio(tmp_path, *jobs_in(tmp_path), module=FAKE) as program, visit(browser, ready(program)) as page:
        begin_job(page)
        progress(page, "Waiting for its turn")
        for _ in range(3):
            options = (*store_options(tmp_path), "--lease-seconds", "0.5")
            with worker(tmp_path, *options, deadly=1) as victim:
                assert victim.ended() == -signal.SIGKILL
        with worker(tmp_path, *store_options(tmp_path), "--lease-seconds", "0.5"):
            progress(page, "It could not be painted")
        expect(page.locator(".tabpanel [role=alert]")).to_contain_text("The painting could not be made.")
        assert_accessible(page)


def test_a_job_that_the_server_has_forgotten_is_told_after_a_reload(browser: Browser, tmp_path: Path) -> None:
    with studio(tmp_path, *jobs_in(tmp_path), module=FAKE) as program, visit(browser, ready(program)) as page:
        begin_job(page)
        progress(page, "Waiting for its turn")
        page.evaluate(
            """() => {
              const job = JSON.parse(localStorage.getItem('impasto.job'));
              localStorage.setItem('impasto.job', JSON.stringify({ ...job, name: 'operations/' + '0'.repeat(32) }));
            }"""
        )
        page.reload()
        expect(page.locator(".tabpanel [role=alert]")).to_contain_text("does not know this painting any more")
        page.get_by_role("button", name="Begin another").click()
        expect(page.get_by_role("button", name="Paint it")).to_be_visible()


def test_a_job_that_is_remembered_in_part_alone_is_forgotten(browser: Browser, tmp_path: Path) -> None:
    with studio(tmp_path, *jobs_in(tmp_path), module=FAKE) as program, visit(browser, ready(program)) as page:
        page.evaluate("""localStorage.setItem('impasto.job', '{"name":"operations/x"}')""")
        page.reload()
        expect(page.get_by_role("button", name="Try it with a cat")).to_be_visible()
        assert page.evaluate(_WHAT_IS_REMEMBERED) is None
        expect(page.locator(".away")).to_have_count(0)


_WHAT_IS_REMEMBERED = """async () => {
  const remembered = () => localStorage.getItem('impasto.job');
  for (let tries = 0; remembered() !== null && tries < 500; tries++) await new Promise(done => setTimeout(done, 20));
  return remembered();
}"""


def test_two_clicks_begin_one_job(browser: Browser, tmp_path: Path) -> None:
    with studio(tmp_path, *jobs_in(tmp_path), module=FAKE) as program, visit(browser, ready(program)) as page:
        bring_both(page)
        page.get_by_role("button", name="Paint it").evaluate("button => { button.click(); button.click(); }")
        progress(page, "Waiting for its turn")
        assert [line["method"] for line in program.lines("call")].count(CREATE) == 1


def test_where_no_jobs_are_served_nothing_speaks_of_them(browser: Browser, tmp_path: Path) -> None:
    with studio(tmp_path, module=FAKE) as program, visit(browser, ready(program)) as page:
        open_file(page, "own.jpg", jpeg(96, 64))
        expect(page.get_by_role("tab")).to_have_text(["Styles", "Adjust", "Brush"])
        expect(page.get_by_text("Any painting")).to_have_count(0)


def test_another_photo_can_be_looked_at_meanwhile(browser: Browser, tmp_path: Path) -> None:
    with (
        worker(tmp_path, *store_options(tmp_path), step_seconds=NEVER_ENDING),
        studio(tmp_path, *jobs_in(tmp_path), module=FAKE) as program,
        visit(browser, ready(program)) as page,
    ):
        begin_job(page)
        progress(page, re.compile("Waiting for its turn|Looking at the painting|painted"))
        page.get_by_label("New photo").set_input_files(PHOTOS / "coffee.jpg")
        choose_style(page)
        assert easel(page).size == (600, 400)
        page.get_by_role("tab", name="Your own").click()
        expect(page.get_by_role("button", name="Paint it")).to_be_disabled()
        expect(page.locator(".tabpanel")).to_contain_text("One at a time")
        assert_accessible(page)
        page.get_by_role("button", name="Back to the painting that you began").click()
        expect(page.locator(".progress")).to_be_visible()
        assert easel(page).size == (96, 64)

"""What tests of pages in a real browser share."""

import os
import shutil
import socket
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
)
"""Of Chromium; its camera is one that it makes up, and nobody is asked."""
PHONE = {"width": 390, "height": 800}
DESKTOP = {"width": 1280, "height": 850}
REFUSED = "the server responded with a status of 4"
FEW = {"images_min": 12, "boxes_advised": 10, "classes_advised": 2}
"""Settings under which data sets of the tests may be small."""
QUICK_CHILD = Path(__file__).with_name("quick_child.py")


def quick_command(folder):
    """The command of a child whose training takes seconds, for `host.jobs.queue.child_command`."""
    return [sys.executable, str(QUICK_CHILD), str(folder)]


@contextmanager
def chromium(*more):
    """A Chromium with `ARGUMENTS` and these; where there is none the test is skipped."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if not path:
        pytest.skip("no chromium on this computer")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=[*ARGUMENTS, *more])
        yield opened
        opened.close()


def send_zip(page, address, data, folder, name="shapes"):
    """Send the bytes of a zip from the start page; return the address of its job."""
    file = folder / f"{name}.zip"
    file.write_bytes(data)
    page.goto(address)
    page.set_input_files("#file", file)
    page.wait_for_url("**/jobs/*")
    return page.url


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def watch(page, address):
    """Return a list that fills with errors, warnings and requests to elsewhere.

    A violation of the Content-Security-Policy is an error on the console, too.
    """
    wrong = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "console",
        lambda message: (
            message.type in ("error", "warning")
            and REFUSED not in message.text
            and wrong.append(message.text)
        ),
    )
    page.on("request", lambda one: one.url.startswith(address) or wrong.append(one.url))
    return wrong


def shoot(page, name):
    folder = os.environ.get("TEST_SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def fits_the_width(page):
    return page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def arrive(page, selector):
    """Wait for the page that has this, and for its scripts: what is pressed earlier is lost."""
    page.wait_for_selector(selector)
    page.wait_for_load_state()


def type_into(page, selector, text):
    """Type once the page itself has put the focus there."""
    page.wait_for_function("(wanted) => document.activeElement.matches(wanted)", arg=selector)
    page.keyboard.type(text)


def saved(download, folder):
    path = folder / download.suggested_filename
    download.save_as(path)
    return path


def choose_by_key(page):
    """Open the file chooser; a busy Chromium sometimes loses the first key."""
    from playwright.sync_api import TimeoutError as Late

    for key in ("Space", "Enter", "Space"):
        try:
            with page.expect_file_chooser(timeout=10_000) as chooser:
                page.keyboard.press(key)
            return chooser.value
        except Late:
            continue
    pytest.fail("no key opens the file chooser")


MARKED = """() => {
  const one = document.activeElement;
  const shown = (part) => {
    const style = getComputedStyle(part);
    return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  };
  if ([document.body, document.documentElement].includes(one)) return "";
  const parts = [one, ...(one.labels ?? []), one.closest(".picture")].filter(Boolean);
  const seen = parts.some((part) => shown(part) && part.getBoundingClientRect().width > 8);
  return { what: one.outerHTML.slice(0, 120), seen };
}"""


def tab(page, key="Tab"):
    """Press Tab, and see that the focus can be seen; return what has it, "" for nothing."""
    page.keyboard.press(key)
    here = page.evaluate(MARKED)
    assert not here or here["seen"], here
    return here and here["what"]


def tab_to(page, selector, most=80):
    """Press Tab until the focus is there."""
    for _ in range(most):
        tab(page)
        if page.evaluate("(wanted) => document.activeElement.matches(wanted)", selector):
            return
    pytest.fail(f"{selector} is not reached")


def tab_through(page, most=250):
    """Press Tab until the focus leaves the page again; return what had it."""
    page.evaluate("document.activeElement.blur()")
    met = []
    for _ in range(most):
        here = tab(page)
        if not here:
            return met
        met.append(here)
    pytest.fail(f"the focus is trapped at {met[-3:]}")

"""Every page, in both languages, on a desk and on a phone: quiet, and usable by everybody."""

import axe
import example_host
import pytest
from browser_help import DESKTOP, PHONE, fits_the_width, tab_through, watch
from example_host import NO_PAGES, PAGES

from host.config import Settings
from host.server import create_app
from host.web.state import KEY

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

LEAST = 24  # CSS pixels, WCAG 2.2, 2.5.8
TARGETS = "button, .btn, .tabs a, .languages a, summary, select, input, label.form-check-label"
SMALL = """([targets, least]) => [...document.querySelectorAll(targets)].map((one) => {
    const all = [one, ...(one.labels ?? [])].map((part) => part.getBoundingClientRect());
    const width = Math.max(...all.map((r) => r.right)) - Math.min(...all.map((r) => r.left));
    const height = Math.max(...all.map((r) => r.bottom)) - Math.min(...all.map((r) => r.top));
    return [one, width, height];
  })
  .filter(([one, width, height]) => one.checkVisibility() && one.type !== "hidden"
    && !one.closest(".visually-hidden, [inert]") && Math.min(width, height) < least)
  .map(([one, width, height]) => `${width} x ${height}: ${one.outerHTML.slice(0, 120)}`)"""
NO_ALT = """() => [...document.querySelectorAll("img:not([alt]), [role=img]:not([aria-label])")]
  .map((one) => one.outerHTML)"""
WIDE = """() => [...document.querySelectorAll("main *")]
  .filter((one) => one.getBoundingClientRect().right > innerWidth + 1 && !one.closest(".scroll"))
  .map((one) => one.outerHTML.slice(0, 120))"""


@pytest.fixture(scope="module")
def here(browser, tmp_path_factory):
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield from example_host.make(tmp_path_factory.mktemp("host"), browser, monkeypatch)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page(here, browser, name, language):
    _, place, prepare = PAGES[name]
    state = None if name == "login" else here.state
    context = browser.new_context(storage_state=state, viewport=DESKTOP)
    page = context.new_page()
    wrong = watch(page, here.address)
    place = place.format(**here.jobs)
    page.goto(f"{here.address}{place}{'&' if '?' in place else '?'}lang={language}")
    assert page.evaluate("document.documentElement.lang")[:2] == language
    if prepare:
        prepare(page)
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    for size in (DESKTOP, PHONE):
        page.set_viewport_size(size)
        wrong += found(page, size["width"])
    if language == "en":
        assert tab_through(page)
    context.close()
    assert wrong == []
    axe.require()


def found(page, width):
    """Return what is wrong with a page of this width, a line each."""
    wrong = [] if fits_the_width(page) else page.evaluate(WIDE) or ["too wide"]
    wrong += page.evaluate(NO_ALT) + page.evaluate(SMALL, [TARGETS, LEAST])
    for one in axe.violations(page):
        wrong += [f"{one['rule']}, {one['help']}: {node}" for node in one["where"]]
    return [f"{width}: {one}" for one in wrong]


def test_no_page_is_forgotten(tmp_path):
    """A new view has to be in PAGES of example_host.py, or be told to be none."""
    app = create_app(Settings(data=tmp_path / "data"))
    app.extensions[KEY].store.close()
    views = {
        one.endpoint
        for one in app.url_map.iter_rules()
        if "GET" in (one.methods or ()) and not one.rule.startswith("/api/")
    }
    assert views - NO_PAGES == {view for view, _, _ in PAGES.values() if view}

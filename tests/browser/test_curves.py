"""From a point of a detector's curves to its pictures: by mouse, by keys, and without scripts."""

import judging
import pytest
from browser_help import PHONE, fits_the_width, shoot

from host.config import Settings
from host.jobs.store import Store

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


@pytest.fixture
def place(address, tmp_path):
    settings = Settings(data=tmp_path / "data")
    store = Store(settings.data)
    (found, truth), (other, _) = judging.noisy(1, 24), judging.noisy(2, 24)
    job_id = judging.detector(store, settings, judging.judge([found, other], truth))
    store.close()
    return f"{address}/jobs/{job_id}"


def counted(page):
    return [one.split() for one in page.locator(".tabs a").all_inner_texts()]


def test_a_point_leads_to_its_pictures(page, place, browser):
    page.goto(place)
    page.locator("#thresholds-int8").scroll_into_view_if_needed()
    shoot(page, "curves")
    page.locator('#thresholds-int8 a[href$="threshold=0.3"] .reach').first.click()
    page.wait_for_url("**/judged/int8?threshold=0.3")
    assert page.locator("#threshold").input_value() == "0.30"
    page.locator(".gallery img").first.evaluate("one => one.decode()")
    shoot(page, "curves-judged")
    low = counted(page)
    page.locator("#threshold").fill("0.8")
    page.keyboard.press("Enter")
    page.wait_for_url("**threshold=0.8**")
    assert counted(page) != low
    page.locator(".tabs a", has_text="missed").click()
    page.wait_for_url("**error=missed**")
    assert page.locator("#threshold").input_value() == "0.80"

    page.goto(place)
    page.locator("summary", has_text="INT8").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")  # the table itself, which scrolls
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/judged/int8?threshold=0.02")

    page.set_viewport_size(PHONE)
    for name in ("", "/judged/int8?threshold=0.3"):
        page.goto(f"{place}{name}{'&' if name else '?'}lang=zh")
        assert fits_the_width(page)
        shoot(page, f"curves{'-judged' if name else ''}-phone-zh")

    phone = browser.new_context(java_script_enabled=False, has_touch=True, viewport=PHONE)
    plain = phone.new_page()
    plain.goto(f"{place}?lang=en")
    plain.locator('#thresholds-int8 a[href$="threshold=0.5"] .reach').first.tap()
    plain.wait_for_url("**/judged/int8?threshold=0.5")
    plain.locator("#threshold").fill("0.7")
    plain.get_by_role("button", name="Judge again").tap()
    plain.wait_for_url("**threshold=0.7**")
    phone.close()

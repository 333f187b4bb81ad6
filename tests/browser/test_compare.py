"""Chromium compares two jobs, at desktop and phone width, in both languages."""

import pytest
from browser_help import PHONE, fits_the_width, send_zip, shoot
from host_help import dataset_zip

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


def trained(page, address, folder, name):
    """Send a data set and wait for its (scripted) training."""
    send_zip(page, address, dataset_zip(), folder, name)
    page.get_by_role("button", name="Start training").click()
    page.wait_for_selector("#int8", timeout=60_000)
    return page.url


def test_two_jobs_side_by_side(page, address, tmp_path, monkeypatch):
    monkeypatch.setenv("FAKE_CHILD_PAUSE", "0.01")
    first = trained(page, address, tmp_path, "a rather long name of a job")
    second = trained(page, address, tmp_path, "second")
    page.get_by_role("link", name="Compare with another job").click()
    page.get_by_role("button", name="Compare").click()
    page.wait_for_selector(".compare")
    places = [
        one.get_attribute("href") for one in page.locator(".compare").first.locator("thead a").all()
    ]
    assert [address + place for place in places] == [second, first]
    assert page.locator(".compare").count() == 3
    assert fits_the_width(page)
    shoot(page, "compare")
    page.set_viewport_size(PHONE)
    assert fits_the_width(page)
    shoot(page, "compare-phone")
    page.goto(page.url + "&lang=zh")
    assert fits_the_width(page)
    shoot(page, "compare-phone-zh")

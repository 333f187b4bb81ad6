"""A phone: fingers only, from the upload to the download, and a box drawn with one."""

import zipfile

import pytest
from browser_help import PHONE, arrive, fits_the_width, saved, shoot, watch
from host_help import box_zip

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

WAIT = 300_000


@pytest.fixture
def phone(browser, address):
    """A page on a phone; what it says on the console or asks elsewhere fails the test."""
    context = browser.new_context(viewport=PHONE, has_touch=True, is_mobile=True)
    page = context.new_page()
    wrong = watch(page, address)
    yield page
    context.close()
    assert wrong == []


def swipe(page, start, end):
    """Move one finger over the canvas, from and to pixels of the picture (224 x 224)."""
    frame = page.locator("#canvas").bounding_box()
    fingers = page.context.new_cdp_session(page)

    def touch(kind, *point):
        x, y = (
            frame[side] + at * frame["width"] / 224 for side, at in zip("xy", point, strict=True)
        )
        fingers.send(
            "Input.dispatchTouchEvent",
            {"type": kind, "touchPoints": [{"x": x, "y": y}]},
        )

    touch("touchStart", *start)
    for step in range(1, 6):
        touch("touchMove", *(a + (b - a) * step / 5 for a, b in zip(start, end, strict=True)))
    fingers.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def test_a_detector(quick_training, phone, address, tmp_path):
    zipped = tmp_path / "mine.zip"
    zipped.write_bytes(box_zip(16))
    phone.goto(address)
    with phone.expect_file_chooser() as chooser:
        phone.locator('label[for="file"]').tap()
    chooser.value.set_files(zipped)
    phone.wait_for_url("**/jobs/*")

    phone.locator(".fixes a").first.tap()
    phone.locator(".picture a").first.tap()
    phone.wait_for_selector("#canvas:not([hidden])")
    phone.locator("#canvas").scroll_into_view_if_needed()
    swipe(phone, (30, 130), (90, 200))
    phone.locator("#said", has_text="Saved.").wait_for()
    assert phone.locator("#list li").count() == 3
    number = phone.url.split("?")[0].rsplit("/", 1)[1]
    where = phone.url.split("?")[0].replace("/jobs/", "/api/jobs/").rsplit("/data/", 1)[0]
    drawn = phone.request.get(f"{where}/pictures/{number}").json()["picture"]["boxes"][2]
    edges = [drawn[edge] for edge in ("left", "top", "right", "bottom")]
    assert edges == pytest.approx([30, 130, 90, 200], abs=3)
    assert phone.evaluate("scrollX") == 0 and fits_the_width(phone)
    shoot(phone, "boxes-by-touch")
    for _ in range(3):  # Chromium sometimes takes no tap right after a touch that was made up
        phone.locator('[value="undo"]').tap()
        phone.wait_for_timeout(1000)
        if phone.locator("#said").inner_text() == "Undone.":
            break
    assert phone.locator("#list li").count() == 2
    phone.locator("#all").tap()
    arrive(phone, "#grid")
    phone.locator(".picture").nth(1).tap()
    phone.locator("#chosen", has_text="1 chosen").wait_for()
    phone.locator(".picture").nth(1).tap()
    phone.locator(".live-head a.btn-primary").tap()

    arrive(phone, "#order")
    phone.locator("#preset").select_option("fast")
    phone.locator("#order button[type=submit]").tap()
    arrive(phone, '#live[data-state="running"]')
    phone.wait_for_selector("#int8", timeout=WAIT)
    with phone.expect_download() as card:
        phone.locator('a[href$="/sd.zip"]').tap()
    with zipfile.ZipFile(saved(card.value, tmp_path)) as archive:
        assert {"boot.py", "m.kmodel", "labels.txt"} <= set(archive.namelist())
    phone.locator('a[href$="/try"]').tap()
    arrive(phone, "#try")
    with phone.expect_file_chooser() as chooser:
        phone.locator('label[for="picture"]').tap()
    with zipfile.ZipFile(zipped) as archive:
        archive.extract("maixforge/shapes/images/1.jpg", tmp_path)
    chooser.value.set_files(tmp_path / "maixforge/shapes/images/1.jpg")
    phone.wait_for_selector("#answer img")
    assert fits_the_width(phone)
    shoot(phone, "try-by-touch")

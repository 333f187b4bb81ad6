"""A real Chromium corrects a data set: pictures by class, boxes on a canvas, by mouse and keys."""

import io
import json

import pytest
from browser_help import PHONE, fits_the_width, send_zip, shoot
from host_help import box_zip, dataset_zip, picture
from PIL import Image

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


def saved_again(data, quality):
    """The same picture saved once more: a near duplicate."""
    buffer = io.BytesIO()
    Image.open(io.BytesIO(data)).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def send(page, address, data, folder, language="en"):
    """Send a data set and go to its Data page; return the job's address."""
    job = send_zip(page, f"{address}/?lang={language}", data, folder)
    page.locator(".fixes a").first.click()
    page.wait_for_url("**/data")
    return job


def counts(page):
    """What the tabs say: number of pictures by name."""
    lines = [one.inner_text().rsplit(" ", 1) for one in page.locator(".tabs a").all()]
    return {name: int(number) for name, number in lines}


def told(page, text):
    page.locator("#chosen", has_text=text).wait_for()


def state(page, job):
    """The job's pictures as the API shows them."""
    where = job.replace("/jobs/", "/api/jobs/")
    return json.loads(page.request.get(f"{where}/pictures?count=2000").text())


@pytest.mark.parametrize("language", ["en", "zh"])
def test_pictures_are_moved_deleted_and_brought_back(page, address, tmp_path, language):
    odd = [("circle/near.jpg", saved_again(picture("circle", 5), 90))]
    job = send(page, address, dataset_zip((44, 41, 41), extra=odd), tmp_path, language)
    assert counts(page)["circle"] == 45
    shoot(page, f"data-{language}")
    cards = page.locator(".picture")
    cards.nth(0).click()
    cards.nth(2).click(modifiers=["Shift"])
    assert page.locator(".pick:checked").count() == 3
    page.locator("[data-to]", has_text="square").click()
    told(page, "square")
    assert (counts(page)["circle"], counts(page)["square"]) == (42, 44)
    assert state(page, job)["counts"]["square"] == 44
    cards.nth(10).click()
    page.locator('[value="delete"]').click()
    told(page, "1 ")
    assert counts(page)["circle"] == 41
    page.reload()
    assert (counts(page)["circle"], counts(page)["square"]) == (41, 44)
    for number in (42, 45):
        page.locator('[value="undo"]').click()
        page.locator(".tabs a", has_text=f"circle {number}").wait_for()
    assert page.locator('[value="undo"]').is_disabled()
    page.locator('[value="redo"]').click()
    page.locator(".tabs a", has_text="circle 42").wait_for()
    assert page.locator(".badge.near").count() == 2
    page.set_viewport_size(PHONE)
    assert fits_the_width(page)
    shoot(page, f"data-phone-{language}")


def test_the_keyboard_is_enough(page, address, tmp_path):
    job = send(page, address, dataset_zip((42, 42, 42)), tmp_path)
    page.locator(".tabs a", has_text="circle").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**label=circle")
    page.locator(".pick").first.focus()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    told(page, "2 chosen")
    page.keyboard.press("2")
    told(page, "2 moved to square")
    paths = {one["path"]: one["label"] for one in state(page, job)["pictures"]}
    assert (paths["circle/000.jpg"], paths["circle/001.jpg"]) == ("square", "circle")
    assert paths["circle/002.jpg"] == "square"
    assert page.evaluate("document.activeElement.className").endswith("pick")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Delete")
    told(page, "2 deleted")
    assert counts(page)["circle"] == 38
    page.locator(".finding.error").wait_for()
    page.keyboard.press("Control+z")
    told(page, "Undone")
    page.keyboard.press("Control+z")
    page.locator(".tabs a", has_text="circle 42").wait_for()
    page.keyboard.press("Control+y")
    page.locator(".tabs a", has_text="circle 40").wait_for()
    page.keyboard.press("m")
    page.keyboard.type("ring")
    assert page.locator("#to").input_value() == "ring"


def test_data_that_cannot_be_trained_say_so_until_they_can(page, address, tmp_path):
    job = send(page, address, dataset_zip((40, 41, 41)), tmp_path)
    page.locator(".picture").first.click()
    page.locator('[value="delete"]').click()
    page.locator(".finding.error").wait_for()
    page.goto(job)
    assert page.locator("#order button[type=submit]").is_disabled()
    shoot(page, "data-blocked")
    page.goto(f"{job}/data")
    page.keyboard.press("Control+z")
    told(page, "Undone")
    page.goto(job)
    page.get_by_role("button", name="Start training").click()
    page.wait_for_selector("#int8", timeout=60_000)


def corner(page, x, y):
    """A point of the canvas, from pixels of the picture (224 x 224)."""
    frame = page.locator("#canvas").bounding_box()
    return frame["x"] + x * frame["width"] / 224, frame["y"] + y * frame["height"] / 224


def drag(page, start, end):
    page.mouse.move(*corner(page, *start))
    page.mouse.down()
    page.mouse.move(*corner(page, (start[0] + end[0]) / 2, (start[1] + end[1]) / 2))
    page.mouse.move(*corner(page, *end))
    page.mouse.up()
    page.locator("#said", has_text="Saved.").wait_for()
    page.evaluate("document.getElementById('said').textContent = ''")


def boxes_of(page, job, number):
    where = job.replace("/jobs/", "/api/jobs/")
    found = json.loads(page.request.get(f"{where}/pictures/{number}").text())["picture"]["boxes"]
    edges = ("left", "top", "right", "bottom")
    return [(one["label"], *(round(one[edge]) for edge in edges)) for one in found]


def near(box, label, *edges):
    return box[0] == label and all(abs(a - b) <= 2 for a, b in zip(box[1:], edges, strict=True))


def test_boxes_are_drawn_moved_resized_and_relabelled(page, address, tmp_path):
    job = send(page, address, box_zip(24), tmp_path)
    page.set_viewport_size({"width": 1200, "height": 1200})
    page.locator(".picture a").first.click()
    page.wait_for_selector("#canvas:not([hidden])")
    number = int(page.url.split("?")[0].rsplit("/", 1)[1])
    assert boxes_of(page, job, number) == [("circle", 11, 35, 52, 76), ("square", 111, 35, 152, 76)]
    page.fill("#label", "square")
    drag(page, (20, 120), (80, 200))
    assert near(boxes_of(page, job, number)[2], "square", 20, 120, 80, 200)
    drag(page, (50, 160), (70, 150))
    assert near(boxes_of(page, job, number)[2], "square", 40, 110, 100, 190)
    drag(page, (100, 190), (130, 210))
    assert near(boxes_of(page, job, number)[2], "square", 40, 110, 130, 210)
    shoot(page, "boxes-editor")
    page.locator("#canvas").focus()
    page.keyboard.press("1")
    page.locator("#said", has_text="Saved.").wait_for()
    assert near(boxes_of(page, job, number)[2], "circle", 40, 110, 130, 210)
    page.reload()
    assert page.locator("#list li").count() == 3
    for left in (3, 3, 3, 2):
        page.locator('[value="undo"]').click()
        page.locator("#said", has_text="Undone.").wait_for()
        page.evaluate("document.getElementById('said').textContent = ''")
        assert page.locator("#list li").count() == left
    assert page.locator('[value="undo"]').is_disabled()
    page.set_viewport_size(PHONE)
    assert fits_the_width(page)
    shoot(page, "boxes-editor-phone")


def test_boxes_need_no_mouse_and_a_picture_may_have_none(page, address, tmp_path):
    job = send(page, address, box_zip(24), tmp_path, "zh")
    page.locator(".pick").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#canvas:not([hidden])")
    number = int(page.url.split("?")[0].rsplit("/", 1)[1])

    def press(*keys):
        for key in keys:
            page.keyboard.press(key)
        page.locator("#said", has_text="已保存。").wait_for()
        page.evaluate("document.getElementById('said').textContent = ''")
        return boxes_of(page, job, number)

    press("Space", "Delete")
    assert press("Delete") == []
    assert page.locator("#negative").is_visible()
    assert press("n") == [("square", 75, 75, 150, 150)]
    moved = press("ArrowLeft", "Shift+ArrowDown", "Control+Shift+ArrowRight")
    assert moved == [("square", 74, 85, 159, 160)]
    assert press("1") == [("circle", 74, 85, 159, 160)]
    shoot(page, "boxes-editor-zh")
    page.keyboard.press("d")
    page.wait_for_url(f"**/data/{number + 1}")

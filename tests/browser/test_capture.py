"""A real Chromium with a camera that it makes up: pictures are taken, kept, and enough to train."""

import json

import pytest
from browser_help import PHONE, fits_the_width, send_zip, shoot
from host_help import box_zip, dataset_zip, picture

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(240),
    pytest.mark.usefixtures("quick_training"),
]
LEAST = 12


def begin(page, address, task="classify", labels="circle, square", language="en"):
    page.goto(f"{address}/?lang={language}")
    page.locator("#begin summary").click()
    page.fill("#begin-name", "taken here")
    page.select_option("#begin-task", task)
    page.fill("#begin-labels", labels)
    page.locator("#begin button").click()
    page.wait_for_url("**/capture")
    page.locator("#view:not([hidden])").wait_for()
    return page.url.removesuffix("/capture")


def state(page, job):
    where = job.replace("/jobs/", "/api/jobs/")
    return json.loads(page.request.get(f"{where}/pictures?count=2000").text())


def saved(page, label, least):
    """Wait until so many pictures of a class are on the disk."""
    page.wait_for_function(
        """([label, least]) => parseInt(document.querySelector(`[data-label="${label}"]`)
           .closest("li").querySelector(".so-far").textContent, 10) >= least""",
        arg=[label, least],
        timeout=60_000,
    )


def all_sent(page):
    page.wait_for_function(
        "() => !/\\.\\.\\.|……/.test(document.getElementById('said').textContent)"
    )


@pytest.mark.parametrize("language", ["en", "zh"])
def test_two_classes_are_recorded_and_can_be_trained(page, address, language):
    job = begin(page, address, language=language)
    button = page.locator('[data-label="circle"]')
    button.hover()
    page.mouse.down()
    page.locator("#recording:not([hidden])").wait_for()
    saved(page, "circle", LEAST)
    shoot(page, f"capture-{language}")
    page.mouse.up()
    assert page.locator("#recording").is_hidden()
    assert page.locator("#trainable").is_hidden()
    page.locator("h2").first.click()
    page.keyboard.down("2")
    saved(page, "square", LEAST)
    page.keyboard.up("2")
    page.locator("#trainable:not([hidden])").wait_for()
    assert page.locator("#state").inner_text() in ("ready to train", "可以训练")
    all_sent(page)
    known = state(page, job)
    assert min(known["counts"].values()) >= LEAST
    assert known["trainable"]
    shown = page.locator(".so-far").all_inner_texts()
    page.reload()
    page.locator("#view:not([hidden])").wait_for()
    assert page.locator(".so-far").all_inner_texts() == shown
    assert page.locator("#strip li").count() == 12
    assert state(page, job)["pictures"] == known["pictures"]
    one = known["pictures"][0]
    assert one["width"] == one["height"] > 300
    page.set_viewport_size(PHONE)
    assert fits_the_width(page)
    shoot(page, f"capture-phone-{language}")
    page.goto(job)
    assert page.locator("#order button[type=submit]").is_enabled()


def test_the_last_ones_are_deleted_and_a_class_is_new(page, address):
    job = begin(page, address, labels="circle")
    page.fill("#class", "star")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.dataset.label") == "star"
    page.keyboard.down("Space")
    saved(page, "star", 3)
    page.keyboard.up("Space")
    all_sent(page)
    before = len(state(page, job)["pictures"])
    assert page.locator("#strip li").count() == before
    page.keyboard.press("Control+z")
    page.wait_for_function(
        "(n) => document.querySelectorAll('#strip li').length === n", arg=before - 1
    )
    page.locator("#strip button").last.click()
    page.wait_for_function(
        "(n) => document.querySelectorAll('#strip li').length === n", arg=before - 2
    )
    assert [one["number"] for one in state(page, job)["pictures"]] == [*range(1, before - 1)]
    assert {one["label"] for one in state(page, job)["pictures"]} == {"star"}


def test_a_press_without_a_pointer_takes_one_and_deleting_goes_on_backwards(page, address):
    job = begin(page, address, labels="circle")
    page.locator('[data-label="circle"]').focus()
    for least in (1, 2, 3):
        page.keyboard.press("Enter")
        saved(page, "circle", least)
    all_sent(page)
    assert len(state(page, job)["pictures"]) == 3
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")  # at once: it is the one before that
    page.wait_for_function("() => document.querySelectorAll('#strip li').length === 1")
    page.keyboard.press("Control+z")
    page.locator(".so-far", has_text="0 of").wait_for()  # the class has gone with its last one
    assert state(page, job)["pictures"] == []


def test_single_shots_of_a_detector_wait_for_their_boxes(page, address):
    job = begin(page, address, task="detect", labels="nut")
    page.locator("#shoot").click()
    page.locator("#strip li").wait_for()
    page.keyboard.press("Space")
    page.locator("#strip li").nth(1).wait_for()
    assert page.locator("#total").inner_text() == "2"
    [first, _] = state(page, job)["pictures"]
    assert (first["boxes"], first["width"] > first["height"]) == ([], True)
    shoot(page, "capture-detect")
    page.locator("#strip a").last.click()
    page.wait_for_url("**/data/0")
    page.locator("#canvas:not([hidden])").wait_for()


def test_a_lost_connection_loses_no_picture(browser, address):
    page = browser.new_page()
    job = begin(page, address)
    page.route("**/pictures", lambda route: route.abort())
    page.locator("h2").first.click()
    page.keyboard.down("1")
    page.locator("#said", has_text="Do not close this page").wait_for()
    page.wait_for_timeout(1200)
    page.keyboard.up("1")
    assert state(page, job)["pictures"] == []
    page.unroute("**/pictures")
    saved(page, "circle", 4)
    all_sent(page)
    assert len(state(page, job)["pictures"]) == page.locator("#strip li").count() >= 4
    page.close()


def test_what_the_host_refuses_waits_until_somebody_decides(page, address):
    job = begin(page, address)
    full = {"ok": False, "findings": [{"what": "It is full.", "found": "", "fix": ""}]}
    page.route("**/pictures", lambda route: route.fulfill(status=413, json=full))
    page.locator("h2").first.click()
    page.keyboard.press("1")
    page.locator("#held:not([hidden])", has_text="It is full.").wait_for()
    page.unroute("**/pictures")
    page.locator("#resend").click()
    saved(page, "circle", 1)
    assert len(state(page, job)["pictures"]) >= 1


REASONS = {
    "NotAllowedError": "does not let this page",
    "NotFoundError": "No camera was found",
    "NotReadableError": "Close other programs",
    "TypeError": "cannot be used: TypeError",
    "": "ssh -L",
}


@pytest.mark.parametrize("name", REASONS)
def test_why_there_is_no_camera_is_said_with_what_to_do(page, address, name):
    refuse = f"navigator.mediaDevices.getUserMedia = async () => {{ throw {{ name: '{name}' }}; }}"
    none = "Object.defineProperty(window, 'isSecureContext', { value: false })"
    page.add_init_script(refuse if name else none)
    page.goto(f"{address}/")
    page.locator("#begin summary").click()
    page.fill("#begin-name", "x")
    page.locator("#begin button").click()
    page.locator("#trouble:not([hidden])", has_text=REASONS[name]).wait_for()
    assert page.locator("#again").is_visible()
    if not name:
        shoot(page, "capture-no-camera")


def test_files_are_added_by_choice_and_by_drop(page, address, tmp_path):
    job = send_zip(page, address, dataset_zip((14, 14, 14)), tmp_path)
    page.goto(f"{job}/data?label=circle")
    good = [
        {"name": f"{n}.jpg", "mimeType": "image/jpeg", "buffer": picture("circle", 600 + n)}
        for n in range(3)
    ]
    bad = {"name": "bad.jpg", "mimeType": "image/jpeg", "buffer": b"no picture"}
    page.set_input_files("#add-files", good)
    page.locator("#add button").click()
    page.locator(".tabs a", has_text="circle 17").wait_for()
    page.set_input_files("#add-files", [bad, {**good[0], "buffer": picture("circle", 700)}])
    page.locator("#add button").click()
    page.locator("#add-said", has_text="bad.jpg").wait_for()
    assert "1 added" in page.locator("#add-said").inner_text()
    dropped = page.evaluate_handle(
        """(bytes) => {
          const data = new DataTransfer();
          data.items.add(new File([new Uint8Array(bytes)], "d.jpg", { type: "image/jpeg" }));
          return data;
        }""",
        [*picture("circle", 800)],
    )
    page.dispatch_event("#shelf", "drop", {"dataTransfer": dropped})
    page.locator(".tabs a", has_text="circle 19").wait_for()
    assert len(state(page, job)["pictures"]) == 47


def test_a_refused_data_set_is_mended_on_its_pages(page, address, tmp_path):
    data = dataset_zip((14, 14, 14), labels=("圆", "square", "triangle"))
    job = send_zip(page, address, data, tmp_path)
    page.locator('[data-code="label_not_ascii"]').wait_for()
    page.locator("#to-data").click()
    page.locator(".tabs a", has_text="圆").click()
    page.fill("#new-name", "circle")
    page.locator(".rename button").click()
    page.locator(".tabs a", has_text="circle 14").wait_for()
    page.goto(job)
    assert page.locator("#order button[type=submit]").is_enabled()


def test_added_negatives_are_drawn_on(page, address, tmp_path):
    job = send_zip(page, address, box_zip(12), tmp_path)
    page.goto(f"{job}/data")
    one = {"name": "1.jpg", "mimeType": "image/jpeg", "buffer": picture("circle", 900)}
    page.set_input_files("#add-files", [one])
    page.locator("#add button").click()
    page.locator('.tabs a[aria-current="true"] .count', has_text="13").wait_for()

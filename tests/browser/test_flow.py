"""A real Chromium goes from the upload to the downloads, as a person does.

Two slow tests take the sample pictures through the real training; in the others it is scripted
(tests/jobs/fake_child.py). A real one of seconds is in test_by_keyboard.py and test_by_touch.py.
Screenshots go to the folder TEST_SCREENSHOTS when that is set.
"""

import zipfile

import pytest
from browser_help import PHONE, fits_the_width, saved, send_zip, shoot
from host_help import dataset_zip, picture

from host.files import write_zip

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

WAIT = 600_000  # milliseconds; the real training takes about 40 s on two free processors


@pytest.mark.slow
def test_from_upload_to_download(real_training, page, address, tmp_path, root):
    data = tmp_path / "fasteners.zip"
    samples = root / "samples" / "sample_dump"
    write_zip(data, {str(one.relative_to(samples)): one for one in samples.rglob("*.jpg")})
    page.goto(address)
    shoot(page, "home")
    page.set_input_files("#file", data)

    page.wait_for_url("**/jobs/*")
    assert page.locator(".bars tbody tr").count() == 3
    assert page.locator("h1").inner_text() == "fasteners"
    shoot(page, "check")
    page.select_option("#preset", "fast")
    page.get_by_role("button", name="Start training").click()

    page.wait_for_selector("#chart-accuracy polyline", timeout=WAIT)
    assert page.locator("#log li").count() >= 2
    shoot(page, "live")
    page.wait_for_selector("#int8", timeout=WAIT)
    assert page.locator("#int8").inner_text().endswith("%")
    page.wait_for_selector("#chart-loss polyline")
    images = page.locator(".gallery img")
    assert images.count() > 0
    images.first.scroll_into_view_if_needed()
    page.wait_for_function("document.querySelector('.gallery img').naturalWidth > 0")
    shoot(page, "result")
    cell = page.locator(".matrix td.right a").first
    count = int(cell.inner_text())
    cell.click()
    page.wait_for_selector(".gallery img")
    assert page.locator(".gallery img").count() == count
    page.locator(".gallery img").first.evaluate("one => one.decode()")
    shoot(page, "judged")
    page.go_back()

    with page.expect_download() as card:
        page.get_by_role("link", name="SD card").click()
    with zipfile.ZipFile(saved(card.value, tmp_path)) as archive:
        assert {"boot.py", "m.kmodel", "labels.txt"} <= set(archive.namelist())
    with page.expect_download() as package:
        page.get_by_role("link", name="kfpkg").click()
    with zipfile.ZipFile(saved(package.value, tmp_path)) as archive:
        assert "flash-list.json" in archive.namelist()

    page.set_viewport_size(PHONE)
    assert fits_the_width(page)
    shoot(page, "result-phone")
    page.goto(address)
    assert fits_the_width(page)
    assert page.locator(".job .state").inner_text() == "done"
    shoot(page, "home-phone")


@pytest.mark.slow
def test_boxes_from_upload_to_download(real_training, page, address, tmp_path, root):
    data = tmp_path / "scattered.zip"
    samples = root / "samples" / "sample_boxes"
    names = [one for one in samples.rglob("*.*") if not one.stem.isdecimal() or int(one.stem) <= 40]
    write_zip(data, {str(one.relative_to(samples)): one for one in names})
    page.goto(address)
    page.set_input_files("#file", data)

    page.wait_for_url("**/jobs/*")
    assert page.locator(".bars tbody tr").count() == 3
    page.select_option("#preset", "fast")
    page.get_by_text("More", exact=True).click()
    page.select_option("#stride", "16")
    shoot(page, "boxes-check")
    page.get_by_role("button", name="Start training").click()

    page.wait_for_selector("#chart-accuracy polyline.valid", timeout=WAIT)
    shoot(page, "boxes-live")
    page.wait_for_selector("#int8", timeout=WAIT)
    assert page.locator("#int8").inner_text().endswith("%")
    assert page.locator("#thresholds-int8 svg a").count() > 50
    for name in ("precision_recall", "errors"):
        page.locator(f"#{name}").scroll_into_view_if_needed()
        page.wait_for_function(f"document.getElementById('{name}').naturalWidth > 0")
    page.locator(".gallery img").first.scroll_into_view_if_needed()
    page.wait_for_function("document.querySelector('.gallery img').naturalWidth > 0")
    shoot(page, "boxes-result")

    with page.expect_download() as card:
        page.get_by_role("link", name="SD card").click()
    with zipfile.ZipFile(saved(card.value, tmp_path)) as archive:
        boot = archive.read("boot.py")
        assert archive.read("labels.txt") == b"nut\nscrew\nwasher\n"
    threshold = page.locator("#region").inner_text().split("more than ")[1].split()[0]
    assert f"'threshold': {threshold},".encode() in boot
    page.set_viewport_size(PHONE)
    assert fits_the_width(page)
    shoot(page, "boxes-result-phone")
    page.goto(address)
    assert "mAP50" in page.locator(".job-figure").inner_text()


def test_a_dropped_folder_becomes_a_job(page, address):
    """Chromium's file chooser for folders cannot be driven; a drop runs the same code."""
    page.goto(address)
    files = [
        {"name": f"pets/{label}/{number:02}.jpg", "data": picture(label, number).hex()}
        for label in ("circle", "square", "triangle")
        for number in range(40)
    ]
    page.evaluate(
        """async (files) => {
          const bytes = (hex) => Uint8Array.from(hex.match(/../g), (two) => parseInt(two, 16));
          const root = {};
          for (const { name, data } of files) {
            const parts = name.split("/");
            let here = root;
            for (const part of parts.slice(0, -1)) here = here[part] ??= {};
            here[parts.at(-1)] = new File([bytes(data)], parts.at(-1));
          }
          const entry = (name, node) => node instanceof File
            ? { name, isFile: true, file: (good) => good(node) }
            : { name, isFile: false, createReader: () => {
                const all = Object.entries(node).map(([n, v]) => entry(n, v));
                return { readEntries: (good) => good(all.splice(0, 100)) };
              } };
          const drop = new Event("drop", { bubbles: true, cancelable: true });
          const pets = entry("pets", root.pets);
          drop.dataTransfer = { items: [{ webkitGetAsEntry: () => pets }], files: [] };
          document.getElementById("drop").dispatchEvent(drop);
        }""",
        files,
    )
    page.wait_for_url("**/jobs/*")
    assert page.locator("h1").inner_text() == "pets"
    assert [one.inner_text() for one in page.locator(".bars .count").all()] == ["40"] * 3


def test_what_is_wrong_is_shown_in_place_and_on_a_phone(page, address, tmp_path):
    data = tmp_path / "bad.zip"
    data.write_bytes(dataset_zip((40, 39, 12)))
    page.set_viewport_size(PHONE)
    page.goto(address)
    page.set_input_files("#file", data)
    page.wait_for_url("**/jobs/*")
    assert page.locator(".finding.error").count() == 2
    assert page.locator(".finding .where").first.inner_text() == "square"
    assert page.locator("#order button[type=submit]").is_disabled()
    assert fits_the_width(page)
    page.goto(address)
    data.write_bytes(b"no zip")
    page.set_input_files("#file", data)
    page.wait_for_selector("#problems .finding.error")
    assert page.evaluate("document.activeElement.id") == "problems"
    assert fits_the_width(page)
    shoot(page, "problems-phone")


def test_cancel_and_start_again(page, address, tmp_path):
    send_zip(page, address, dataset_zip(), tmp_path, "slow")
    page.get_by_role("button", name="Start training").click()
    page.wait_for_selector('#live[data-state="running"]')
    page.wait_for_selector('#steps [data-step="train"].now')
    page.get_by_role("button", name="Cancel").click()
    page.wait_for_selector("text=This job was stopped", timeout=60_000)
    assert page.get_by_role("button", name="Start training").is_visible()


def test_a_collector_card_is_made_with_the_keyboard_alone(page, address, tmp_path):
    page.goto(address)
    page.get_by_role("link", name="Collect them with the board itself").click()
    page.set_viewport_size(PHONE)
    assert fits_the_width(page)
    page.set_viewport_size({"width": 1200, "height": 850})
    shoot(page, "collector")
    page.locator("#classes").focus()
    page.keyboard.type("cat\ndog\nbackground")
    page.keyboard.press("Tab")
    page.keyboard.type("pets")
    page.keyboard.press("Tab")
    page.locator("#board").select_option("m5stickv")
    page.locator("#collector button[type=submit]").focus()
    with page.expect_download() as card:
        page.keyboard.press("Enter")
    with zipfile.ZipFile(saved(card.value, tmp_path)) as archive:
        assert archive.read("classes.txt") == b"# name: pets\ncat\ndog\nbackground\n"
        assert b"M5StickV" in archive.read("README.txt")


def test_a_wrong_collector_card_keeps_what_was_typed(page, address):
    page.goto(f"{address}/collector?lang=zh")
    page.fill("#classes", "cat")
    page.locator("#collector button[type=submit]").click()
    page.wait_for_selector("#problems .finding.error")
    assert page.locator("#classes").input_value().strip() == "cat"
    assert page.evaluate("document.documentElement.lang") == "zh-CN"
    page.set_viewport_size(PHONE)
    assert fits_the_width(page)
    shoot(page, "collector-problem-phone")

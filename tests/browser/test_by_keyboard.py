"""From the upload to the downloads without a mouse: Tab, Enter, Space and arrow keys alone."""

import io
import zipfile

import pytest
from browser_help import arrive, choose_by_key, saved, shoot, tab_to
from host_help import box_zip, dataset_zip
from PIL import Image

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

WAIT = 300_000


def enter(page, selector):
    """Go there and press Enter."""
    tab_to(page, selector)
    page.keyboard.press("Enter")


def send(page, address, folder, data, language):
    zipped = folder / "mine.zip"
    zipped.write_bytes(data)
    page.goto(f"{address}/?lang={language}")
    tab_to(page, "#file")
    choose_by_key(page).set_files(zipped)
    page.wait_for_url("**/jobs/*")


def told(page, place, text):
    page.locator(place, has_text=text).wait_for()


def train(page):
    """Order the quickest training and see it through."""
    tab_to(page, "#preset")
    page.keyboard.press("Home")
    assert page.locator("#preset").input_value() == "fast"
    enter(page, "#order button[type=submit]")
    arrive(page, '#live[data-state="running"]')
    page.wait_for_selector("#chart-loss polyline", timeout=WAIT)
    tab_to(page, "#cancel button")
    tab_to(page, "#log")
    page.wait_for_selector("#int8", timeout=WAIT)


def try_it(page, folder):
    """Show it a picture, move the threshold, take that over."""
    Image.new("RGB", (224, 224), (90, 120, 200)).save(folder / "sky.png")
    enter(page, 'a[href$="/try"]')
    arrive(page, "#try")
    tab_to(page, "#picture")
    choose_by_key(page).set_files(folder / "sky.png")
    page.wait_for_selector("#answer img")
    tab_to(page, "#threshold")
    before = float(page.locator("#threshold").input_value())
    page.keyboard.press("ArrowRight")
    value = page.locator("#threshold").input_value()
    assert float(value) == pytest.approx(before + 0.01)
    enter(page, "#use")
    arrive(page, "#int8")
    return f"{float(value):g}"


def download(page, name, folder):
    tab_to(page, f'a[href$="{name}"]')
    with page.expect_download() as file:
        page.keyboard.press("Enter")
    return zipfile.ZipFile(io.BytesIO(saved(file.value, folder).read_bytes()))


def downloads(page, folder, threshold):
    with download(page, "/sd.zip", folder) as card:
        assert {"boot.py", "m.kmodel", "labels.txt"} <= set(card.namelist())
        assert f"'threshold': {threshold}," in card.read("boot.py").decode()
    with download(page, "/model.kfpkg", folder) as package:
        assert "flash-list.json" in package.namelist()


def test_a_classifier(quick_training, page, address, tmp_path):
    send(page, address, tmp_path, dataset_zip((14, 14, 14)), "en")
    enter(page, ".fixes a")
    page.wait_for_url("**/data")
    tab_to(page, ".pick")
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    page.keyboard.press("Delete")
    told(page, "#chosen", "2 deleted")
    page.keyboard.press("Control+z")
    told(page, "#chosen", "Undone")
    page.keyboard.press("Shift+Tab")  # back over the tools, still seen at each step
    page.evaluate("document.activeElement.blur()")
    enter(page, ".live-head a.btn-primary")
    arrive(page, "#order")
    train(page)
    downloads(page, tmp_path, try_it(page, tmp_path))
    shoot(page, "by-keyboard")


def test_a_detector(quick_training, page, address, tmp_path):
    send(page, address, tmp_path, box_zip(16), "zh")
    enter(page, ".fixes a")
    page.wait_for_url("**/data")
    tab_to(page, ".pick")
    page.keyboard.press("Enter")
    page.wait_for_selector("#canvas:not([hidden])")
    tab_to(page, "#canvas")
    page.keyboard.press("n")
    told(page, "#said", "已保存")
    page.keyboard.press("Shift+ArrowDown")
    told(page, "#said", "已保存")
    assert page.locator("#list li").count() == 3
    for left in (3, 2):
        page.keyboard.press("Control+z")
        told(page, "#said", "已撤销")
        page.locator("#list li").nth(left).wait_for(state="detached")
    enter(page, "#all")
    page.wait_for_url("**/data")
    enter(page, ".live-head a.btn-primary")
    arrive(page, "#order")
    train(page)
    downloads(page, tmp_path, try_it(page, tmp_path))
    shoot(page, "by-keyboard-zh")

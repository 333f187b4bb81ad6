"""Somebody is quicker than a page's script: nothing that was chosen is lost."""

import io
from contextlib import contextmanager

import colour_detector as detector
import judging
import pytest
from browser_help import send_zip
from host_help import dataset_zip

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


@contextmanager
def before(page, script, address, selector):
    """Open a page whose script comes only when the block has ended."""
    held = []

    def hold(route):
        held.append(route)

    page.route(f"**/{script}*", hold)
    page.goto(address, wait_until="commit")
    page.wait_for_selector(selector, state="attached")
    yield
    page.wait_for_timeout(200)
    assert len(held) == 1
    held[0].continue_()


def test_a_zip_is_sent(page, address, tmp_path):
    file = tmp_path / "shapes.zip"
    file.write_bytes(dataset_zip())
    with before(page, "upload.js", address, "#file"):
        page.set_input_files("#file", file)
    page.wait_for_url("**/jobs/*")
    assert page.locator("h1").inner_text() == "shapes"


def test_a_picture_is_tried_and_the_camera_waits(page, address, tmp_path):
    job_id, _ = judging.colours(tmp_path / "data")
    scene = io.BytesIO()
    detector.scene(4, 224, 224, squares=4).save(scene, "PNG")
    picture = {"name": "a.png", "mimeType": "image/png", "buffer": scene.getvalue()}
    with before(page, "try.js", f"{address}/jobs/{job_id}/try", "#picture"):
        page.set_input_files("#picture", picture)
        assert page.locator("#use-camera").is_disabled()
    page.wait_for_selector("#drawn rect")
    assert page.locator("#use-camera").is_enabled()


def test_chosen_pictures_are_counted(page, address, tmp_path):
    job = send_zip(page, address, dataset_zip(), tmp_path)
    with before(page, "data.js", f"{job}/data", ".pick"):
        page.locator(".pick").first.check()
    page.locator("#chosen", has_text="1 chosen").wait_for()
    assert page.locator(".picture.on").count() == 1

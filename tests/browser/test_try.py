"""Chromium drops a picture on the Try it page and moves the sliders.

What the page's script decides is compared with `host.kmodel.region`, box by box.
"""

import io

import colour_detector as detector
import judging
import numpy as np
import pytest
from browser_help import PHONE, fits_the_width, shoot

from host import kmodel
from host.kmodel import region

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

ANCHORS = np.reshape(detector.ANCHORS, (5, 2))


@pytest.fixture
def job(address, tmp_path):
    """The address of a done detector's job, and its kmodel."""
    job_id, model = judging.colours(tmp_path / "data")
    return f"{address}/jobs/{job_id}", model


def decided(raw, threshold, nms):
    """Labels and scores that the firmware reports, best first."""
    found = region.suppress(region.candidates(raw, (7, 7), ANCHORS, threshold), nms)
    told = region.reported(found)
    told = told[np.argsort(-told[:, 5], kind="stable")]
    return [f"{detector.LABELS[int(row[4])]} {100 * row[5]:.1f} %" for row in told]


def slide(page, name, value):
    page.locator(f"#{name}").fill(str(value))


def test_boxes_follow_the_sliders_as_the_firmware_would(page, job):
    place, model = job
    scene = detector.scene(4, 224, 224, squares=4)
    data = io.BytesIO()
    scene.save(data, "PNG")
    raw = kmodel.simulate(model, np.asarray(scene)[None])[0][0]

    page.goto(f"{place}/try")
    page.set_input_files(
        "#picture", {"name": "a.png", "mimeType": "image/png", "buffer": data.getvalue()}
    )
    page.wait_for_selector("#drawn rect")
    counts = set()
    for threshold, nms in ((0.4, 0.3), (0.01, 1), (0.01, 0.3), (0.02, 0), (0.6, 0.5), (0.99, 0.3)):
        slide(page, "threshold", threshold)
        slide(page, "nms", nms)
        wanted = decided(raw, threshold, nms)
        shown = [" ".join(one.split()) for one in page.locator("#list li").all_inner_texts()]
        assert shown == wanted
        assert page.locator("#drawn rect").count() == len(wanted)
        assert page.locator("#full").is_visible() == (len(wanted) > 10)
        assert page.locator("#nothing").is_visible() == (not wanted)
        counts.add(len(wanted))
    assert len(counts) > 3
    slide(page, "threshold", 0.35)
    slide(page, "nms", 0.25)
    shoot(page, "try")
    page.set_viewport_size(PHONE)
    assert fits_the_width(page)
    shoot(page, "try-phone")
    page.set_viewport_size({"width": 1200, "height": 850})

    page.set_input_files(
        "#picture", {"name": "no.png", "mimeType": "image/png", "buffer": b"PK\x03\x04" + bytes(50)}
    )
    page.wait_for_selector("#answer .finding")

    page.locator("#use").click()
    page.wait_for_url("**/jobs/*#values")
    assert "more than 0.35" in page.locator("#region").inner_text()
    assert "more than 0.25" in page.locator("#region").inner_text()
    shoot(page, "try-used")
    page.goto(f"{place}/try?lang=zh")
    assert page.locator("#threshold").input_value() == "0.35"
    shoot(page, "try-zh")

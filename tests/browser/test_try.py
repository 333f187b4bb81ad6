"""Chromium drops a picture on the Try it page and moves the sliders.

What the page's script decides is compared with `host.kmodel.region`, box by box.
"""

import io

import colour_detector as detector
import numpy as np
import pytest
from browser_help import PHONE, fits_the_width, shoot
from host_help import box_zip

from host import kmodel
from host.config import Settings
from host.deploy import package, sdcard
from host.jobs import submit
from host.jobs.spec import JobSpec
from host.jobs.store import Store
from host.kmodel import region

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

ANCHORS = np.reshape(detector.ANCHORS, (5, 2))


@pytest.fixture
def job(address, tmp_path):
    """The address of a done detector's job, and its kmodel."""
    settings = Settings(data=tmp_path / "data")
    store, model = Store(settings.data), detector.network()
    with submit.arriving(store) as (job_id, folder):
        (folder / submit.UPLOAD).write_bytes(box_zip())
        submit.check(store, settings, job_id, "squares.zip")
    (folder / "spec.json").write_text(JobSpec(submit.UPLOAD, "squares").to_json())
    (folder / "m.kmodel").write_bytes(model)
    packed = package.create(
        folder / "package", model, name="squares", labels=detector.LABELS,
        anchors=ANCHORS.tolist(), options=package.BoardOptions(threshold=0.4),
    )  # fmt: skip
    sdcard.build(packed, folder / "sd.zip")
    figures = {"map50": 0.9, "map": 0.5}
    result = {
        "task": "detect", "labels": list(detector.LABELS), "input": [224, 224], "fit": "crop",
        "float": figures, "int8": figures, "anchors": ANCHORS.tolist(), "threshold": 0.4,
        "nms": 0.3, "kmodel": "m.kmodel", "sd_zip": "sd.zip", "kfpkg": "",
        "kmodel_bytes": len(model), "ram_bytes": len(model), "ms": 20.0, "seconds": 1.0,
    }  # fmt: skip
    store.update(job_id, state="done", result=result)
    store.close()
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

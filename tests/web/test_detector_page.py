"""Pages and API of a detector's job: boxes are counted, ordered and shown as such."""

import io
import json
import re
import zipfile

import numpy as np
import pytest
from host_help import box_zip
from PIL import Image

from host.trainer.detect_evaluate import evaluate_detector


@pytest.fixture
def job_id(upload):
    answer = upload(box_zip(), "my shapes.zip")
    assert answer.status_code == 201, answer.json
    return answer.json["id"]


def report(labels, paths, noise):
    """One box a picture is found with `noise` (parts of the picture) beside its place."""
    truth = [np.array([[0.1, 0.2, 0.4, 0.5, n % 2]]) for n, _ in enumerate(paths)]
    found = [np.append(one[0, :4] + noise, [one[0, 4], 0.9])[None] for one in truth]
    return evaluate_detector(found, truth, labels, paths).as_dict()


def finish(here, job_id, noise=0.02, **more):
    folder = here.store.folder(job_id)
    with zipfile.ZipFile(folder / "upload.zip") as archive:
        archive.extractall(folder / "data")
    (folder / "report").mkdir()
    for name in ("thresholds", "precision_recall", "errors", "curves"):
        Image.new("RGB", (40, 20)).save(folder / "report" / f"{name}.png")
    labels, paths = ("circle", "square"), [f"images/{n}.jpg" for n in range(1, 7)]
    exact, moved = report(labels, paths, 0.0), report(labels, paths, noise)
    result = {
        "task": "detect", "labels": list(labels), "input": [224, 224], "fit": "letterbox",
        "float": {"map50": exact["map50"], "map": exact["map"]},
        "int8": {"map50": moved["map50"], "map": moved["map"]},
        "anchors": [[1.0, 1.0]] * 5, "threshold": 0.35, "nms": 0.4, "kmodel": "m.kmodel",
        "sd_zip": "sd.zip", "kmodel_bytes": 1 << 20, "ram_bytes": 1 << 20, "ms": 50.0,
        "kfpkg": "", "seconds": 1.0,
        "report": {"float": exact, "int8": moved, "pictures": "data/maixforge/shapes"}, **more,
    }  # fmt: skip
    here.store.update(job_id, state="done", result=json.loads(json.dumps(result)))
    return result


def test_the_check_counts_boxes(client, job_id):
    assert client.get(f"/api/jobs/{job_id}").json["counts"] == {"circle": 24, "square": 24}
    page = client.get(f"/jobs/{job_id}").text
    assert "24 / 100" in page and "100 boxes" in page and 'data-code="boxes_few"' in page
    for name in ("size", "stride", "fit", "backbone", "seed"):
        assert f'for="{name}"' in page
    assert 'id="canmv"' not in page
    fit = page[page.index('id="fit"') :]
    assert fit.index("letterbox") < fit.index('value="crop"')


def test_the_order_reaches_the_spec(client, token, here, job_id):
    form = {"csrf_token": token, "preset": "fast", "size": "320x240", "stride": "16", "seed": "3"}
    form["backbone"] = "mobilenet_0.5_cut12"
    assert client.post(f"/jobs/{job_id}/start", data=form).status_code == 303
    spec = json.loads((here.store.folder(job_id) / "spec.json").read_text())
    assert (spec["size"], spec["overrides"], spec["fit"]) == (
        [320, 240],
        {"stride": 16},
        "letterbox",
    )
    assert (spec["canmv"], spec["seed"]) == (False, 3)
    assert here.store.get(job_id).options["stride"] == "16"


@pytest.mark.parametrize("form", [{"size": "1x1"}, {"stride": "8"}])
def test_what_the_form_does_not_offer_is_refused(post, job_id, form):
    answer = post(f"/api/jobs/{job_id}/start", data=form)
    assert answer.status_code == 400 and answer.json["findings"][0]["path"] in form


def test_an_order_without_choices_has_the_usual_ones(post, here, job_id):
    assert post(f"/api/jobs/{job_id}/start").status_code == 202
    spec = json.loads((here.store.folder(job_id) / "spec.json").read_text())
    assert (spec["size"], spec["overrides"]) == ([224, 224], {"stride": 32})


def test_the_result_page_has_map_threshold_and_boxes(client, here, job_id):
    result = finish(here, job_id, test={"float": {"map50": 0.71}, "int8": {"map50": 0.69}})
    page = client.get(f"/jobs/{job_id}").text
    assert f"{100 * result['int8']['map50']:.1f} %" in page
    for text in ("more than 0.35", "more than 0.4", "INT8 69.0 %", "AP50", "mAP50-95"):
        assert text in page
    sources = re.findall(r'src="(/jobs/[^"]+)"', page)
    assert len(sources) == 6 + 2
    for source in sources:
        answer = client.get(source)
        assert answer.status_code == 200
        Image.open(io.BytesIO(answer.data)).verify()
    assert f"{100 * result['int8']['map50']:.1f} %" in client.get("/").text


def test_a_loss_of_map_and_wrong_boxes_are_said(client, here, job_id):
    finish(here, job_id, noise=0.12)
    page = client.get(f"/jobs/{job_id}").text
    assert 'data-code="int8_drop_map50"' in page
    assert "1 badly placed" in page
    chinese = client.get(f"/jobs/{job_id}?lang=zh").text
    assert "1 \u4f4d\u7f6e\u4e0d\u51c6" in chinese


@pytest.mark.parametrize("name", ["curves", "layers", "..%2Fspec", "worst", "thresholds"])
def test_no_other_drawing_can_be_named(client, here, job_id, name):
    finish(here, job_id)
    assert client.get(f"/jobs/{job_id}/report/{name}.png").status_code == 404

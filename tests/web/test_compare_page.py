"""Two jobs side by side."""

import re

import pytest
from host_help import box_zip, dataset_zip

BASE = {
    "task": "classify", "labels": ["circle", "square", "triangle"], "kmodel": "m.kmodel",
    "sd_zip": "sd.zip", "kfpkg": "", "kmodel_bytes": 2 << 20, "ram_bytes": 3 << 20, "ms": 40.0,
    "seconds": 90.0, "fit": "crop", "input": [224, 224],
}  # fmt: skip


def fit(needed):
    one = {"name": "MaixPy", "fits": True, "budget": 4 << 20, "needed": needed}
    return [{"id": "minimum", **one}]


def report(recalls):
    classes = [
        {"label": label, "recall": recall, "precision": 1.0, "f1": 1.0, "support": 10}
        for label, recall in zip(BASE["labels"], recalls, strict=True)
    ]
    return {"classes": classes, "worst": []}


@pytest.fixture
def done(upload, here):
    def make(name, data=None, options=None, **result):
        job_id = upload(data or dataset_zip(), f"{name}.zip").json["id"]
        values = {"options": options or {}, "result": {**BASE, **result}}
        here.store.update(job_id, state="done", **values)
        return job_id

    return make


def accuracy(int8):
    return {"int8": {"accuracy": int8}, "float": {"accuracy": 0.95}}


def rows(page):
    """The tables' lines: name -> [(class, text)]."""
    found = {}
    for name, cells in re.findall(r'<tr><th scope="row">([^<]+)</th>(.*?)</tr>', page, re.S):
        each = re.findall(r'<td class="(\w*)">(.*?)</td>', cells, re.S)
        found[name] = [(kind, re.sub(r"<.*", "", text, flags=re.S).strip()) for kind, text in each]
    return found


@pytest.fixture
def pair(done):
    first = done(
        "first", options={"preset": "fast", "seed": 1, "firmware": "minimum"}, **accuracy(0.9),
        report={"int8": report([1, 0.5, 0.75]), "float": report([1, 1, 1])},
        firmware_fit=fit(3 << 20),
    )  # fmt: skip
    second = done(
        "second", options={"preset": "best", "seed": 1, "firmware": "minimum"}, **accuracy(0.94),
        ms=50.0, report={"int8": report([1, 0.75, 0.5]), "float": report([1, 1, 1])},
        firmware_fit=fit(2 << 20), test={"int8": 0.8, "float": 0.81},
    )  # fmt: skip
    return first, second


def test_figures_stand_side_by_side_and_the_better_is_marked(client, pair):
    page = client.get("/compare?a={}&b={}".format(*pair)).text
    found = rows(page)
    assert found["Accuracy, INT8 on the simulated K210"] == [("", "90.0 %"), ("better", "94.0 %")]
    assert found["Accuracy, float"] == [("", "95.0 %"), ("", "95.0 %")]
    assert found["Time of a picture on the board (estimate)"] == [
        ("better", "40 ms"),
        ("", "50 ms"),
    ]
    assert found["Frames per second (estimate)"] == [("better", "25.0"), ("", "20.0")]
    assert found["Memory of the firmware that is used"] == [("", "75.0 %"), ("better", "50.0 %")]
    assert found["Accuracy of held-back data, INT8"] == [("", "–"), ("", "80.0 %")]
    assert found["square"] == [("", "50.0 %"), ("better", "75.0 %")]
    assert found["Effort"] == [("other", "fast"), ("other", "best")]
    assert found["Seed"] == [("", "1"), ("", "1")]
    assert "mAP50, float" not in found and "Overlap (NMS)" not in found
    assert 'lang="zh-CN"' in client.get("/compare?a={}&b={}&lang=zh".format(*pair)).text


def test_a_detector_beside_a_classifier_shows_what_each_has(client, done, pair):
    figures = {"map50": 0.8, "map": 0.4}
    other = done(
        "boxes", box_zip(), task="detect", labels=["circle", "square"], int8=figures,
        float=figures, threshold=0.35, nms=0.4,
    )  # fmt: skip
    found = rows(client.get(f"/compare?a={pair[0]}&b={other}").text)
    assert found["mAP50, INT8 on the simulated K210"] == [("", "–"), ("", "80.0 %")]
    assert found["Accuracy, float"] == [("", "95.0 %"), ("", "–")]
    assert found["Threshold"][1] == ("other", "0.35")


def test_the_form_offers_done_jobs_and_keeps_the_first(client, pair, upload):
    upload(dataset_zip(), "unready.zip")
    page = client.get(f"/compare?a={pair[1]}").text
    assert page.count("<option") == 4 and "unready" not in page
    assert re.findall(r'value="([^"]+)" selected', page) == [pair[1], pair[0]]
    assert '<h2 id="figures' not in page
    assert f'href="/compare?a={pair[0]}"' in client.get(f"/jobs/{pair[0]}").text
    assert 'href="/compare"' in client.get("/").text


def test_jobs_that_are_not_done_or_not_there_are_told(client, upload, pair):
    waiting = upload(dataset_zip()).json["id"]
    assert client.get(f"/compare?a={waiting}&b={pair[0]}").status_code == 409
    assert client.get(f"/compare?a=nobody&b={pair[0]}").status_code == 404
    assert "There must be two" not in client.get("/compare").text


def test_without_jobs_the_page_says_what_is_needed(client):
    assert "There must be two jobs" in client.get("/compare").text
    assert 'href="/compare"' not in client.get("/").text

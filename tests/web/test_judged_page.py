"""From a figure of the result to its pictures."""

import io
import json
import re
import zipfile

import numpy as np
import pytest
from host_help import LABELS, box_zip, dataset_zip
from PIL import Image

from host.jobs import judgements
from host.trainer.detect_evaluate import evaluate_detector
from host.trainer.evaluate import evaluate_classifier

TRUTH = [0, 0, 0, 1, 1, 2]
ANSWERS = [0, 1, 1, 1, 2, 2]


def scores(answers):
    return np.eye(3)[answers] * 0.7 + 0.1


@pytest.fixture
def finish(here):
    """Make a job done with the reports of both models; returns its id."""

    def make(job_id, reports, pictures, **more):
        folder = here.store.folder(job_id)
        with zipfile.ZipFile(folder / "upload.zip") as archive:
            archive.extractall(folder / "data")
        (folder / "report").mkdir()
        (folder / "report" / judgements.NAME).write_bytes(judgements.to_json(reports))
        report = {kind: one.as_dict() for kind, one in reports.items()}
        result = {
            "kmodel": "m.kmodel", "sd_zip": "sd.zip", "kfpkg": "", "kmodel_bytes": 1,
            "ram_bytes": 1, "ms": 1.0, "seconds": 1.0,
            "report": {**report, "pictures": pictures}, **more,
        }  # fmt: skip
        here.store.update(job_id, state="done", result=json.loads(json.dumps(result)))
        return job_id

    return make


@pytest.fixture
def classifier(upload, finish):
    job_id = upload(dataset_zip()).json["id"]
    paths = [f"{LABELS[label]}/{number:03}.jpg" for number, label in enumerate(TRUTH)]
    reports = {
        "int8": evaluate_classifier(scores(ANSWERS), TRUTH, LABELS, paths),
        "float": evaluate_classifier(scores(TRUTH), TRUTH, LABELS, paths),
    }
    figures = {"float": {"accuracy": 1.0}, "int8": {"accuracy": 0.5}}
    return finish(job_id, reports, "data", task="classify", labels=LABELS, **figures)


def links(page, job_id):
    found = re.findall(rf'href="(/jobs/{job_id}/judged/[^"]+)"', page)
    return [one.replace("&amp;", "&") for one in found]


def captions(page):
    return re.findall(r'<code class="path">([^<]+)</code>', page)


def test_each_cell_leads_to_as_many_pictures_as_it_counts(client, classifier):
    page = client.get(f"/jobs/{classifier}").text
    cells = re.findall(rf'<a href="(/jobs/{classifier}/judged/[^"]+)"[^>]*>(\d+)</a>', page)
    assert len(cells) == 5 + 3
    for place, count in cells:
        shown = client.get(place.replace("&amp;", "&")).text
        assert len(captions(shown)) == int(count)


def test_a_cell_shows_its_own_pictures_written_anew(client, classifier):
    page = client.get(f"/jobs/{classifier}/judged/int8?truth=circle&answer=square").text
    assert captions(page) == ["circle/001.jpg", "circle/002.jpg"]
    assert "circle taken for square" in page
    for source in re.findall(r'src="(/jobs/[^"]+\.jpg)"', page):
        answer = client.get(source)
        assert answer.status_code == 200 and answer.content_type == "image/jpeg"
        assert Image.open(io.BytesIO(answer.data)).size == (192, 192)
    assert 'lang="zh-CN"' in client.get(f"/jobs/{classifier}/judged/int8?lang=zh").text


@pytest.mark.parametrize("place", ["int9", "..%2F", "int8/99.jpg", "float/-1.jpg"])
def test_nothing_else_can_be_named(client, classifier, place):
    assert client.get(f"/jobs/{classifier}/judged/{place}").status_code == 404


def test_a_path_out_of_the_job_is_not_followed(client, here, classifier):
    path = here.store.folder(classifier) / "report" / judgements.NAME
    path.write_text(path.read_text().replace("circle/000.jpg", "../../../../etc/passwd"))
    page = client.get(f"/jobs/{classifier}/judged/float").text
    (source,) = re.findall(r'src="(/jobs/[^"]+\.jpg)" [^>]*alt="\.\.', page)
    assert client.get(source).status_code == 404


def test_jobs_of_older_versions_have_plain_numbers(client, here, classifier):
    (here.store.folder(classifier) / "report" / judgements.NAME).unlink()
    page = client.get(f"/jobs/{classifier}")
    assert page.status_code == 200 and links(page.text, classifier) == []
    assert client.get(f"/jobs/{classifier}/judged/int8").status_code == 404


def test_many_pictures_come_by_pages(client, classifier, monkeypatch):
    monkeypatch.setattr("host.web.judged.COUNT", 4)
    first = client.get(f"/jobs/{classifier}/judged/int8").text
    (more,) = [one for one in links(first, classifier) if "after" in one]
    second = client.get(more).text
    assert (len(captions(first)), len(captions(second))) == (4, 2)
    assert not set(captions(first)) & set(captions(second))


def test_a_detectors_errors_lead_to_their_pictures(client, upload, finish):
    job_id = upload(box_zip()).json["id"]
    labels, paths = ("circle", "square"), [f"images/{n}.jpg" for n in range(1, 5)]
    truth = [np.array([[0.1, 0.2, 0.4, 0.5, n % 2]]) for n in range(4)]
    right = [np.append(one[0], 0.9)[None] for one in truth]
    wrong = [right[0], np.empty((0, 6)), right[2], np.array([[0.6, 0.6, 0.9, 0.9, 1, 0.9]])]
    reports = {
        "int8": evaluate_detector(wrong, truth, labels, paths, 0.5),
        "float": evaluate_detector(right, truth, labels, paths, 0.5),
    }
    figures = {"map50": 0.5, "map": 0.5}
    finish(
        job_id, reports, "data/maixforge/shapes", task="detect", labels=labels, float=figures,
        int8=figures, input=[224, 224], fit="letterbox", threshold=0.5, nms=0.3,
        anchors=[[1, 1]] * 5,
    )  # fmt: skip
    page = client.get(f"/jobs/{job_id}").text
    shown = {}
    for place in links(page, job_id):
        shown[place.rpartition("/")[2]] = captions(client.get(place).text)
    assert sorted(shown["int8?error=missed"]) == ["images/2.jpg", "images/4.jpg"]
    assert shown["int8?error=false"] == ["images/4.jpg"]
    assert len(shown["int8"]) == len(shown["float"]) == 4
    assert not any("float?error" in one for one in shown)
    answer = client.get(f"/jobs/{job_id}/judged/int8/0.jpg")
    assert Image.open(io.BytesIO(answer.data)).size == (336, 336)

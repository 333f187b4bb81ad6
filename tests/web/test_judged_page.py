"""From a figure of the result to its pictures."""

import io
import json
import re

import judging
import numpy as np
import pytest
from host_help import LABELS, dataset_zip
from PIL import Image

from host.jobs import judgements
from host.trainer.detect_evaluate import evaluate_detector
from host.trainer.evaluate import evaluate_classifier

TRUTH = [0, 0, 0, 1, 1, 2]
ANSWERS = [0, 1, 1, 1, 2, 2]


def scores(answers):
    return np.eye(3)[answers] * 0.7 + 0.1


@pytest.fixture
def classifier(upload, here):
    job_id = upload(dataset_zip()).json["id"]
    paths = [f"{LABELS[label]}/{number:03}.jpg" for number, label in enumerate(TRUTH)]
    reports = {
        "int8": evaluate_classifier(scores(ANSWERS), TRUTH, LABELS, paths),
        "float": evaluate_classifier(scores(TRUTH), TRUTH, LABELS, paths),
    }
    return judging.finish(
        here.store, job_id, reports, "data", task="classify", labels=LABELS,
        float={"accuracy": 1.0}, int8={"accuracy": 0.5},
    )  # fmt: skip


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


@pytest.fixture
def finish_detector(here):
    """Make a detector's job done with these boxes of both models; returns its id and reports."""

    def make(found, truth):
        reports = judging.judge(found, truth)
        return judging.detector(here.store, here.settings, reports), reports

    return make


def test_a_detectors_errors_lead_to_their_pictures(client, finish_detector):
    truth = [np.array([[0.1, 0.2, 0.4, 0.5, n % 2]]) for n in range(4)]
    right = [np.append(one[0], 0.9)[None] for one in truth]
    wrong = [right[0], np.empty((0, 6)), right[2], np.array([[0.6, 0.6, 0.9, 0.9, 1, 0.9]])]
    job_id, _ = finish_detector([wrong, right], truth)
    page = client.get(f"/jobs/{job_id}").text
    shown = {}
    for place in links(page, job_id):
        if "threshold" in place:
            continue
        shown[place.rpartition("/")[2]] = captions(client.get(place).text)
    assert sorted(shown["int8?error=missed"]) == ["images/2.jpg", "images/4.jpg"]
    assert shown["int8?error=false"] == ["images/4.jpg"]
    assert len(shown["int8"]) == len(shown["float"]) == 4
    assert not any("float?error" in one for one in shown)
    answer = client.get(f"/jobs/{job_id}/judged/int8/0.jpg")
    assert Image.open(io.BytesIO(answer.data)).size == (336, 336)


def tabs(page):
    """What is counted above the pictures, by kind."""
    found = re.findall(r'error=(\w+)[^>]*>[^<]+<span class="count">(\d+)</span>', page)
    return {kind: int(count) for kind, count in found}


def test_each_point_of_the_curves_leads_to_the_boxes_of_its_threshold(client, finish_detector):
    (found, truth), (other, _) = judging.noisy(1), judging.noisy(2)
    job_id, reports = finish_detector([found, other], truth)
    page = client.get(f"/jobs/{job_id}").text
    points = [one for one in links(page, job_id) if "threshold=" in one]
    # Both drawings have them, and so has the table, for keys and readers.
    assert {points.count(one) for one in points} == {3} and len(points) == 2 * 3 * 49
    for place in sorted(set(points))[:: len(set(points)) // 12]:
        kind, value = re.search(r"judged/(\w+)\?threshold=([\d.]+)$", place).groups()
        report = reports[kind]
        again = evaluate_detector(
            [found, other][kind == "float"], truth, report.labels, report.paths, float(value)
        )
        shown = client.get(place).text
        assert tabs(shown) == {name: n for name, n in again.errors.items() if n}
        assert captions(shown) == [one.path for one in again.worst]
        for name in ("precision", "recall", "f1"):
            assert f"{100 * getattr(again, name):.1f} %" in shown
        for error in tabs(shown):
            wanted = [one.path for one in again.worst if error in {box.kind for box in one.marks}]
            assert captions(client.get(f"{place}&error={error}").text) == wanted


def test_pictures_show_the_boxes_of_their_threshold(client, here, finish_detector):
    found, truth = judging.noisy(3)
    job_id, _ = finish_detector([found, truth_as_found(truth)], truth)
    place = f"/jobs/{job_id}/judged/int8/3.jpg"
    usual, low, high = (
        client.get(place + query).data for query in ("", "?threshold=0.05", "?threshold=0.95")
    )
    assert len({usual, low, high}) == 3
    assert client.get(place + "?threshold=0.5").data == usual
    kept = [one.name for one in (here.store.folder(job_id) / "thumbnails").iterdir()]
    assert kept == ["int8-3.jpg"]
    assert f"{place}?threshold=0.05" in client.get(f"/jobs/{job_id}/judged/int8?threshold=.05").text


def truth_as_found(truth):
    return [np.column_stack([one, np.full(len(one), 0.9)]) for one in truth]


@pytest.mark.parametrize("text", ["0", "1", "nan", "-0.5", "x", "1e999", "0.5;", "\0"])
def test_a_threshold_that_cannot_be_is_refused(client, classifier, text):
    answer = client.get(f"/jobs/{classifier}/judged/int8", query_string={"threshold": text})
    assert answer.status_code == 400 and 'data-code="option_invalid"' in answer.text


def test_of_very_many_boxes_the_surest_are_kept(client, finish_detector, monkeypatch):
    monkeypatch.setattr(judgements, "KEPT", 60)
    found, truth = judging.noisy(4)
    job_id, reports = finish_detector([found, found], truth)
    scores = sorted(np.concatenate(found)[:, 5], reverse=True)
    least = int(np.ceil(100 * scores[60])) / 100
    page = client.get(f"/jobs/{job_id}").text
    asked = {float(one.rpartition("=")[2]) for one in links(page, job_id) if "threshold=" in one}
    assert min(asked) in (least, round(least + 0.01, 2))
    again = evaluate_detector(found, truth, ("circle", "square"), reports["int8"].paths, least)
    shown = client.get(f"/jobs/{job_id}/judged/int8?threshold={least}").text
    assert tabs(shown) == {name: n for name, n in again.errors.items() if n}
    below = client.get(f"/jobs/{job_id}/judged/int8?threshold={least - 0.01}")
    assert below.status_code == 400


def test_a_detector_of_an_older_version_is_shown_at_its_own_threshold(
    client, here, finish_detector
):
    found, truth = judging.noisy(5)
    job_id, reports = finish_detector([found, found], truth)
    old = {kind: [one.as_dict() for one in report.worst] for kind, report in reports.items()}
    path = here.store.folder(job_id) / "report" / judgements.NAME
    path.write_text(json.dumps(old))
    page = client.get(f"/jobs/{job_id}")
    assert page.status_code == 200 and "threshold=" not in "".join(links(page.text, job_id))
    shown = client.get(f"/jobs/{job_id}/judged/int8?threshold=0.9").text
    assert captions(shown) == [one.path for one in reports["int8"].worst]
    assert 'id="threshold"' not in shown


def test_how_sure_a_classifier_is_leads_to_pictures(client, classifier):
    page = client.get(f"/jobs/{classifier}").text
    point = f"/jobs/{classifier}/judged/int8?threshold="
    assert page.count(f'"{point}0.78"') == 3
    shown = client.get(f"{point}0.78").text  # all score 0.8, about
    assert tabs(shown) == {"right": 3, "wrong": 3} and "100.0 % are answered, 50.0 %" in shown
    shown = client.get(f"{point}0.82").text
    assert tabs(shown) == {"unsure": 6} and "0.0 % are answered, 100.0 %" in shown
    assert len(captions(client.get(f"{point}0.78&error=wrong").text)) == 3
    cell = client.get(f"{point}0.78&truth=circle&answer=square").text
    assert tabs(cell) == {"wrong": 2}
    assert "不确定" in client.get(f"{point}0.82&lang=zh").text

"""What a training will take, told before it starts; and every setting of it."""

import json
import re
from dataclasses import fields

import pytest
from host_help import box_zip, dataset_zip

from host.jobs import duration
from host.jobs.knobs import ELSEWHERE, knobs
from host.jobs.spec import JobSpec
from host.trainer.detect_options import DetectAugmentation, DetectOptions, detect_options_for
from host.trainer.options import Augmentation, TrainOptions, options_for
from host.web import knobs as page_knobs
from host.web.forms import JobForm

SMALL = {"backbone": "mobilenet_0.25_cut6"}


@pytest.fixture(params=["classify", "detect"])
def job(request, upload):
    """The number of a checked job, and its task."""
    data = dataset_zip() if request.param == "classify" else box_zip()
    return upload(data).json["id"], request.param


@pytest.fixture(autouse=True)
def slow_probe(monkeypatch):
    monkeypatch.setattr(duration, "PROBE_SECONDS", 0.001)


def test_every_field_of_the_trainers_is_a_setting(app):
    kinds = {
        "classify": (TrainOptions, Augmentation),
        "detect": (DetectOptions, DetectAugmentation),
    }
    with app.test_request_context():
        helps = page_knobs.helps()
    for task, classes in kinds.items():
        names = {each.name for kind in classes for each in fields(kind)} - set(ELSEWHERE)
        assert {one.name for one in knobs(task)} == names
        assert names <= helps.keys() and not names & vars(JobForm).keys()
    assert helps.keys() == {one.name for task in kinds for one in knobs(task)}


def test_the_page_tells_minutes_speed_and_size(client, here, job):
    here.store.update(job[0], options=SMALL)
    page = client.get(f"/jobs/{job[0]}").text
    told = client.get(f"/api/jobs/{job[0]}/expect", query_string=SMALL).json
    for name, one in told["presets"].items():
        row = page[page.index(f'data-preset="{name}"') :]
        assert one["text"] in row[: row.index("</tr>")]
        assert 1 <= one["minutes"][0] <= one["minutes"][1]
    assert told["texts"]["speed"] in page and told["texts"]["size"] in page
    assert told["firmware"]["fits"] and not told["known"] and not told["findings"]
    assert told["frames"] == pytest.approx(1000 / told["ms"], rel=0.01)


def test_what_would_not_fit_is_told_with_what_fits(client, job):
    asked = {"firmware": "full"}
    told = client.get(f"/api/jobs/{job[0]}/expect", query_string=asked).json
    assert not told["firmware"]["fits"] and told["ram_bytes"] > told["firmware"]["budget"]
    assert "mobilenet_1.0_cut" in told["findings"][0]["fix"]


def test_more_of_everything_takes_longer(client, job):
    settings = {**SMALL, "tune_epochs": "400", "tune_total": "1000000"}
    short, long = (
        client.get(f"/api/jobs/{job[0]}/expect", query_string=one).json["presets"]["best"]
        for one in (SMALL, settings)
    )
    assert long["minutes"][1] > short["minutes"][1]


def test_the_form_has_what_was_chosen_before(client, here, job):
    here.store.update(job[0], options={**SMALL, "seed": 7})
    [field] = re.findall(r'<input[^>]* name="seed"[^>]*>', client.get(f"/jobs/{job[0]}").text)
    assert 'value="7"' in field


@pytest.mark.parametrize(
    "options",
    [{"size": "abc"}, {"batch": "many"}, {"seed": "x"}, {"firmware": "gone"}, {"preset": ["a"]}],
)
def test_a_row_with_a_stranger_s_choices_has_its_page(client, here, job, options):
    """A project from another host, or a firmware that is gone."""
    here.store.update(job[0], options=options)
    answer = client.get(f"/jobs/{job[0]}")
    assert answer.status_code == 200
    assert not re.search(r'id="expected-wrong"[^>]* hidden', answer.text)


@pytest.mark.parametrize("name", ["machine_code", "mail", "seal"])
def test_no_secret_is_taken_from_an_address(client, job, name):
    answer = client.get(f"/api/jobs/{job[0]}/expect", query_string={name: "sesame"})
    assert (answer.status_code, answer.json["error"]) == (400, "option_unknown")
    assert "sesame" not in answer.text


def test_jobs_that_were_done_here_set_the_pace(here, upload, client):
    job_id = upload(dataset_zip()).json["id"]
    options = options_for("fast", backbone="mobilenet_0.25_cut6")
    work = duration.work(options, 120, 3)
    spec = JobSpec("upload.zip", preset="fast", backbone="mobilenet_0.25_cut6")
    (here.store.folder(job_id) / "spec.json").write_text(spec.to_json())
    curves = [{"stage": "head"}] * 30 + [{"stage": "tune"}] * 5  # it stopped early
    result = {"seconds": 7 * work.seconds(5), "curves": curves}
    here.store.update(job_id, state="done", result=result)
    assert duration.pace(here.store) == duration.Pace(pytest.approx(7), True)
    other = upload(dataset_zip((41, 40, 40))).json["id"]
    assert client.get(f"/api/jobs/{other}/expect", query_string=SMALL).json["known"]


def test_the_speed_is_probed_once_and_not_while_a_job_runs(here, upload, monkeypatch):
    job_id = upload(dataset_zip()).json["id"]
    here.store.update(job_id, state="running")
    duration.pace(here.store)
    assert not (here.store.data / duration.SPEED_FILE).exists()
    here.store.update(job_id, state="checked")
    first = duration.pace(here.store)
    monkeypatch.setattr(duration, "probe", None)
    assert duration.pace(here.store).factor == pytest.approx(first.factor, rel=0.01)


def test_a_span_is_no_false_precision():
    work = duration.Work(600, 60, 40, 10)
    assert duration.minutes(work, duration.Pace(1, True)) == (28, 65)
    assert duration.minutes(work, duration.Pace(0.001, True)) == (1, 1)


def test_settings_reach_the_order_and_the_page(client, post, here, job):
    job_id, task = job
    given = {"tune_epochs": 3, "flip_vertical": True, "brightness": "0.5", "views": "2"}
    if task == "detect":
        del given["views"]
    assert post(f"/api/jobs/{job_id}/start", json=given).status_code == 202
    spec = json.loads((here.store.folder(job_id) / "spec.json").read_text())
    wanted = {**given, "brightness": 0.5} | ({"views": 2} if task == "classify" else {"stride": 32})
    assert spec["overrides"] == wanted
    choose = detect_options_for if task == "detect" else options_for
    options = choose("balanced", **JobSpec(**spec).choices())
    assert options.tune_epochs == 3 and options.augmentation.flip_vertical
    kept = here.store.get(job_id).options
    assert kept["tune_epochs"] == 3 and "head_epochs" not in kept
    here.store.update(job_id, state="checked")
    page = client.get(f"/jobs/{job_id}").text
    assert re.search(r'name="tune_epochs"[^>]*value="3"', page)
    assert re.search(r'name="head_epochs"[^>]*value=""', page)


@pytest.mark.parametrize(
    ("name", "value", "needed"),
    [
        ("tune_epochs", "many", "a whole number"),
        ("tune_epochs", "2.5", "a whole number"),
        ("batch", "1", "2 …"),
        ("brightness", "2", "0 … 1"),
        ("brightness", "NaN", "0 … 1"),
        ("brightness", "1e999", "0 … 1"),
        ("brightness", "9" * 400, "0 … 1"),
        ("flip_vertical", "perhaps", "true, false"),
    ],
)
def test_a_wrong_setting_is_named(post, job, name, value, needed):
    answer = post(f"/api/jobs/{job[0]}/start", data={name: value})
    finding = answer.json["findings"][0]
    assert (answer.status_code, finding["path"], finding["found"]) == (400, name, value[:80])
    assert needed in finding["needed"]


def test_options_that_no_training_has_together_are_refused_at_once(post, here, job):
    answer = post(f"/api/jobs/{job[0]}/start", data={"size": "320x240"})
    assert answer.status_code == 422 and answer.json["error"].endswith(("impossible", "memory"))
    assert here.store.get(job[0]).state == "checked"

import pytest
from host_help import dataset_zip

from host.web import view


@pytest.fixture
def job_id(upload):
    return upload(dataset_zip((60, 40, 41)), "my shapes.zip").json["id"]


def test_home_lists_jobs(client, job_id):
    page = client.get("/").text
    assert "my shapes" in page
    assert "3 classes" in page
    assert f'href="/jobs/{job_id}"' in page


def test_the_check_page_has_bars_and_the_form(client, job_id):
    page = client.get(f"/jobs/{job_id}").text
    for text in ("circle", "60 / 40", "100.0%", 'for="preset"', 'for="backbone"', 'for="firmware"'):
        assert text in page


def test_every_field_has_a_label(client, job_id):
    import re

    page = client.get(f"/jobs/{job_id}").text
    fields = re.findall(r'<(?:input|select)[^>]* id="([^"]+)"', page)
    assert set(fields) >= {"name", "preset", "fit", "backbone", "firmware", "seed"}
    assert set(fields) <= set(re.findall(r'<label[^>]* for="([^"]+)"', page))


def test_starting_and_cancelling_without_scripts(client, token, here, job_id):
    form = {"csrf_token": token, "name": "x", "preset": "fast", "fit": "crop", "seed": "1"}
    answer = client.post(f"/jobs/{job_id}/start", data=form)
    assert (answer.status_code, answer.location) == (303, f"/jobs/{job_id}")
    assert here.store.get(job_id).state == "queued"
    assert "Starts in a moment" in client.get(f"/jobs/{job_id}").text
    client.post(f"/jobs/{job_id}/cancel", data={"csrf_token": token})
    assert "start it again" in client.get(f"/jobs/{job_id}").text
    assert client.post(f"/jobs/{job_id}/delete", data={"csrf_token": token}).status_code == 302
    assert client.get(f"/jobs/{job_id}").status_code == 404


def test_a_failed_job_shows_why_and_can_start_again(client, here, job_id):
    reason = {"code": "job_process_killed", "path": "child.log", "severity": "error"}
    reason["params"] = {"signal": 9, "last": "epoch 3"}
    here.store.update(job_id, state="failed", failure=[reason])
    page = client.get(f"/jobs/{job_id}").text
    assert "epoch 3" in page
    assert "Start training" in page


@pytest.mark.parametrize(
    ("query", "accepts", "language"),
    [
        ("", "de", "en"),
        ("", "zh-CN,zh;q=0.9", "zh-CN"),
        ("?lang=en", "zh-CN", "en"),
        ("?lang=zh", "en", "zh-CN"),
        ("?lang=xx", "en", "en"),
    ],
)
def test_the_language_is_asked_for_or_the_browsers(client, query, accepts, language):
    page = client.get("/" + query, headers={"Accept-Language": accepts}).text
    assert f'<html lang="{language}">' in page


def test_the_language_is_remembered(client):
    client.get("/?lang=zh")
    assert '<html lang="zh-CN">' in client.get("/").text


def test_heat_grows_with_the_share_of_the_row():
    cells = view.matrix([[10, 0], [1, 99]])
    assert [cell.heat for cell in cells[0]] == [9, 0]
    assert [(cell.heat, cell.right) for cell in cells[1]] == [(1, False), (9, True)]


def test_an_empty_row_of_a_matrix_is_cold():
    assert [cell.heat for cell in view.matrix([[0, 0], [0, 3]])[0]] == [0, 0]

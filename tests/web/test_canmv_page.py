"""The CanMV file of a job on its pages: the box to tick, the line of the result, problems."""

import json

import pytest
from host_help import dataset_zip

from host.errors import Finding
from host.jobs.findings import to_json


@pytest.fixture
def job_id(upload):
    return upload(dataset_zip((60, 40, 41)), "my shapes.zip").json["id"]


def order(client, token, job_id, **more):
    form = {"csrf_token": token, "name": "x", "preset": "fast", "fit": "crop", "seed": "1", **more}
    assert client.post(f"/jobs/{job_id}/start", data=form).status_code == 303


@pytest.mark.parametrize("ticked", [True, False])
def test_the_order_says_whether_canmv_is_wanted(client, token, here, job_id, ticked):
    order(client, token, job_id, **({"canmv": "y"} if ticked else {}))
    spec = json.loads((here.store.folder(job_id) / "spec.json").read_text())
    assert spec["canmv"] is ticked


def finish(here, job_id, **more):
    folder = here.store.folder(job_id)
    (folder / "m_v5.kmodel").write_bytes(b"LDMK")
    result = {
        "labels": ["circle", "square", "triangle"], "kmodel": "m.kmodel", "sd_zip": "sd.zip",
        "float": {"accuracy": 0.99}, "int8": {"accuracy": 0.98}, "kmodel_bytes": 1 << 20,
        "ram_bytes": 1 << 20, "ms": 40.0, "kfpkg": "", "seconds": 1.0, **more,
    }  # fmt: skip
    here.store.update(job_id, state="done", result=result)


def test_the_result_page_has_a_line_and_the_file(client, here, job_id):
    made = {"accuracy": 0.875, "pictures": 24, "kmodel": "m_v5.kmodel", "kmodel_bytes": 1 << 19}
    finish(here, job_id, canmv=made)
    page = client.get(f"/jobs/{job_id}").text
    for text in ("87.5 %", "on 24 of these pictures", "0.50 MB", "m_v5.kmodel"):
        assert text in page
    assert client.get(f"/jobs/{job_id}/files/m_v5.kmodel").data == b"LDMK"


def test_a_result_without_canmv_has_neither(client, here, job_id):
    finish(here, job_id)
    assert "CanMV firmware: kmodel" not in client.get(f"/jobs/{job_id}").text
    assert client.get(f"/jobs/{job_id}/files/m_v5.kmodel").status_code == 404


def test_what_nncase_could_not_do_is_a_warning(client, here, job_id):
    why = Finding("nncase_failed", severity="warning", params={"reason": "stopped by SIGSEGV"})
    finish(here, job_id, canmv_problems=to_json([why]))
    page = client.get(f"/jobs/{job_id}").text
    assert 'class="finding warning" data-code="nncase_failed"' in page
    assert "stopped by SIGSEGV" in page

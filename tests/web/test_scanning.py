"""A photograph of a board's screen becomes its machine code, which stays nowhere else."""

import io
import logging

import pytest
from host_help import dataset_zip
from qr_pictures import drawn, jpeg, photo

from host.deploy import machine_code

CODE = machine_code.of_board(bytes(range(32)))
SCREEN = jpeg(photo(drawn(CODE.text)))
WHERE = "/api/machine-code"


@pytest.fixture
def scan(post):
    return lambda data, name="a.jpg": post(WHERE, data={"picture": (io.BytesIO(data), name)})


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_photograph_becomes_the_code_and_stays_nowhere(scan, here, caplog):
    caplog.set_level(logging.DEBUG)
    before = files(here.settings.data)
    answer = scan(SCREEN)
    assert answer.json == {"ok": True, "machine_code": CODE.text}
    assert answer.headers["Cache-Control"] == "no-store"
    assert files(here.settings.data) == before
    assert not any(group in caplog.text for group in CODE.text.split("-"))


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (jpeg(photo(drawn("https://example.org/?x=1"))), 422, "machine_code_scan"),
        (b"MZ" * 99, 422, "try_picture_not_a_picture"),
        (b"", 422, "try_picture_empty"),
    ],
)
def test_what_is_none_is_told(scan, data, status, code):
    answer = scan(data)
    assert (answer.status_code, answer.json["error"]) == (status, code)
    assert "example.org" not in answer.text


def test_no_picture_and_a_foreign_page(post, client, token):
    assert post(WHERE).json["error"] == "try_picture_missing"
    assert client.post(WHERE, data={"picture": (io.BytesIO(SCREEN), "a.jpg")}).status_code == 400
    assert client.get(WHERE).status_code == 405


@pytest.mark.parametrize(("language", "said"), [("en", "Scan its QR code"), ("zh", "扫描二维码")])
def test_the_page_of_a_job_offers_it(client, upload, language, said):
    page = client.get(f"/jobs/{upload(dataset_zip()).json['id']}?lang={language}")
    assert said in page.text and f'data-api="{WHERE}"' in page.text
    assert "camera=(self)" in page.headers["Permissions-Policy"]

"""The mail address in the form and in the API, and what a job's page says of its mail."""

from dataclasses import replace

import pytest
from host_help import dataset_zip, wait_for
from mail_help import PASSWORD, READER, Handler, attachments, mail_server, opened

from host.config import Settings
from host.deploy import machine_code
from host.deploy.board_key import BoardKey
from host.jobs import outbox
from host.jobs import queue as queue_module
from host.jobs.outbox import Outbox
from host.server import create_app

CODE = machine_code.of_board(bytes(range(7, 39)))


@pytest.fixture
def settings(tmp_path):
    return Settings(
        data=tmp_path / "data",
        smtp_host="localhost",
        mail_from="forge@school.example",
        smtp_password=PASSWORD,
    )


@pytest.fixture
def job_id(upload):
    return upload(dataset_zip()).json["id"]


def test_the_form_asks_for_it(client, job_id):
    for lang, text in (("en", "Mail address (optional)"), ("zh", "邮件地址（可不填）")):
        page = client.get(f"/jobs/{job_id}?lang={lang}").text
        assert text in page and 'name="mail"' in page and 'type="email"' in page


def test_the_foot_of_each_page_tells_what_goes_out(client, settings):
    said = "Only results go out, by mail"
    assert said in client.get("/").text
    plain = create_app(replace(settings, smtp_host="", mail_from="")).test_client()
    assert said not in plain.get("/").text and "Everything stays" in plain.get("/").text


def test_an_order_with_an_address(client, post, here, job_id):
    answer = post(f"/api/jobs/{job_id}/start", json={"mail": f" {READER} "})
    assert answer.status_code == 202
    mail = {"to": "t…@school.example", "state": "waiting", "next": None, "findings": []}
    assert answer.json["mail"] == mail
    row = here.store.get(job_id)
    assert (row.mail, row.mail_info["language"]) == (READER, "en")
    assert "mail" not in row.options
    assert READER not in (here.store.folder(job_id) / "spec.json").read_text()
    page = client.get(f"/jobs/{job_id}").text
    assert "A mail to t…@school.example will tell of the end." in page and READER not in page
    assert READER not in client.get("/api/jobs").text


def test_the_language_of_the_page_is_that_of_the_mail(client, token, here, job_id):
    client.get("/?lang=zh")
    client.post(f"/jobs/{job_id}/start", data={"csrf_token": token, "mail": READER, "seed": "0"})
    assert here.store.get(job_id).mail_info["language"] == "zh"


@pytest.mark.parametrize("text", ["nobody", "a@b\r\nBcc: c@d", "a@b, c@d", "a@b" + "c" * 300])
def test_what_is_no_address_is_refused_and_not_repeated(post, here, job_id, text):
    answer = post(f"/api/jobs/{job_id}/start", json={"mail": text})
    assert (answer.status_code, answer.json["error"]) == (400, "option_invalid")
    (finding,) = answer.json["findings"]
    assert finding["path"] == "mail" and finding["found"] == "-"
    assert "nobody" not in answer.text
    assert here.store.get(job_id).state == "checked"


def test_an_order_without_one(post, here, job_id):
    assert post(f"/api/jobs/{job_id}/start", json={}).json["mail"] is None
    assert here.store.get(job_id).mail_state == ""


def ended(here, job_id, state, codes=()):
    info = {"language": "en", "tries": 1, "findings": []}
    info["findings"] = [
        {"code": code, "path": "x:25", "severity": "error", "params": {"reason": "550 no"}}
        for code in codes
    ]
    here.store.update(job_id, state="failed", mail=READER, mail_state=state, mail_info=info)


def test_the_page_says_what_went_wrong_and_sends_again(client, post, token, here, job_id):
    ended(here, job_id, "failed", ["mail_refused"])
    page = client.get(f"/jobs/{job_id}").text
    assert "could not be sent. The job itself is untouched." in page and "550 no" in page
    answer = client.post(f"/jobs/{job_id}/mail", data={"csrf_token": token})
    assert answer.status_code == 303 and here.store.get(job_id).mail_state == "waiting"
    assert post(f"/api/jobs/{job_id}/mail").status_code == 409
    ended(here, job_id, "unsure", ["mail_unsure"])
    assert "may have been sent" in client.get(f"/jobs/{job_id}").text
    again = post(f"/api/jobs/{job_id}/mail")
    assert again.status_code == 202 and again.json["mail"]["state"] == "waiting"


def test_the_password_is_on_no_page(client, here, job_id):
    for path in ("/", f"/jobs/{job_id}", "/api/host", f"/api/jobs/{job_id}", "/api/openapi.json"):
        assert PASSWORD not in client.get(path).text


def test_no_process_of_a_job_gets_the_password(monkeypatch):
    monkeypatch.setenv("MAIXFORGE_SMTP_PASSWORD", PASSWORD)
    monkeypatch.setenv("MAIXFORGE_PORT", "81")
    given = queue_module._environment(2)
    assert PASSWORD not in given.values() and given["MAIXFORGE_PORT"] == "81"


def test_no_code_and_no_key_in_a_mail(client, post, here, job_id, settings):
    here.queue.start()
    order = {"machine_code": CODE.text, "mail": READER}
    assert post(f"/api/jobs/{job_id}/start", json=order).status_code == 202
    wait_for(lambda: here.store.get(job_id).state == "done")
    job = here.store.get(job_id)
    key = BoardKey.of_code(CODE).key
    seal = {"board": job.options["seal"], "board_id": "00" * 6, "strength": "bound",
            "kmx": "package/m.kmx", "kmx_bytes": 1}  # fmt: skip
    here.store.update(job_id, result={**job.result, "seal": seal})
    handler = Handler()
    with mail_server(handler) as given:
        Outbox(here.store, Settings(data=settings.data, **given), "http://x/").send_due()
    (envelope,) = handler.mails
    message = opened(envelope)
    bodies = [part.get_content() for part in message.walk() if not part.is_multipart()]
    said = [envelope.content, *(b if isinstance(b, bytes) else b.encode() for b in bodies)]
    assert job.options["seal"].encode() in said[1]  # the board's name is there, and was found
    assert len(attachments(message)) == 1
    for secret in (bytes.fromhex(key.hex()), key.hex().encode(), CODE.text.encode()):
        for data in said:
            assert secret.lower() not in data.lower()
    plain = CODE.text.replace("-", "").encode().lower()
    assert all(plain not in data.replace(b"-", b"").lower() for data in said)


class TestWithoutAServer:
    @pytest.fixture
    def settings(self, tmp_path):
        return Settings(data=tmp_path / "data")

    def test_no_field_and_no_address(self, client, post, job_id):
        assert 'name="mail"' not in client.get(f"/jobs/{job_id}").text
        answer = post(f"/api/jobs/{job_id}/start", json={"mail": READER})
        assert answer.status_code == 400 and "sends no mails" in answer.text

    def test_the_outbox_does_not_run(self, here):
        box = Outbox(here.store, here.settings, "http://x/")
        box.start()
        assert not box._thread.is_alive()
        box.stop()
        assert outbox.masked(READER) == "t…@school.example"

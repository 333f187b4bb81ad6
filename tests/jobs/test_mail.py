"""Mails about jobs, sent to a real SMTP server: what they say, how they go, what goes wrong."""

import os
import re
from datetime import timedelta
from email.message import EmailMessage

import pytest
import trustme
from jobs.fake_child import result as fake_result
from mail_help import (
    PASSWORD,
    READER,
    SENDER,
    USER,
    Handler,
    attachments,
    mail_server,
    opened,
    texts,
)

from host.config import Settings
from host.errors import Finding, UserError
from host.jobs import findings, mail, outbox, smtp
from host.jobs.outbox import Outbox
from host.jobs.store import now

ADDRESS = "http://127.0.0.1:8080/"
HEADERS = re.compile(r"^(Bcc|X-Evil):", re.MULTILINE | re.IGNORECASE)


@pytest.fixture
def handler():
    return Handler()


@pytest.fixture
def ended(store, add_job):
    """Add a job that has ended and whose mail waits."""

    def add(name="shapes", state="done", language="en", **values):
        job = add_job(name)
        folder = store.folder(job.id)
        if state == "done":
            (folder / "upload.zip").write_bytes(EMPTY_ZIP)
            values = {"result": fake_result(folder, {"source": "upload.zip"}), **values}
        order = outbox.ordered(READER, language)
        times = {"queued": now(), "ended": now()}
        store.update(job.id, state=state, **times, **order, **values)
        return store.get(job.id)

    return add


EMPTY_ZIP = b"PK\x05\x06" + bytes(18)


def send(store, given, address=ADDRESS, times=1, **more):
    """Let the outbox of these settings look once, or more often."""
    settings = Settings(**{**given, **more})
    for _ in range(times):
        Outbox(store, settings, address).send_due()


def state(store, job):
    """Where a job's mail stands, and why."""
    row = store.get(job.id)
    return row.mail_state, [one["code"] for one in row.mail_info["findings"]]


# --- what a mail says --------------------------------------------------------------------------


def test_a_mail_tells_the_figures_and_brings_the_card(store, ended, handler):
    job = ended("Grün & <b>bold</b>")
    with mail_server(handler) as given:
        send(store, given)
    assert state(store, job) == ("sent", [])
    (envelope,) = handler.mails
    assert (envelope.mail_from, envelope.rcpt_tos) == (SENDER, [READER])
    message = opened(envelope)
    assert message["Subject"] == "MaixForge - Grün & <b>bold</b>: the model is ready"
    assert (message["To"], message["Auto-Submitted"]) == (READER, "auto-generated")
    assert message["From"] == f"MaixForge <{SENDER}>"
    plain, html = texts(message)
    for said in ("95.8 %", "96.7 %", "41 ms", "2.10 MB", "circle, square, triangle"):
        assert said in plain and said in html
    link = f"http://127.0.0.1:8080/jobs/{job.id}"
    assert link in plain and f'href="{link}"' in html
    assert "on the computer where MaixForge runs" in plain
    assert "<b>" not in html.replace("&lt;b&gt;", "") and 'lang="en"' in html
    assert "src=" not in html  # nothing that a reader would fetch
    card = store.folder(job.id) / "sd.zip"
    assert attachments(message) == {"Grün & <b>bold</b>-sd.zip": card.read_bytes()}


def test_a_chinese_mail(store, ended, handler):
    ended("形状", language="zh")
    ended("坏", state="failed", language="zh", failure=REASONS)
    with mail_server(handler) as given:
        send(store, given, public_url="https://forge.example.org/maix")
    done, failed = map(opened, handler.mails)
    assert done["Subject"] == "MaixForge - 形状：模型已完成"
    plain, html = texts(done)
    assert "模拟" in plain and "https://forge.example.org/maix/jobs/" in plain
    assert 'lang="zh"' in html and "模拟" in html
    for text in (*texts(failed), str(failed["Subject"])):
        assert re.search("[\u4e00-\u9fff]", text)
    latin = re.findall(r"[A-Za-z]{4,}", re.sub(r"https?://\S+", "", plain))
    assert set(latin) <= {"kmodel", "circle", "square", "triangle", "INT8", "MaixForge"}


REASONS = findings.to_json(
    [Finding("option_invalid", "seed", params={"value": "x", "needed": "a number"})]
)


def test_a_failed_job_says_why(store, ended, handler):
    job = ended(state="failed", failure=REASONS)
    with mail_server(handler) as given:
        send(store, given)
    message = opened(handler.mails[0])
    assert message["Subject"] == "MaixForge - shapes: the training could not be finished"
    for text in texts(message):
        assert "seed has a value that cannot be used" in text
        assert "Choose one of the values that the page offers." in text
        assert f"/jobs/{job.id}" in text
    assert attachments(message) == {}


def test_a_detector_is_told_by_its_map(store, ended):
    job = ended()
    figures = {"map50": 0.913, "map": 0.6}
    job.result = {
        **job.result,
        "task": "detect",
        "float": figures,
        "int8": {**figures, "map50": 0.9},
    }
    plain, _ = texts(mail.compose(job, store.folder(job.id), Settings(mail_from=SENDER), ADDRESS))
    assert "mAP50 on pictures it was not trained on: 90.0 %" in plain


def test_a_large_card_is_not_attached(store, ended, handler):
    size = (store.folder(ended().id) / "sd.zip").stat().st_size
    with mail_server(handler) as given:
        send(store, given, mail_attachment=size - 1)
        ended()
        send(store, given, mail_attachment=size)
    without, with_it = map(opened, handler.mails)
    assert attachments(without) == {} and len(attachments(with_it)) == 1
    assert "can be downloaded from the job's page" in texts(without)[0]


@pytest.mark.parametrize("path", ["../../secret.zip", "/etc/hostname", "missing.zip", "", "."])
def test_only_a_file_of_the_job_is_attached(store, ended, path):
    job = ended()
    (store.data / "secret.zip").write_bytes(b"secret")
    job.result = {**job.result, "sd_zip": path}
    message = mail.compose(job, store.folder(job.id), Settings(mail_from=SENDER), ADDRESS)
    assert attachments(message) == {}


@pytest.mark.parametrize(
    "name", ["a\r\nBcc: b@c.example", "a\nX-Evil: 1\n\nb", "a\u2028Bcc: b", "a\0"]
)
def test_no_name_adds_a_header(store, ended, handler, name):
    job = ended(name)
    with mail_server(handler) as given:
        send(store, given)
    message = opened(handler.mails[0])
    head = handler.mails[0].content.decode().partition("\r\n\r\n")[0]
    assert not HEADERS.search(head) and "Bcc" not in message and "X-Evil" not in message
    assert handler.mails[0].rcpt_tos == [READER]
    assert len(attachments(message)) == 1 and state(store, job) == ("sent", [])


def test_lines_that_begin_with_a_dot_arrive(handler):
    message = EmailMessage()
    message["To"] = READER
    message.set_content(".\n.dotted\nlast\n", cte="7bit")
    with mail_server(handler) as given:
        assert smtp.deliver(Settings(**given), message, lambda: True)
    assert opened(handler.mails[0]).get_content().split() == [".", ".dotted", "last"]


# --- how it goes -------------------------------------------------------------------------------


@pytest.fixture
def authority():
    return trustme.CA()


@pytest.fixture
def trusted(authority, tmp_path):
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)


@pytest.mark.parametrize("tls", ["none", "starttls", "tls"])
@pytest.mark.parametrize("login", [False, True])
def test_every_way_with_and_without_login(
    store, ended, handler, authority, trusted, tls, login, tmp_path
):
    job = ended()
    secret = tmp_path / "password"
    secret.write_text(f"{PASSWORD}\n")
    secret.chmod(0o600)
    who = {"smtp_user": USER, "smtp_password_file": str(secret)} if login else {}
    with mail_server(handler, tls, authority, login) as given:
        send(store, given, smtp_ca=trusted, **who)
        smtp.try_out(Settings(**given, smtp_ca=trusted, **who))
    assert state(store, job) == ("sent", [])
    assert tls == "tls" or handler.encrypted == [tls == "starttls"]
    assert handler.logins == [(USER.encode(), PASSWORD.encode())] * (2 * login)
    assert len(handler.mails) == 1  # trying out sends none


@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_a_certificate_that_nobody_vouches_for(store, ended, handler, authority, tls):
    job = ended()
    with mail_server(handler, tls, authority) as given:
        send(store, given)
    assert state(store, job) == ("failed", ["mail_certificate"]) and not handler.mails


def test_a_certificate_for_another_name(store, ended, handler, authority, trusted):
    job = ended()
    with mail_server(handler, "tls", authority, name="other.example") as given:
        send(store, given, smtp_ca=trusted)
    assert state(store, job) == ("failed", ["mail_certificate"]) and not handler.mails


@pytest.mark.parametrize(("spoken", "asked"), [("none", "starttls"), ("none", "tls")])
def test_nothing_goes_without_the_tls_that_is_set(store, ended, handler, spoken, asked):
    job = ended()
    with mail_server(handler, spoken) as given:
        send(store, given, smtp_security=asked)
    assert state(store, job) == ("failed", ["mail_tls"]) and not handler.mails


def test_a_wrong_password(store, ended, handler):
    job = ended()
    with mail_server(handler, login=True) as given:
        send(store, given, times=3, smtp_user=USER, smtp_password="open barley")
    assert state(store, job) == ("failed", ["mail_login_refused"]) and not handler.mails
    assert {password for _, password in handler.logins} == {b"open barley"}
    told = str(store.get(job.id).mail_info)
    assert "barley" not in told and "535" in told


def test_a_server_without_login(store, ended, handler):
    job = ended()
    with mail_server(handler) as given:
        send(store, given, smtp_user=USER, smtp_password=PASSWORD)
    assert state(store, job)[0] == "failed" and not handler.mails


def test_an_address_that_the_server_does_not_know(store, ended, handler):
    job = ended()
    handler.refused = (READER,)
    with mail_server(handler) as given:
        send(store, given, times=2)
    assert state(store, job) == ("failed", ["mail_refused"])
    told = str(store.get(job.id).mail_info)
    assert "550 5.1.1" in told and READER not in told and "t…@school.example" in told
    assert store.get(job.id).state == "done"  # the job is none the worse


def test_growing_pauses_and_then_no_more(store, ended, handler, monkeypatch):
    job = ended()
    handler.answers = ["451 4.7.1 greylisted, come back later"] * 9
    pauses = []
    with mail_server(handler) as given:
        for _ in range(9):
            send(store, given, times=2)  # before its time it is not tried again
            due = store.get(job.id).mail_next
            if due is None:
                break
            pauses.append(round((due - now()).total_seconds()))
            store.update(job.id, mail_next=now() - timedelta(seconds=1))
    assert pauses == sorted(pauses) == [60, 300, 1800, 7200]
    assert state(store, job) == ("failed", ["mail_put_off"])
    assert len(handler.answers) == 4 and store.get(job.id).mail_info["tries"] == 5


def test_nobody_listens(store, ended, handler):
    job = ended()
    with mail_server(handler) as given:
        pass
    send(store, given)
    assert state(store, job) == ("waiting", ["mail_unreachable"])


def test_gone_in_the_middle_of_a_mail_means_once_more(store, ended, handler):
    job = ended()
    (store.folder(job.id) / "sd.zip").write_bytes(os.urandom(20_000_000))
    handler.hang_up_within = 1
    with mail_server(handler) as given:
        send(store, given, mail_attachment=1 << 30)
        assert state(store, job) == ("waiting", ["mail_unreachable"])
        store.update(job.id, mail_next=None)
        (store.folder(job.id) / "sd.zip").write_bytes(os.urandom(100_000))
        send(store, given, times=2)
    assert state(store, job) == ("sent", []) and len(handler.mails) == 1


@pytest.mark.parametrize("answer", ["hang up", "keep, hang up"])
def test_gone_when_it_had_the_whole_mail_means_nobody_knows(store, ended, handler, answer):
    job = ended()
    handler.answers = [answer]
    with mail_server(handler) as given:
        send(store, given, times=3)
        assert state(store, job) == ("unsure", ["mail_unsure"])
        assert len(handler.mails) == ("keep" in answer)
        outbox.again(store, job.id)  # a person asks for it
        send(store, given, times=2)
    assert state(store, job) == ("sent", [])
    ids = {opened(one)["Message-ID"] for one in handler.mails}
    assert len(ids) == 1  # a reader's program may know that they are the same


def test_two_hosts_send_one_mail(store, ended, handler):
    job = ended()
    with mail_server(handler) as given:
        box = Outbox(store, Settings(**given), ADDRESS)
        old = store.get(job.id)
        box.send_due()
        box._send(old)  # the other host had looked before
    assert len(handler.mails) == 1 and state(store, job) == ("sent", [])


def test_a_job_that_runs_again_has_a_mail_of_its_own(store, ended, handler):
    job = ended()
    with mail_server(handler) as given:
        box = Outbox(store, Settings(**given), ADDRESS)
        old = store.get(job.id)
        store.update(job.id, state="queued", queued=now() + timedelta(seconds=1))
        box._send(old)
        assert not handler.mails and state(store, job) == ("waiting", [])
        store.update(job.id, state="done")
        box.send_due()
    assert len(handler.mails) == 1


def test_a_host_that_died_while_sending(store, ended, handler):
    job = ended()
    store.update(job.id, mail_state="sending", mail_next=now() + timedelta(seconds=60))
    with mail_server(handler) as given:
        send(store, given)
        assert state(store, job) == ("sending", [])
        store.update(job.id, mail_next=now() - timedelta(seconds=1))
        send(store, given, times=2)
    assert state(store, job) == ("unsure", ["mail_unsure"]) and not handler.mails


@pytest.mark.parametrize("ends", ["cancelled", "queued", "running", "paused", "checked"])
def test_only_done_and_failed_jobs_are_told_of(store, ended, handler, ends):
    job = ended()
    store.update(job.id, state=ends)
    with mail_server(handler) as given:
        send(store, given)
    assert not handler.mails and state(store, job) == ("waiting", [])


def test_one_that_cannot_be_made_does_not_stop_the_others(store, ended, handler):
    broken, whole = ended(), ended()
    store.update(broken.id, result={"task": "classify"})
    with mail_server(handler) as given:
        send(store, given)
    assert state(store, broken) == ("failed", ["internal_error"])
    assert state(store, whole) == ("sent", [])


def test_deleted_with_the_job(store, ended, handler):
    job = ended()
    store.remove(job.id)
    with mail_server(handler) as given:
        send(store, given)
    assert not handler.mails
    with pytest.raises(UserError):
        outbox.again(store, job.id)


def test_only_what_was_missed_is_sent_again(store, ended):
    job = ended()
    for where in ("waiting", "sending", "sent"):
        store.update(job.id, mail_state=where)
        with pytest.raises(UserError) as caught:
            outbox.again(store, job.id)
        assert caught.value.code == "mail_not_failed"

"""Settings of the mail server, and addresses that mails may go to."""

import os
from dataclasses import replace

import pytest
from mail_help import SENDER

from host.config import Settings, is_mail_address
from host.errors import UserError
from host.jobs import smtp
from host.jobs.store import Job


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("a@b.example", True),
        ("first.last+tag@sub-1.b.example", True),
        ("root@localhost", True),
        ("", False),
        ("a", False),
        ("@b", False),
        ("a@", False),
        ("a@b\r\nBcc: c@d", False),
        ("a@b\n", False),
        ("a@b, c@d", False),
        ("A <a@b>", False),
        ("a b@c", False),
        ("a..b@c", False),
        ("a@-b", False),
        ("a@b..c", False),
        ("ä@b.example", False),
        ("a@bücher.example", False),
        ("a\0@b", False),
        ("a" * 65 + "@b", False),
        ("a@" + "b" * 64, False),
        ("a@" + ".".join(["b" * 60] * 5), False),
    ],
)
def test_addresses(text, right):
    assert is_mail_address(text) is right


GIVEN = Settings(smtp_host="mail.example", mail_from=SENDER)


def wrong(**values):
    with pytest.raises(UserError) as caught:
        smtp.check(replace(GIVEN, **values))
    return caught.value.code


def test_settings_that_send_no_mail(tmp_path):
    smtp.check(GIVEN)
    smtp.check(Settings(smtp_user="x"))  # no server, no mail
    assert wrong(mail_from="") == "mail_setting_missing"
    assert wrong(smtp_user="x") == "mail_setting_missing"
    assert wrong(smtp_user="x", smtp_password="ä") == "mail_password_odd"
    open_way = {"smtp_user": "x", "smtp_password": "y", "smtp_security": "none"}
    assert wrong(**open_way) == "mail_login_open"
    assert wrong(smtp_ca=str(tmp_path / "none.pem")) == "mail_file_unreadable"
    (tmp_path / "not.pem").write_text("hello")
    assert wrong(smtp_ca=str(tmp_path / "not.pem")) == "mail_file_unreadable"
    assert wrong(smtp_user="x", smtp_password_file=str(tmp_path / "p")) == "mail_file_unreadable"


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX")
def test_a_password_that_others_may_read(tmp_path):
    path = tmp_path / "password"
    path.write_text("open sesame")
    for mode in (0o644, 0o640, 0o604):
        path.chmod(mode)
        assert wrong(smtp_user="x", smtp_password_file=str(path)) == "mail_password_open"
    path.chmod(0o600)
    smtp.check(replace(GIVEN, smtp_user="x", smtp_password_file=str(path)))


def test_the_password_is_not_shown():
    assert "sesame" not in repr(Settings(smtp_password="open sesame"))


def test_an_older_table_gets_the_columns(store):
    names = {column.name for column in Job.__table__.columns}
    assert {"mail", "mail_state", "mail_next", "mail_info"} <= names

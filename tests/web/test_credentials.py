"""The file of the password and the tokens."""

import time

import pytest

from host.errors import UserError
from host.web.credentials import Credentials, LoggedOut

PASSWORD = "a stone in the shoe"


@pytest.fixture
def credentials(settings):
    return Credentials(settings.data)


def test_names_of_tokens(credentials):
    credentials.add_token("laptop")
    for name, code in [("laptop", "token_exists"), (" ", "token_name_wrong"),
                       ("x" * 41, "token_name_wrong"), ("a\nb", "token_name_wrong")]:  # fmt: skip
        with pytest.raises(UserError, match=code):
            credentials.add_token(name)
    with pytest.raises(UserError, match="token_missing"):
        credentials.remove_token("other")


@pytest.mark.parametrize("text", ["short", "x" * 257])
def test_passwords_have_a_length(credentials, text):
    with pytest.raises(UserError, match="password_length"):
        credentials.set_password(text)
    assert not credentials.path.exists()


def test_a_change_is_seen_by_a_running_host(credentials, settings):
    other = Credentials(settings.data)
    assert not other.known()
    credentials.set_password(PASSWORD)
    assert other.known().mark_of(PASSWORD)
    credentials.set_password("")
    assert not other.known()


def test_ended_sessions_are_forgotten_when_their_cookies_are(tmp_path):
    ended = LoggedOut(tmp_path, seconds=0.05)
    ended.add("a")
    time.sleep(0.1)
    ended.add("b")
    again = LoggedOut(tmp_path, seconds=0.05)
    assert "a" not in again and "b" in again
    assert "b" not in (tmp_path / "logged_out.json").read_text().split('"')

"""`maixforge password` and `token`: asked for without echo, printed once, kept as hashes."""

import json
import stat

import pytest
from click.testing import CliRunner

from host.cli import main
from host.web.credentials import Credentials

PASSWORD = "a stone in the shoe"


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("MAIXFORGE_DATA", str(tmp_path / "data"))
    return lambda *words, **rest: CliRunner().invoke(main, words, **rest)


@pytest.fixture
def credentials(tmp_path):
    return Credentials(tmp_path / "data")


def test_a_password_is_asked_for_twice_and_not_shown(run, credentials):
    done = run("password", input=f"{PASSWORD}\n{PASSWORD}\n")
    assert done.exit_code == 0
    assert PASSWORD not in done.output
    assert credentials.known().mark_of(PASSWORD)
    assert stat.S_IMODE(credentials.path.stat().st_mode) == 0o600
    assert run("password", input=f"{PASSWORD}\nother\n\n").exit_code == 1
    assert credentials.known().mark_of(PASSWORD)


@pytest.mark.parametrize(("language", "text"), [("en", "7 characters"), ("zh", "7 个字符")])
def test_a_short_one_is_refused(run, credentials, language, text):
    done = run("--lang", language, "password", input="seven77\nseven77\n")
    assert done.exit_code == 1
    assert text in done.output
    assert not credentials.known()


def test_it_can_be_taken_away(run, credentials):
    credentials.set_password(PASSWORD)
    assert run("password", "--remove").exit_code == 0
    assert not credentials.known()


def test_a_token_is_printed_once(run, credentials):
    token = run("token", "laptop").stdout.strip()
    assert credentials.known().token(token).name == "laptop"
    listed = run("token", "--json")
    assert [one["name"] for one in json.loads(listed.stdout)["tokens"]] == ["laptop"]
    assert token not in listed.output
    assert run("token", "laptop").exit_code == 1
    assert run("token", "laptop", "--remove").exit_code == 0
    assert credentials.known().token(token) is None
    assert "token_missing" in run("token", "laptop", "--remove").output


def test_serving_others_needs_one(run, monkeypatch):
    monkeypatch.setenv("MAIXFORGE_HOST", "0.0.0.0")
    done = run("serve")
    assert done.exit_code == 1
    assert "host_needs_password" in done.output
    assert "host_not_encrypted" in done.output

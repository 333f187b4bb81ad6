"""Where `maixforge --host` has its token from: a variable, or a file that nobody else reads."""

import os
import stat

import pytest

from host.cli import main
from host.errors import UserError
from host.remote import token_for


def test_the_file_of_tokens(tmp_path):
    path = tmp_path / "tokens"
    path.write_text("# mine\nhttp://10.0.0.5:8080/ mf_a\n\nhttps://forge.example mf_b\n")
    path.chmod(0o600)
    asked = {"MAIXFORGE_TOKEN_FILE": str(path)}
    assert token_for("http://10.0.0.5:8080", asked) == "mf_a"
    assert token_for("https://forge.example", asked) == "mf_b"
    assert token_for("http://forge.example", asked) == ""  # it is meant for https only
    assert token_for("http://forge.example", {**asked, "MAIXFORGE_TOKEN": "mf_c"}) == "mf_c"


def test_the_usual_file(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert token_for("http://x", {}) == ""
    (tmp_path / "maixforge").mkdir()
    path = tmp_path / "maixforge" / "tokens"
    path.write_text("http://x mf_a\n")
    path.chmod(0o600)
    assert token_for("http://x", {}) == "mf_a"


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
def test_a_file_that_others_read_is_refused(tmp_path):
    path = tmp_path / "tokens"
    path.write_text("http://x mf_a\n")
    path.chmod(0o640)
    with pytest.raises(UserError, match="token_file_open") as caught:
        token_for("http://x", {"MAIXFORGE_TOKEN_FILE": str(path)})
    assert "mf_a" not in str(caught.value)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.parametrize("text", ["mf_a", "http://x mf_a mf_b", "x mf_a"])
def test_a_file_of_another_shape_is_refused_without_showing_it(tmp_path, text):
    path = tmp_path / "tokens"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(UserError) as caught:
        token_for("http://x", {"MAIXFORGE_TOKEN_FILE": str(path)})
    assert caught.value.code in ("token_file_wrong", "remote_address_wrong")
    assert "mf_a" not in str(caught.value)
    with pytest.raises(UserError, match="token_file_wrong"):
        token_for("http://x", {"MAIXFORGE_TOKEN_FILE": str(tmp_path / "none")})


def test_no_option_takes_a_token():
    for one in [main, *main.commands.values()]:
        assert not [p for p in one.params if "--token" in p.opts or "--password" in p.opts]

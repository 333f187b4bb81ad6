import re
from dataclasses import fields

import pytest

from host import config
from host.config import Settings
from host.errors import UserError


def rows(root):
    text = (root / "docs" / "settings.md").read_text("utf-8")
    lines = re.findall(r"^\| ([a-z_]+) \| (.*) \|$", text, re.M)
    return {name: rest.split(" | ") for name, rest in lines if name != "setting"}


def test_every_setting_is_documented_and_nothing_else(root):
    expected = {}
    for one in fields(Settings):
        about = one.metadata
        shown = str(one.default) or "(empty)"
        variable = f"`MAIXFORGE_{one.name.upper()}`"
        expected[one.name] = [variable, shown, about["unit"], about["help"]]
    assert rows(root) == expected


def test_defaults_need_no_environment():
    settings = config.load({})
    assert (settings.host, settings.port, str(settings.data)) == ("127.0.0.1", 8080, "data")


def test_variable_wins_over_file(tmp_path):
    file = tmp_path / "m.toml"
    file.write_text('port = 9000\nimages_min = 20\ndata = "d"\n')
    settings = config.load({"MAIXFORGE_CONFIG": str(file), "MAIXFORGE_PORT": "9001"})
    assert (settings.port, settings.images_min) == (9001, 20)
    assert settings.data == tmp_path / "d"


@pytest.mark.parametrize(
    ("environment", "code"),
    [
        ({"MAIXFORGE_PROT": "80"}, "setting_unknown"),
        ({"MAIXFORGE_PORT": "eighty"}, "setting_invalid"),
        ({"MAIXFORGE_PORT": "70000"}, "setting_invalid"),
        ({"MAIXFORGE_IMAGES_MIN": "0"}, "setting_invalid"),
        ({"MAIXFORGE_LANG": "xx"}, "setting_invalid"),
        ({"MAIXFORGE_DATA": " "}, "setting_invalid"),
        ({"MAIXFORGE_CONFIG": "/nowhere/m.toml"}, "settings_unreadable"),
        ({"MAIXFORGE_HTTPS": "maybe"}, "setting_invalid"),
        ({"MAIXFORGE_LOGIN_TRIES": "0"}, "setting_invalid"),
        ({"MAIXFORGE_SMTP_SECURITY": "ssl"}, "setting_invalid"),
        ({"MAIXFORGE_MAIL_FROM": "A <a@b>"}, "setting_invalid"),
        ({"MAIXFORGE_PUBLIC_URL": "forge.example.org"}, "setting_invalid"),
        ({"MAIXFORGE_PUBLIC_URL": "javascript:alert(1)"}, "setting_invalid"),
        ({"MAIXFORGE_PUBLIC_URL": "https://a/<b>"}, "setting_invalid"),
    ],
)
def test_bad_settings_are_refused_with_their_reason(environment, code):
    with pytest.raises(UserError) as caught:
        config.load(environment)
    assert caught.value.code == code
    assert caught.value.findings[0].text("fix")


@pytest.mark.parametrize("text", ["port = ", "prot = 1", "port = true", "data = 3"])
def test_bad_files_are_refused(tmp_path, text):
    file = tmp_path / "m.toml"
    file.write_text(text)
    with pytest.raises(UserError):
        config.load({"MAIXFORGE_CONFIG": str(file)})


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1.2.3", "::1"])
def test_this_computer_is_known(host):
    assert config.is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", ""])
def test_others_are_none_of_this_computer(host):
    assert not config.is_loopback(host)


@pytest.mark.parametrize(("text", "value"), [("true", True), ("1", True), ("False", False)])
def test_yes_and_no(tmp_path, text, value):
    assert config.load({"MAIXFORGE_HTTPS": text}).https is value
    file = tmp_path / "m.toml"
    file.write_text(f"https = {str(value).lower()}\n")
    assert config.load({"MAIXFORGE_CONFIG": str(file)}).https is value


def test_a_password_is_in_no_settings_file(tmp_path):
    file = tmp_path / "m.toml"
    file.write_text('smtp_password = "open sesame"\n')
    with pytest.raises(UserError) as caught:
        config.load({"MAIXFORGE_CONFIG": str(file)})
    assert caught.value.code == "setting_secret" and "sesame" not in str(caught.value)
    settings = config.load({"MAIXFORGE_SMTP_PASSWORD": "open sesame"})
    assert settings.smtp_password == "open sesame" and "sesame" not in repr(settings)
    file.write_text('smtp_password_file = "password"\nsmtp_ca = "ca.pem"\n')
    settings = config.load({"MAIXFORGE_CONFIG": str(file)})
    assert settings.smtp_password_file == str(tmp_path / "password")
    assert settings.smtp_ca == str(tmp_path / "ca.pem")

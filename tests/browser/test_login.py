"""A host with a password in a real Chromium: by keyboard only, in both languages, with a drop."""

import pytest
from browser_help import PHONE, fits_the_width, shoot, type_into
from host_help import dataset_zip

from host.web.credentials import Credentials

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
PASSWORD = "a stone in the shoe"


@pytest.fixture
def shut(address, tmp_path):
    """The address of a host whose password is set."""
    Credentials(tmp_path / "data").set_password(PASSWORD)
    return address


def enter(page, text):
    type_into(page, "#password", text)
    with page.expect_navigation():
        page.keyboard.press("Enter")


@pytest.mark.parametrize(
    ("lang", "wrong", "out"),
    [("en", "That is not the password.", "Log out"), ("zh", "密码不对。", "退出登录")],
)
def test_in_and_out_by_keyboard(shut, page, tmp_path, lang, wrong, out):
    page.goto(f"{shut}/collector?lang={lang}")
    assert "/login?next=" in page.url
    enter(page, "a guess")
    assert wrong in page.get_by_role("alert").inner_text()
    shoot(page, f"login-{lang}")
    page.set_viewport_size(PHONE)
    assert fits_the_width(page)
    shoot(page, f"login-phone-{lang}")
    page.focus("#password")
    enter(page, PASSWORD)
    assert "/collector" in page.url
    assert fits_the_width(page)

    page.goto(shut)
    data = tmp_path / "shapes.zip"
    data.write_bytes(dataset_zip())
    page.set_input_files("#file", data)
    page.wait_for_url("**/jobs/*")
    page.get_by_role("button", name=out).focus()
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert page.url.endswith("/login")
    page.go_back()
    page.reload()
    assert "/login" in page.url


def test_an_upload_after_the_session_ran_out_says_so(shut, page, tmp_path):
    page.goto(shut)
    enter(page, PASSWORD)
    Credentials(tmp_path / "data").set_password("another one entirely")
    data = tmp_path / "shapes.zip"
    data.write_bytes(dataset_zip())
    page.set_input_files("#file", data)
    page.get_by_text("This needs a login.").wait_for()

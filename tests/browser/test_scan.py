"""Chromium's fake camera films a board's screen: the machine code is scanned, not typed."""

import judging
import pytest
from browser_help import PHONE, chromium, fits_the_width, send_zip, shoot
from host_help import dataset_zip
from qr_pictures import drawn, jpeg, photo

from host.deploy import machine_code
from host.deploy.board_key import BoardKey
from host.deploy.key_store import KeyStore

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

CODE = machine_code.of_board(bytes(range(32)))
SIZE = 640, 480


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """One whose camera sees a QR code, and whose pages may use it."""
    film = tmp_path_factory.mktemp("video") / "board.mjpeg"
    film.write_bytes(20 * jpeg(photo(drawn(CODE.text), size=SIZE, turn=12)))
    more = ("--use-fake-ui-for-media-stream", f"--use-file-for-fake-video-capture={film}")
    with chromium(*more) as opened:
        yield opened


@pytest.fixture
def job(page, address, tmp_path):
    return send_zip(page, address, dataset_zip(), tmp_path, "slow")


def told(page, text):
    page.locator("#scan-said", has_text=text).wait_for()


def test_a_board_is_scanned_and_the_job_sealed_for_it(page, job, tmp_path):
    page.locator("#seal-fields summary").click()
    page.locator("#scan-start").click()
    page.wait_for_function("() => document.getElementById('machine_code').value")
    assert page.locator("#machine_code").input_value() == CODE.text
    told(page, "was read")
    assert page.locator("#scan-view").is_hidden()
    assert page.evaluate("document.getElementById('scan-video').srcObject") is None
    assert page.evaluate("document.activeElement.id") == "machine_code"
    shoot(page, "scan-read")
    page.get_by_role("button", name="Start training").click()
    page.wait_for_selector('#live[data-state="running"]')  # a slow one, so there it stays
    assert CODE.text not in page.content() and CODE.text not in page.url
    [entry] = KeyStore(tmp_path / "data").entries()
    assert entry.key == BoardKey.of_code(CODE)


def test_a_done_job_is_sealed_for_a_board_that_is_scanned(page, address, tmp_path):
    job_id, _ = judging.colours(tmp_path / "data")
    page.goto(f"{address}/jobs/{job_id}/deploy")
    page.locator("#seal-fields summary").click()
    page.locator("#scan-start").click()
    told(page, "was read")
    page.get_by_role("button", name="Pack for this board").click()
    page.locator("#made-for", has_text="sealed for board").wait_for()
    assert page.locator('a[href$="/m.kmx"]').is_visible()
    shoot(page, "scan-deploy")


def test_it_looks_until_there_is_a_code_or_it_is_stopped(page, job):
    nothing = {
        "ok": False, "error": "machine_code_scan",
        "findings": [{"what": "None here.", "fix": "Go nearer."}],
    }  # fmt: skip
    asked = []

    def answer(route):
        asked.append(route)
        route.fulfill(status=422, json=nothing)

    page.route("**/api/machine-code", answer)
    page.locator("#seal-fields summary").click()
    page.locator("#scan-start").click()
    told(page, "in front of the camera")
    page.set_viewport_size(PHONE)
    assert fits_the_width(page)
    while len(asked) < 2:
        page.wait_for_timeout(100)
    shoot(page, "scan-phone")
    page.locator("#scan-stop").click()
    assert page.evaluate("document.activeElement.id") == "scan-start"
    assert page.locator("#scan-view").is_hidden()
    page.wait_for_timeout(1500)
    sent = len(asked)
    page.wait_for_timeout(800)
    assert len(asked) == sent
    assert page.locator("#machine_code").input_value() == ""


@pytest.mark.parametrize(("language", "read"), [("en", "was read"), ("zh", "已读出")])
def test_a_photo_does_as_well(page, job, language, read):
    page.goto(f"{job}?lang={language}")
    page.locator("#seal-fields summary").click()
    shown = {"name": "screen.jpg", "mimeType": "image/jpeg"}
    page.set_input_files("#scan-file", {**shown, "buffer": jpeg(photo(drawn("no code")))})
    page.locator("#scan-said.text-danger").wait_for()
    assert page.locator("#machine_code").input_value() == ""
    page.set_input_files("#scan-file", {**shown, "buffer": jpeg(photo(drawn(CODE.text)))})
    told(page, read)
    assert page.locator("#machine_code").input_value() == CODE.text


def test_why_there_is_none(browser, job):
    page = browser.new_page()  # a request that gets no answer is an error on the console
    page.add_init_script("""navigator.mediaDevices.getUserMedia = async () => {
        throw new DOMException("", "NotFoundError");
    };""")
    page.goto(job)
    page.locator("#seal-fields summary").click()
    page.locator("#scan-start").click()
    told(page, "No camera was found")
    page.route("**/api/machine-code", lambda route: route.abort())
    screen = {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": jpeg(photo(drawn(CODE.text)))}
    page.set_input_files("#scan-file", screen)
    told(page, "did not answer")
    page.close()

"""Chromium's fake camera on the Try it page: it films red and green squares."""

import io

import colour_detector as detector
import judging
import pytest
from browser_help import PHONE, chromium, fits_the_width, free_port, shoot, type_into, watch
from host_help import running_host
from PIL import Image

from host.config import Settings
from host.web.credentials import Credentials

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

WIDE = 640, 360
"""Wider than a board's camera, which sees 480 of it across, and a square of 224/240 of that."""


def video(path):
    """Write a video (YUV4MPEG2) of a picture at rest: four squares in what a board would see."""
    scene = detector.scene(4, 224, 224, squares=4)
    side = 224 * WIDE[1] // 240
    frame = Image.new("RGB", WIDE, (66, 65, 66))
    at = (WIDE[0] - side) // 2, (WIDE[1] - side) // 2
    frame.paste(scene.resize((side, side), Image.Resampling.NEAREST), at)
    y, cb, cr = frame.convert("YCbCr").split()
    half = WIDE[0] // 2, WIDE[1] // 2
    planes = b"".join(one.tobytes() for one in (y, cb.resize(half), cr.resize(half)))
    head = b"YUV4MPEG2 W%d H%d F20:1 Ip A1:1 C420jpeg\n" % WIDE
    path.write_bytes(head + 10 * (b"FRAME\n" + planes))
    return scene


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    """What the camera films, and a Chromium that has it and may use it."""
    file = tmp_path_factory.mktemp("video") / "squares.y4m"
    scene = video(file)
    more = (
        "--use-fake-device-for-media-stream=device-count=2",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-video-capture={file}",
        # A name that is not this computer's own, for a page without https.
        "--host-resolver-rules=MAP forge.test 127.0.0.1",
    )
    with chromium(*more) as opened:
        yield scene, opened


@pytest.fixture
def browser(films):
    """In place of the one without a camera."""
    return films[1]


@pytest.fixture
def place(address, tmp_path):
    job_id, _ = judging.colours(tmp_path / "data")
    return f"{address}/jobs/{job_id}/try"


def png(scene):
    data = io.BytesIO()
    scene.save(data, "PNG")
    return data.getvalue()


def names(page):
    return sorted(page.locator("#list li").all_inner_texts())


def test_the_answers_follow_the_camera(page, place, films):
    page.goto(place)
    data = png(films[0])
    page.set_input_files("#picture", {"name": "a.png", "mimeType": "image/png", "buffer": data})
    page.wait_for_selector("#drawn rect")
    still = [one.split()[0] for one in names(page)]

    open_now, most = [], []
    page.on("request", lambda one: one.method == "POST" and open_now.append(one))
    page.on("request", lambda _: most.append(len(open_now)))
    page.on("requestfinished", lambda one: one in open_now and open_now.remove(one))
    page.get_by_role("button", name="Use the camera").click()
    page.locator("#rate", has_text="answers a second").wait_for()
    assert [one.split()[0] for one in names(page)] == still
    assert page.locator("#drawn rect").count() == len(still)
    assert page.locator("#answer").get_attribute("aria-live") == "off"
    size = page.evaluate(
        "(({ width, height }) => [width, height])(document.getElementById('seen-now'))"
    )
    assert size == [448, 448]
    shoot(page, "camera")
    page.set_viewport_size(PHONE)
    assert fits_the_width(page)
    shoot(page, "camera-phone")

    page.locator("#nms").fill("1")
    page.locator("#threshold").fill("0.01")
    assert page.locator("#drawn rect").count() > len(still)
    page.wait_for_timeout(800)  # later answers keep to it
    assert page.locator("#drawn rect").count() > len(still)
    page.locator("#threshold").fill("0.4")
    page.locator("#nms").fill("0.3")

    page.get_by_role("button", name="Stop the camera").click()
    assert page.evaluate("document.activeElement.id") == "use-camera"
    assert page.evaluate("document.getElementById('video').srcObject") is None
    page.wait_for_timeout(300)
    sent = len(most)
    page.wait_for_timeout(600)
    assert len(most) == sent > 4 and max(most) == 1
    assert page.locator("#drawn rect").count() == len(still)


def test_another_camera_and_a_picture_that_ends_it(page, place, films):
    # This Chromium has one camera only; here it has two names.
    page.add_init_script("""
        const known = navigator.mediaDevices.enumerateDevices.bind(navigator.mediaDevices);
        const named = ({ kind, deviceId }, label) => ({ kind, deviceId, label });
        const twice = (one) => [named(one, "1"), named(one, "2")];
        navigator.mediaDevices.enumerateDevices = async () => (await known()).flatMap(twice);
    """)
    page.goto(place)
    page.locator("#use-camera").click()
    page.wait_for_selector("#which-camera:not([hidden])")
    page.select_option("#which-camera", index=1)
    page.locator("#rate", has_text="answers a second").wait_for()
    assert page.locator("#which-camera option").all_inner_texts() == ["1", "2"]
    data = png(films[0])
    page.set_input_files("#picture", {"name": "a.png", "mimeType": "image/png", "buffer": data})
    page.wait_for_selector("#camera", state="hidden")
    page.wait_for_selector("#drawn rect")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("NotAllowedError", "does not let this page use the camera"),
        ("NotFoundError", "No camera was found"),
        ("NotReadableError", "Close other programs"),
    ],
)
def test_why_there_is_no_camera(page, place, error, said):
    thrown = f"throw new DOMException('', '{error}')"
    page.add_init_script(f"navigator.mediaDevices.getUserMedia = async () => {{ {thrown}; }}")
    page.goto(place)
    page.locator("#use-camera").click()
    page.wait_for_selector("#no-camera:not([hidden])")
    assert said in page.locator("#no-camera").inner_text()
    assert page.locator("#camera").is_hidden()


def test_a_page_by_http_from_elsewhere_has_none(browser, tmp_path):
    settings = Settings(data=tmp_path / "data", port=free_port(), trusted_hosts="forge.test")
    Credentials(settings.data).set_password("a stone in the shoe")
    with running_host(settings):
        job_id, _ = judging.colours(settings.data)
        address = f"http://forge.test:{settings.port}"
        page = browser.new_page()
        wrong = watch(page, address)
        page.goto(f"{address}/jobs/{job_id}/try")
        type_into(page, "#password", "a stone in the shoe")
        page.keyboard.press("Enter")
        page.locator("#use-camera").click()
        page.locator("#no-camera", has_text="only to pages of the same computer").wait_for()
        shoot(page, "camera-insecure")
        page.goto(f"{address}/jobs/{job_id}/try?lang=zh")
        page.locator("#use-camera").click()
        page.locator("#no-camera", has_text="https").wait_for()
        shoot(page, "camera-insecure-zh")
        page.close()
        # An untrustworthy origin ignores this header, and Chromium says so.
        assert [one for one in wrong if "Cross-Origin-Opener-Policy" not in one] == []
